# SPDX-License-Identifier: BSD-3-Clause
"""What the driver asks of a device: bytes in, bytes out, and who it is.

A board, a link or a simulation is a class with these three members; the driver above it is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.pynq_device import PynqDevice
from finn_flirnn.driver.uart_device import open_uart

DEFAULT_TIMEOUT_S = 10.0
UART = "uart:"


class Device(Protocol):
    """An accelerator that takes and gives whole groups.

    A device with registers also has ``status()``, a HardwareStatus; one whose weights can be loaded has
    ``load(words)``, which returns the load status. A simulation also has ``cycles``, how many of its clock it
    has run: by it, not by wall time, it is judged.
    """

    @property
    def build_id(self) -> str | None:
        """The build identifier that the hardware reports; None if it has none to read."""

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Send the groups in ``data``, return the ``output_bytes`` bytes that come back.

        Raises DeviceTimeoutError or DeviceError; after that the device must be opened anew.
        """

    def close(self) -> None:
        """Free what the device holds. May be called again."""


def open_device(name: str, directory: Path, metadata: AcceleratorMetadata, timeout_s: float) -> Device:
    """Open a device by its name: "pynq" on a PYNQ board, "uart:PORT" for a board on a serial port.

    Raises ValueError for an unknown name, AcceleratorError if the device cannot be opened.
    """
    if name == "pynq":
        return PynqDevice(directory, metadata, timeout_s)
    if name.startswith(UART):
        return open_uart(name.removeprefix(UART), metadata, timeout_s)
    raise ValueError(
        f"device={name!r} must be 'pynq', 'uart:PORT' or an object with transfer(); choose one of them"
    )
