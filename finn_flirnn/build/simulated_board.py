# SPDX-License-Identifier: BSD-3-Clause
"""The Verilated stitched design in place of a board: takes and gives the bytes that the DMAs would.

``finn_flirnn.driver.simulated_device`` finds this module by its name, also from a deployed driver,
whose exceptions are not ours. So only built-in exceptions (and their subclasses) leave it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.errors import BuildError
from finn_flirnn.driver.packing import Stream
from finn_flirnn.sim import DeadlockError, build_model, simulate


class SimulatedBoard:
    """A module with one input and one output stream; a transfer starts from reset.

    build_id: of this very design, computed from its files. stalls: probability, for each cycle, that
    the DMA on either side pauses.
    """

    def __init__(self, module: RtlModule, stalls: float = 0.0) -> None:
        """Compile the design. Raises ToolError or LintError (RuntimeError), ValueError for other ports."""
        self.build_id: str | None = build_identifier(module)
        self._input, self._output = _only(module.inputs, "input"), _only(module.outputs, "output")
        self._model = build_model(module)
        self._stalls = stalls
        self.cycles = 0
        """Cycles of all transfers together."""

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run the transfers in ``data`` through the design.

        Raises TimeoutError if it stands still, RuntimeError if it breaks the protocol.
        """
        sink = _raw(self._output)
        given = _raw(self._input).unpack(data)
        ends = np.zeros(len(given), dtype=bool)
        ends[-1:] = True
        try:
            result = simulate(
                self._model,
                {self._input.name: given},
                {self._output.name: output_bytes // sink.transfer_bytes},
                ends={self._input.name: ends} if self._input.last else {},
                stalls=self._stalls,
            )
        except DeadlockError as error:
            raise TimeoutError(str(error)) from error
        self.cycles += result.cycles
        return sink.pack(result.outputs[self._output.name])


def open_board(build_directory: Path, stalls: float = 0.0) -> SimulatedBoard:
    """The hardware in the output directory of a build; stalls: as of a SimulatedBoard.

    Raises ValueError if there is none, RuntimeError if it cannot be compiled.
    """
    try:
        module = load_module(build_directory / "rtl")
    except BuildError as error:
        raise ValueError(str(error)) from error
    return SimulatedBoard(module, stalls)


def _only(ports: tuple[StreamPort, ...], name: str) -> StreamPort:
    if len(ports) != 1:
        raise ValueError(f"the design must have one {name} stream, has {[port.name for port in ports]}")
    return ports[0]


def _raw(port: StreamPort) -> Stream:
    """A port's stream with every bit pattern allowed: a DMA moves bytes, whatever they mean."""
    return Stream(port.elements, replace(port.format, narrow=False))
