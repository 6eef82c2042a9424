# SPDX-License-Identifier: BSD-3-Clause
"""A simulation, or anything else with a transfer(), in place of the board.

The Verilated design of a build directory is one of them; it needs finn-flirnn installed, the rest
of the driver does not.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol

from finn_flirnn.driver.device import Device
from finn_flirnn.driver.errors import ClosedError, DeploymentError, DeviceError, DeviceTimeoutError

ADAPTER = "finn_flirnn.build.simulated_board"


class Engine(Protocol):
    """What computes: takes the bytes of whole groups, gives those of their results."""

    build_id: str | None

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Results of the groups in ``data``. Raises TimeoutError if it stalls, RuntimeError otherwise."""


class SimulatedDevice:
    """A Device on top of an Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine | None = engine
        self._build_id = engine.build_id
        self._of_cycles = engine

    @property
    def build_id(self) -> str | None:
        """The build identifier of the simulated design."""
        return self._build_id

    @property
    def cycles(self) -> int | None:
        """Cycles that the engine has run in its transfers, None if it does not count them."""
        cycles: int | None = getattr(self._of_cycles, "cycles", None)
        return cycles

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run whole groups. Raises ClosedError; DeviceTimeoutError or DeviceError, and is closed then."""
        if self._engine is None:
            raise ClosedError("the device is closed or stopped after a failure; open the accelerator again")
        engine, self._engine = self._engine, None
        try:
            result = engine.transfer(data, output_bytes)
        except TimeoutError as error:
            raise DeviceTimeoutError(f"the simulation must answer in time: {error}") from error
        except RuntimeError as error:
            raise DeviceError(f"the simulation must run to its end: {error}") from error
        if len(result) != output_bytes:
            raise DeviceError(
                f"{output_bytes} bytes must come back, got {len(result)}; check the design's output stream"
            )
        self._engine = engine
        return result

    def close(self) -> None:
        """Let go of the engine."""
        self._engine = None


def open_verilated_board(build_directory: Path, pauses: float = 0.0) -> Device:
    """The Verilated system of a build directory as a device.

    pauses: probability, for each cycle, that a side of a stream pauses.
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
        engine: Engine = adapter.open_board(build_directory, pauses)
    except (OSError, ValueError, RuntimeError) as error:
        raise DeploymentError(f"the hardware of {build_directory} cannot be simulated: {error}") from error
    return SimulatedDevice(engine)
