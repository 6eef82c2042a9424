# SPDX-License-Identifier: BSD-3-Clause
"""Step synthesis: area and delay of the stitched design by Yosys."""

from __future__ import annotations

from dataclasses import asdict

from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.synth import synthesise


def run(context: BuildContext) -> None:
    """Write report/synthesis.json: only what the tool reported."""
    context.tell(f"Yosys, family {context.config.family}")
    result = synthesise(load_module(context.output / "rtl"), context.config.family)
    reported = asdict(result)
    del reported["seconds"]  # equal builds give equal reports; the manifest has the time of each step
    context.report("synthesis", reported)
