# SPDX-License-Identifier: BSD-3-Clause
"""Step rtl: the converted graph's SystemVerilog, stitched, with everything it needs in one folder."""

from __future__ import annotations

from dataclasses import asdict

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.hardware import emit_hardware, write_built_in_weights
from finn_flirnn.build.rtl_files import collect_sources
from finn_flirnn.common.files import write_json


def run(context: BuildContext) -> None:
    """Write rtl/: sources, file list, module.json; and to a part what the streams between layers take.

    Where weights can be loaded, rtl/weights.bin is the image of those built in.

    In the order of pixels the top's streams have TLAST, so that a transfer may end within a group.
    """
    scratch = context.make("rtl")
    design = emit_hardware(context, scratch, partial=True)
    collect_sources(design.top, scratch)
    write_built_in_weights(design, scratch)
    write_json(context.make(f"{PARTS}/streams.json"), asdict(design.stream_resources))
