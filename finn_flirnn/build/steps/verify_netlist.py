# SPDX-License-Identifier: BSD-3-Clause
"""Step verify_netlist: the netlist behind the bitstream, before and after routing, against the oracle."""

from __future__ import annotations

from dataclasses import replace

from finn_flirnn.build.board_files import NETLIST, ROUTED
from finn_flirnn.build.collect import PARTS, stage
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.errors import MismatchError, StepSkipped
from finn_flirnn.build.simulated_link import open_netlist
from finn_flirnn.common.files import write_json
from finn_flirnn.driver.accelerator import Accelerator
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.uart_device import SIMULATED_SLACK_S, UartDevice
from finn_flirnn.driver.validation import validate

NETLISTS = {
    "netlist": (NETLIST, "the board as synthesised, cell by cell, by the deployed driver over its UART"),
    "routed": (ROUTED, "the same after place and route"),
}
"""Stage of verification.json -> file in board/, and what is compared."""
PIXELS = 16
TIMEOUT_S = 60.0
QUIET_S = 1e-4
"""Half the silence that the driver waits for at first. A board just reset has no half frame to forget, and
the link's own 50 ms would be most of the simulation."""


def run(context: BuildContext) -> None:
    """Write the netlists' part of verification.json.

    The deployed driver and example run over the pins of the board as Yosys has made it, link and all, then
    as nextpnr has routed it.
    Raises MismatchError, with that written, if a code differs; StepSkipped for a board of AMD.
    """
    if not context.config.target.is_open:
        raise StepSkipped("Vivado makes the netlist of this board's bitstream; see the step bitfile")
    package = context.output / "deploy"
    meta = AcceleratorMetadata.read(package)
    meta = replace(meta, link=meta.link and replace(meta.link, idle_s=QUIET_S))
    stages, first = [], None
    for name, (netlist, what) in NETLISTS.items():
        context.tell(f"{name}: compiling for simulation")
        port = open_netlist(context.output, context.output / "board" / netlist)
        context.tell(f"{name}: {PIXELS} pixels over the UART")
        with Accelerator.open(package, UartDevice(port, meta, TIMEOUT_S, slack_s=SIMULATED_SLACK_S)) as board:
            result = validate(board, package, f"uart:{name}", PIXELS)
        stages.append(
            stage(name, result.pixels, result.codes, result.mismatches, what=what, cycles=port.cycles)
        )
        first = first or result.first_mismatch
    write_json(context.make(f"{PARTS}/verified_netlist.json"), {"stages": stages})
    if first:
        raise MismatchError(
            f"the netlist differs from the oracle: {first}; see verification.json, "
            "and do not load this build's bitstream"
        )
