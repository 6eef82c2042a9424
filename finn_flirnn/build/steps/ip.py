# SPDX-License-Identifier: BSD-3-Clause
"""Step ip: Tcl that packages the stitched sources as Vivado IP."""

from __future__ import annotations

from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.errors import StepSkipped
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.templates import render
from finn_flirnn.common.files import write_atomically


def run(context: BuildContext) -> None:
    """Write ip/package_ip.tcl."""
    if context.config.target.is_open:
        raise StepSkipped(f"{context.config.board} has no device of AMD's; board/ holds what its tools take")
    config, module = context.config, load_module(context.output / "rtl")
    text = render(
        "package_ip.tcl.j2",
        name=config.name.replace("-", "_").replace(".", "_"),
        top=module.top,
        part=config.target.part,
        sources=[path.name for path in module.sources],
        data=[path.name for path in module.data],
        inputs=module.inputs,
        outputs=module.outputs,
        streams=[port.name for port in (*module.inputs, *module.outputs)],
        clock_hz=round(config.clock_mhz * 1e6),
    )
    write_atomically(context.make("ip/package_ip.tcl"), text)
