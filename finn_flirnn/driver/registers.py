# SPDX-License-Identifier: BSD-3-Clause
"""The registers of an accelerator beside a processor: who it is, what it has done, weights to load.

docs/registers.md has the map.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from finn_flirnn.driver.errors import DeviceError, DeviceTimeoutError, WrongBuildError

MAGIC = int.from_bytes(b"FLRN", "little")
VERSION = 1
AT_MAGIC, AT_VERSION, AT_BUILD_LOW, AT_BUILD_HIGH, AT_FLAGS, AT_SCRATCH = range(0x00, 0x18, 4)
AT_ACCEPTED, AT_FINISHED, AT_LOAD, AT_LOAD_STATUS, AT_WEIGHTS, AT_LOAD_CONTROL = range(0x18, 0x30, 4)
AT_CYCLES_LOW, AT_CYCLES_HIGH = 0x30, 0x34

LOADABLE, WORD_LOST = 1, 2
RESTART = 1
WORD = 1 << 32

STATE, STATE_BITS = 0xFF, 8
"""The loader's state in the load status; above it the number of sets taken."""
BUILT_IN, LOADING, LOADED, DRAINING = 0, 1, 2, 3
FIXED_WEIGHTS = "the hardware's weights are fixed; build with runtime_weights, or load another bitfile"
REFUSED = {
    0x81: "its CRC is wrong; send it again",
    0x82: "it was made for another design; make it with this build",
    0x83: "its header or its length is wrong; send a whole image of this build",
}
"""State of the loader -> why it did not take an image."""


class Bus(Protocol):
    """Access to 32-bit registers by byte offset: pynq's DefaultIP has it, and a simulated bus."""

    def read(self, offset: int, /) -> int:
        """The register's value."""

    def write(self, offset: int, value: int, /) -> None:
        """Set the register."""


@dataclass(frozen=True)
class HardwareStatus:
    """What the registers tell. Counters of groups wrap at 2**32; cycles count from reset.

    loadable: whether weights can be loaded. load_state: of the loader. sets_taken: since reset.
    weights_id: CRC-32 of the weights in use, 0 if they cannot be loaded.
    """

    build_id: str
    groups_accepted: int
    groups_finished: int
    cycles: int
    loadable: bool
    load_state: int
    sets_taken: int
    weights_id: int


class Registers:
    """The register file on a bus."""

    def __init__(self, bus: Bus, expected_build: str) -> None:
        """Raises WrongBuildError if there is no register file of this map."""
        self._bus = bus
        for offset, value, what in ((AT_MAGIC, MAGIC, "magic"), (AT_VERSION, VERSION, "map version")):
            found = bus.read(offset)
            if found != value:
                raise WrongBuildError(
                    f"the hardware must be build {expected_build}, but its {what} is {found:#010x} and not "
                    f"{value:#010x}: it is none of ours, or of another version; load the bitfile of this "
                    "package"
                )

    @property
    def build_id(self) -> str:
        """The build identifier in the hardware, 16 hexadecimal digits."""
        return f"{self._bus.read(AT_BUILD_HIGH):08x}{self._bus.read(AT_BUILD_LOW):08x}"

    def status(self) -> HardwareStatus:
        """Counters and the loader's state."""
        read = self._bus.read
        low = read(AT_CYCLES_LOW)  # holds the high half
        load = read(AT_LOAD_STATUS)
        return HardwareStatus(
            build_id=self.build_id,
            groups_accepted=read(AT_ACCEPTED),
            groups_finished=read(AT_FINISHED),
            cycles=read(AT_CYCLES_HIGH) << 32 | low,
            loadable=bool(read(AT_FLAGS) & LOADABLE),
            load_state=load & 0xFF,
            sets_taken=load >> 8,
            weights_id=read(AT_WEIGHTS),
        )

    def load(self, words: Sequence[int], timeout_s: float) -> int:
        """Load a weight image, 32-bit words, and wait until it is in use; returns the load status.

        Raises ValueError for no words or wider ones; DeviceError if the hardware has fixed weights or does
        not take the image, which leaves the old weights in use; DeviceTimeoutError.
        """
        image = [int(word) for word in words]
        if not image or min(image) < 0 or max(image) >= WORD:
            raise ValueError(f"an image must be 32-bit words and not empty, got {len(image)} of them")
        if not self._bus.read(AT_FLAGS) & LOADABLE:
            raise DeviceError(FIXED_WEIGHTS)
        before = self._settled((DRAINING,), "the image before this one", timeout_s) >> 8
        self._bus.write(AT_LOAD_CONTROL, RESTART)
        for word in image:
            self._bus.write(AT_LOAD, word)
        status = self._settled((LOADING, DRAINING), "the image", timeout_s)
        if self._bus.read(AT_FLAGS) & WORD_LOST:
            raise DeviceError("the loader did not take every word of the image; send it again")
        return taken_or_raise(status, before)

    def _settled(self, busy: tuple[int, ...], what: str, timeout_s: float) -> int:
        """The load status once its state is none of ``busy``."""
        deadline = time.monotonic() + timeout_s
        while (status := self._bus.read(AT_LOAD_STATUS)) & 0xFF in busy:
            if time.monotonic() > deadline:
                raise DeviceTimeoutError(
                    f"{what} must be in use within {timeout_s} s, but the loader is in state "
                    f"{status & 0xFF:#x}; send a whole image, or open the accelerator again"
                )
        return status


def taken_or_raise(status: int, sets_before: int) -> int:
    """The load status if an image was taken; raises DeviceError if it was not."""
    state, taken = status & STATE, status >> STATE_BITS
    if state != LOADED or taken == sets_before:
        reason = REFUSED.get(state, f"the loader's state is {state:#x} after {taken - sets_before} new sets")
        raise DeviceError(f"the hardware did not take the image: {reason}; the old weights are in use")
    return status
