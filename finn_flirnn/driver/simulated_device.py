# SPDX-License-Identifier: BSD-3-Clause
"""A simulation, or anything else with a transfer(), in place of the board.

The Verilated design of a build directory is one of them; it needs finn-flirnn installed, the rest
of the driver does not.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from finn_flirnn.driver.device import DEFAULT_TIMEOUT_S, Device
from finn_flirnn.driver.errors import (
    AcceleratorError,
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
)
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.registers import Bus, HardwareStatus, Registers

ADAPTER = "finn_flirnn.build.simulated_board"


class Engine(Protocol):
    """What computes: takes the bytes of whole groups, gives those of their results."""

    @property
    def build_id(self) -> str | None:
        """Its build identifier, if it is not in registers."""

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Results of the groups in ``data``. Raises TimeoutError if it stalls, RuntimeError otherwise."""


@runtime_checkable
class RunningEngine(Bus, Protocol):
    """What an engine with a register file, a running simulation, has beside that.

    Reading and writing raise TimeoutError if the registers do not answer, RuntimeError if they do so wrongly.
    """

    def close(self) -> None:
        """Free it. May be called again."""


class SimulatedDevice:
    """A Device on top of an Engine."""

    def __init__(self, engine: Engine, expected_build: str = "of this package") -> None:
        """expected_build: for the message if the engine's registers are none of ours.

        Raises WrongBuildError then, DeviceError if they do not answer.
        """
        self._engine: Engine | None = engine
        self._running = engine if isinstance(engine, RunningEngine) else None
        self._of_cycles = engine
        self._registers: Registers | None = None
        self._build_id = engine.build_id
        if self._running is not None:
            with _named():
                self._registers = Registers(self._running, expected_build)
                self._build_id = self._registers.build_id

    @property
    def build_id(self) -> str | None:
        """The build identifier of the simulated design."""
        return self._build_id

    @property
    def cycles(self) -> int | None:
        """Cycles that the engine has run in its transfers, None if it does not count them."""
        cycles: int | None = getattr(self._of_cycles, "cycles", None)
        return cycles

    def status(self) -> HardwareStatus | None:
        """What the registers tell; None for an engine without any. Raises ClosedError, DeviceError."""
        self._check_open()
        if self._registers is None:
            return None
        with _named():
            return self._registers.status()

    def load(self, words: Sequence[int]) -> int:
        """Load a weight image through the registers; returns the load status.

        Raises as ``Registers.load``, and ClosedError.
        """
        self._check_open()
        if self._registers is None:
            raise DeviceError("this simulation has no registers; load weights on the simulated system")
        with _named():
            return self._registers.load(words, DEFAULT_TIMEOUT_S)

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run whole groups. Raises ClosedError; DeviceTimeoutError or DeviceError, and is closed then."""
        engine = self._check_open()
        self._engine = None
        with _named():
            result = engine.transfer(data, output_bytes)
        if len(result) != output_bytes:
            raise DeviceError(
                f"{output_bytes} bytes must come back, got {len(result)}; check the design's output stream"
            )
        self._engine = engine
        return result

    def close(self) -> None:
        """Let go of the engine."""
        self._engine = None
        if self._running is not None:
            self._running.close()

    def _check_open(self) -> Engine:
        if self._engine is None:
            raise ClosedError("the device is closed or stopped after a failure; open the accelerator again")
        return self._engine


@contextmanager
def _named() -> Iterator[None]:
    """The errors of an engine as those of a device."""
    try:
        yield
    except AcceleratorError:
        raise
    except TimeoutError as error:
        raise DeviceTimeoutError(f"the simulation must answer in time: {error}") from error
    except RuntimeError as error:
        raise DeviceError(f"the simulation must run to its end: {error}") from error


def open_verilated_board(build_directory: Path, metadata: AcceleratorMetadata, pauses: float = 0.0) -> Device:
    """The Verilated system of a build directory as a device.

    metadata: of the package that is to be run on it. pauses: probability, for each cycle, that memory or the
    registers' bus pauses.
    Raises DeploymentError if finn-flirnn is not installed here, or there is no such build.
    """
    try:
        adapter = importlib.import_module(ADAPTER)
    except ModuleNotFoundError as error:
        raise DeploymentError(
            f"device 'sim' needs finn-flirnn, which is not here ({error}); pip install finn-flirnn, "
            "or use another device"
        ) from error
    try:
        group_bytes = metadata.group_input_bytes, metadata.group_output_bytes
        parts = metadata.lanes if metadata.partial_groups else None
        engine: Engine = adapter.open_board(build_directory, group_bytes, parts, pauses)
    except (OSError, ValueError, RuntimeError) as error:
        raise DeploymentError(f"the hardware of {build_directory} cannot be simulated: {error}") from error
    return SimulatedDevice(engine, metadata.build_id)
