# SPDX-License-Identifier: BSD-3-Clause
"""The Verilated board of a build as a serial port: bits on its pins, the core behind them.

``finn_flirnn.driver.uart_device`` finds this module by its name, also from a deployed driver, whose
exceptions are not ours. So only built-in exceptions (and their subclasses) leave it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from finn_flirnn.build.board_files import load_board
from finn_flirnn.codegen.link import LinkSettings
from finn_flirnn.codegen.types import RtlModule
from finn_flirnn.codegen.ulx3s import ulx3s_bench
from finn_flirnn.common.errors import BuildError
from finn_flirnn.sim import build_model
from finn_flirnn.sim.session import Session
from finn_flirnn.synth.flat_netlist import flat_netlist

CHUNK_BYTES = 32
"""A read runs for as long as so many bytes take, then looks what has come."""
BITS_A_BYTE = 10
NETLIST_OPTIMISATION = 1
"""Of the C++ compiler: 2 takes far longer for the large functions of a netlist, and gains little."""
BENCH_SOURCES = ("successor.sv", "stream_fifo.sv", "uart_receive.sv", "uart_transmit.sv")
"""What the bench itself needs of the library, where a netlist takes the place of the other sources."""


class SimulatedPort:
    """A serial port with a Verilated board behind it; time passes only while it is read.

    bench: a module of codegen/link.py, bytes in and bytes out. settings: of its link. netlist: the board in
    it is one of synth/flat_netlist.py.
    """

    def __init__(
        self, bench: RtlModule, settings: LinkSettings, seed: int = 1, *, netlist: bool = False
    ) -> None:
        """Compile and start the board. Raises ToolError or LintError (RuntimeError)."""
        model = build_model(bench, lint=not netlist, optimisation=NETLIST_OPTIMISATION if netlist else 2)
        self._session = Session(model, seed)
        self._clock_hz = settings.clock_hz
        self._chunk = CHUNK_BYTES * BITS_A_BYTE * settings.clock_hz // settings.baud
        self._to_send = np.zeros((0, 1), dtype=np.int64)
        self.cycles = 0
        """How far the simulation is."""

    def write(self, data: bytes) -> None:
        """Hand bytes to the line."""
        self._to_send = np.concatenate(
            [self._to_send, np.frombuffer(data, np.uint8).astype(np.int64)[:, None]]
        )

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come; none if none comes within ``timeout_s`` of the board's time."""
        left = round(timeout_s * self._clock_hz)
        while left > 0:
            cycles = min(left, self._chunk)
            taken, came = self._session.advance(self._to_send, cycles)
            self._to_send = self._to_send[taken:]
            self.cycles += cycles
            left -= cycles
            if len(came):
                return came[:, 0].astype(np.uint8).tobytes()
        return b""

    def close(self) -> None:
        """Free the simulation."""
        self._session.close()


def open_port(build_directory: Path) -> SimulatedPort:
    """The board in the output directory of a build.

    Raises ValueError if there is none, RuntimeError if it cannot be compiled.
    """
    try:
        top, settings = load_board(build_directory / "board")
    except BuildError as error:
        raise ValueError(str(error)) from error
    with tempfile.TemporaryDirectory() as folder:
        return SimulatedPort(ulx3s_bench(top, Path(folder), "flirnn_bench", settings), settings)


def open_netlist(build_directory: Path, netlist: Path) -> SimulatedPort:
    """The same board, but what a netlist of its top module makes of it.

    netlist: as Yosys gave it to nextpnr. Raises ValueError if there is no board, RuntimeError if the netlist
    cannot be read or compiled.
    """
    try:
        top, settings = load_board(build_directory / "board")
    except BuildError as error:
        raise ValueError(str(error)) from error
    sources = tuple((top.directory / path).resolve() for path in top.sources)
    with tempfile.TemporaryDirectory() as folder:
        flat = flat_netlist(netlist, top.top, Path(folder))
        of_bench = tuple(path for path in sources if path.name in BENCH_SOURCES)
        design = replace(flat, sources=(*flat.sources, *of_bench))
        bench = ulx3s_bench(design, Path(folder), "flirnn_netlist_bench", settings)
        return SimulatedPort(bench, settings, netlist=True)
