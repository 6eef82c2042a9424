# SPDX-License-Identifier: BSD-3-Clause
"""The Verilated system in place of an AMD board: design, registers, DMAs; memory words in and out.

``finn_flirnn.driver.simulated_device`` finds this module by its name, also from a deployed driver,
whose exceptions are not ours. So only built-in exceptions (and their subclasses) leave it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.codegen.accelerator import AXI_LITE, emit_accelerator
from finn_flirnn.codegen.amd_system import (
    READ,
    RECEIVE,
    SEND,
    STATUS,
    SURPLUS,
    WRITE,
    emit_amd_system,
)
from finn_flirnn.codegen.types import RtlModule
from finn_flirnn.common.errors import BuildError
from finn_flirnn.numerics import Codes
from finn_flirnn.sim import DeadlockError, build_model
from finn_flirnn.sim.axi_lite import AxiLite
from finn_flirnn.sim.session import Running

END_MISSING = 1 << 31
TOP, ACCELERATOR = "flirnn_amd_system", "flirnn_accelerator"


class SimulatedBoard:
    """A system of ``system_of``; it goes on from transfer to transfer, as hardware does.

    system: its module. transfer_bytes: of a transfer on the accelerator's own streams, in and out. stalls:
    probability, for each cycle, that memory or bus pauses.
    """

    def __init__(self, system: RtlModule, transfer_bytes: tuple[int, int], stalls: float = 0.0) -> None:
        """Compile and reset it. Raises ToolError or LintError (RuntimeError)."""
        self._transfer_bytes, self._stalls = transfer_bytes, stalls
        self._words = {port.name: port.elements for port in (*system.inputs, *system.outputs)}
        model = build_model(system)
        self._running = Running(model)
        self._bus = AxiLite(model.library, self._running.instance, f"{AXI_LITE}_".lower(), pauses=stalls)
        self.cycles = 0
        """Cycles of all transfers together."""

    @property
    def build_id(self) -> None:
        """None: the registers tell it."""
        return None

    def read(self, address: int, /) -> int:
        """A register, over the Verilated bus. Raises TimeoutError or RuntimeError if the slave misbehaves."""
        try:
            return self._bus.read(address)
        except DeadlockError as error:
            raise TimeoutError(str(error)) from error

    def write(self, address: int, value: int, /) -> None:
        """Set a register. Raises as ``read``."""
        try:
            self._bus.write(address, value)
        except DeadlockError as error:
            raise TimeoutError(str(error)) from error

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run the transfers in ``data`` through the system.

        Raises TimeoutError if it stands still, RuntimeError if it breaks the protocol.
        """
        counts = [
            size // unit for size, unit in zip((len(data), output_bytes), self._transfer_bytes, strict=True)
        ]
        width = self._words[WRITE]
        try:
            result = self._running.simulate(
                {READ: self._memory(data), SEND: _count(counts[0]), RECEIVE: _count(counts[1])},
                {WRITE: output_bytes // width, STATUS: 1, SURPLUS: 0},
                stalls=self._stalls,
            )
        except DeadlockError as error:
            raise TimeoutError(str(error)) from error
        self.cycles += result.cycles
        status = int.from_bytes(result.outputs[STATUS].astype(np.uint8).tobytes(), "little")
        if status:
            raise RuntimeError(_wrong_end(status, counts[1]))
        return result.outputs[WRITE].astype(np.uint8).tobytes()

    def close(self) -> None:
        """Free the simulation. May be called again."""
        self._running.close()

    def _memory(self, data: bytes) -> Codes:
        width = self._words[READ]
        if len(data) % width:
            raise RuntimeError(
                f"{len(data)} bytes must be whole words of memory of {width} bytes; send whole groups"
            )
        return np.frombuffer(data, np.uint8).astype(np.int64).reshape(-1, width)


def system_of(
    core: RtlModule, group_bytes: tuple[int, int], folder: Path, *, parts: int | None = None
) -> RtlModule:
    """Write the system around a core into a folder, from where it is compiled at once.

    group_bytes: of a group, in and out. parts: of a group, after any of which a transfer may end, and TLAST
    tells; None for whole groups without TLAST, as in FINN's shell.
    Raises ValueError for a core with other streams, or whose transfers do not fit.
    """
    if len(core.inputs) != 1 or len(core.outputs) != 1:
        streams = [port.name for port in (*core.inputs, *core.outputs)]
        raise ValueError(f"the design must have one input stream and one output stream, has {streams}")
    transfers = tuple(size // unit for size, unit in zip(group_bytes, transfer_bytes(core), strict=True))
    accelerator = emit_accelerator(
        core,
        folder,
        ACCELERATOR,
        build_identifier(core),
        (transfers[0], transfers[1]),
        ends=parts is not None,
    )
    units = (group_bytes[0] // (parts or 1), group_bytes[1] // (parts or 1))
    # memory files are found from the module's directory
    return replace(emit_amd_system(accelerator, folder, TOP, units), directory=core.directory)


def transfer_bytes(core: RtlModule) -> tuple[int, int]:
    """Bytes of a transfer of a core's input and output."""
    return core.inputs[0].padded_bits // 8, core.outputs[0].padded_bits // 8


def simulated_board(
    core: RtlModule, group_bytes: tuple[int, int], *, parts: int | None = None, stalls: float = 0.0
) -> SimulatedBoard:
    """A core's system, compiled; arguments as of ``system_of`` and SimulatedBoard."""
    with tempfile.TemporaryDirectory() as folder:
        return SimulatedBoard(
            system_of(core, group_bytes, Path(folder), parts=parts), transfer_bytes(core), stalls
        )


def open_board(
    build_directory: Path, group_bytes: tuple[int, int], parts: int | None, stalls: float
) -> SimulatedBoard:
    """The hardware in the output directory of a build; arguments as of ``simulated_board``.

    Raises ValueError if there is none, RuntimeError if it cannot be compiled.
    """
    try:
        core = load_module(build_directory / "rtl")
    except BuildError as error:
        raise ValueError(str(error)) from error
    return simulated_board(core, group_bytes, parts=parts, stalls=stalls)


def _count(number: int) -> Codes:
    """A command: how many transfers."""
    return np.frombuffer(number.to_bytes(4, "little"), np.uint8).astype(np.int64).reshape(1, 4)


def _wrong_end(status: int, transfers: int) -> str:
    early = status & ~END_MISSING
    if early:
        return f"TLAST came early, with transfer {early} of {transfers}; the design ends its stream too soon"
    return f"TLAST is missing on transfer {transfers}, the last; the design does not end its stream"
