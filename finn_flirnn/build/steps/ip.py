# SPDX-License-Identifier: BSD-3-Clause
"""Step ip: Tcl that packages the stitched sources, with their control registers, as Vivado IP."""

from __future__ import annotations

import shutil

from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.errors import StepSkipped
from finn_flirnn.build.hardware import group_transfers
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.templates import render
from finn_flirnn.codegen.accelerator import ADDRESS_BITS, AXI_LITE, emit_accelerator
from finn_flirnn.common.files import write_atomically

TOP = "finn_flirnn_accelerator"


def run(context: BuildContext) -> None:
    """Write ip/package_ip.tcl and, beside it, the registers and the top module around rtl/."""
    if context.config.target.is_open:
        raise StepSkipped(f"{context.config.board} has no device of AMD's; board/ holds what its tools take")
    config, core = context.config, load_module(context.output / "rtl")
    script = context.make("ip/package_ip.tcl")
    transfers = group_transfers(core, context.network, config.group_pixels)
    module = emit_accelerator(core, script.parent, TOP, build_identifier(core), transfers, ends=True)
    own = [path for path in module.sources if path not in core.sources]
    for path in own:
        if path.parent != script.parent:
            shutil.copyfile(path, script.parent / path.name)
    text = render(
        "package_ip.tcl.j2",
        name=config.name.replace("-", "_").replace(".", "_"),
        top=module.top,
        part=config.target.part,
        sources=[path.name for path in core.sources],
        own=[path.name for path in own],
        data=[path.name for path in core.data],
        inputs=module.inputs,
        outputs=module.outputs,
        busses=[*(port.name for port in (*module.inputs, *module.outputs)), AXI_LITE],
        registers=AXI_LITE,
        register_bytes=1 << ADDRESS_BITS,
        clock_hz=round(config.clock_mhz * 1e6),
    )
    write_atomically(script, text)
