# SPDX-License-Identifier: BSD-3-Clause
"""Step bitfile: the bitstream, by FINN's own flow where Vivado and Vitis HLS are there, or by open tools."""

from __future__ import annotations

import shutil

from finn_flirnn.build.board_files import CONFIGURATION
from finn_flirnn.build.config import Flow
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.errors import BuildError, StepSkipped
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.steps.convert import run_flow
from finn_flirnn.build.toolchain import find_tools
from finn_flirnn.synth import pack_bitstream

SUFFIXES = (".bit", ".hwh")


def run(context: BuildContext) -> None:
    """Write bitfile/<name>.bit (and .hwh for an AMD board), or say why not."""
    if context.config.target.is_open:
        routed = context.output / "board" / CONFIGURATION
        pack_bitstream(routed, context.make(f"bitfile/{context.config.name}.bit"))
        return
    if context.config.flow is Flow.OPEN:
        raise StepSkipped('"flow" is "open"; set it to "auto" or "vivado" for an AMD bitstream')
    missing = find_tools().missing_for_bitstream
    if missing:
        if context.config.flow is Flow.VIVADO:
            raise BuildError(f'"flow": "vivado" needs Vivado, but {missing}')
        raise StepSkipped(f"{missing}, then build again with --resume")
    scratch = context.output / STAGING / "vivado"
    run_flow(context, scratch, vivado=True)
    for suffix in SUFFIXES:
        found = sorted(scratch.rglob(f"*{suffix}"))
        if not found:
            raise BuildError(f"Vivado ended without a {suffix} file below {scratch}; see its log there")
        shutil.copyfile(found[0], context.make(f"bitfile/{context.config.name}{suffix}"))
