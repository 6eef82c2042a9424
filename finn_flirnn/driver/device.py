# SPDX-License-Identifier: BSD-3-Clause
"""What the driver asks of a device: bytes in, bytes out, and who it is.

A board, a link or a simulation is a class with these three members; the driver above it is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.pynq_device import PynqDevice

DEFAULT_TIMEOUT_S = 10.0


class Device(Protocol):
    """An accelerator that takes and gives whole groups."""

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
    """Open a device by its name; ``pynq`` is the only one that needs nothing but the package.

    Raises ValueError for an unknown name.
    """
    if name == "pynq":
        return PynqDevice(directory, metadata, timeout_s)
    raise ValueError(f"device={name!r} must be 'pynq' or an object with transfer(); choose one of them")
