# SPDX-License-Identifier: BSD-3-Clause
"""Step rtl: the converted graph's SystemVerilog, stitched, with everything it needs in one folder."""

from __future__ import annotations

from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.hardware import emit_hardware
from finn_flirnn.build.rtl_files import collect_sources


def run(context: BuildContext) -> None:
    """Write rtl/: sources, file list, module.json.

    In the order of pixels the top's streams have TLAST, so that a transfer may end within a group.
    """
    scratch = context.make("rtl")
    collect_sources(emit_hardware(context, scratch, partial=True).top, scratch)
