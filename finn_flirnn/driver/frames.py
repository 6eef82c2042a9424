# SPDX-License-Identifier: BSD-3-Clause
"""Frames of the host link (docs/link.md): bytes on a line that may lose, change or add some."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PROTOCOL_VERSION = 1
SYNC = b"\xa5\x5a"
HEADER = struct.Struct("<BBH")
CRC = struct.Struct("<I")
OVERHEAD = len(SYNC) + HEADER.size + CRC.size
"""Bytes of a frame beside its payload."""
SEQUENCES = 256
IDENTITY = struct.Struct("<BBHHI8sHH")
PIECE_WORDS = 64
"""Words of a load frame (docs/link.md)."""
LOADED = struct.Struct("<III")


class FrameType(IntEnum):
    """What a frame is; the host sends the first three, the board the others."""

    IDENTIFY = 0x01
    INFER = 0x02
    LOAD = 0x03
    IDENTITY = 0x81
    RESULT = 0x82
    LOADED = 0x83
    REFUSAL = 0x8F


REFUSALS = {
    1: "the checksum was wrong",
    2: "the length was wrong",
    3: "the type was unknown",
    4: "its buffer was full",
    5: "the frame was broken off",
}
"""Why the board refused a frame, by the code that it sends."""


@dataclass(frozen=True)
class Frame:
    """A frame. sequence: 0 to 255, chosen by the host; the answer bears the same."""

    type: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The frame's bytes."""
        checked = HEADER.pack(self.type, self.sequence, len(self.payload)) + self.payload
        return SYNC + checked + CRC.pack(zlib.crc32(checked))


@dataclass(frozen=True)
class Piece:
    """A piece of a weight image: words of 32 bits, PIECE_WORDS at most, from the offset-th on.

    Without words it only asks for the status.
    """

    offset: int
    words: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """The payload of a load frame."""
        padded = (*self.words, *[0] * (PIECE_WORDS - len(self.words)))
        return struct.pack(f"<I{PIECE_WORDS}I", self.offset | len(self.words) << 24, *padded)


@dataclass(frozen=True)
class LoadStatus:
    """What a board says of its weights: load_status, weights_id (docs/weights.md), the word it wants next."""

    status: int
    weights_id: int
    next: int

    @classmethod
    def decode(cls, payload: bytes) -> LoadStatus:
        """Read the payload of a loaded frame of LOADED.size bytes."""
        return cls(*LOADED.unpack(payload))


@dataclass(frozen=True)
class Identity:
    """What a board says of itself.

    window: frames that may be on their way at once. group_input_bytes, group_output_bytes: payload of a
    request and of a result. clock_hz: the core's clock. build_id: 16 hexadecimal digits.
    """

    window: int
    group_input_bytes: int
    group_output_bytes: int
    clock_hz: int
    build_id: str
    steps: int
    lanes: int
    version: int = PROTOCOL_VERSION

    def encode(self) -> bytes:
        """The payload of an identity frame."""
        return IDENTITY.pack(
            self.version,
            self.window,
            self.group_input_bytes,
            self.group_output_bytes,
            self.clock_hz,
            bytes.fromhex(self.build_id),
            self.steps,
            self.lanes,
        )

    @classmethod
    def decode(cls, payload: bytes) -> Identity:
        """Read the payload of an identity frame of IDENTITY.size bytes."""
        version, window, inputs, outputs, clock, build, steps, lanes = IDENTITY.unpack(payload)
        return cls(window, inputs, outputs, clock, build.hex(), steps, lanes, version)


class FrameReader:
    """Finds the frames in a stream of bytes.

    lengths: payload bytes of each type that may come; another type or length is not taken for a frame.
    """

    def __init__(self, lengths: dict[FrameType, int]) -> None:
        self._lengths = lengths
        self._bytes = bytearray()
        self.damaged = 0
        """Frames whose checksum was wrong."""
        self.noise = 0
        """Bytes passed over since the last right frame."""

    def clear(self) -> None:
        """Forget an unfinished frame."""
        self._bytes.clear()
        self.noise = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Add bytes; gives the frames that are complete and right."""
        self._bytes += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        while len(self._bytes) >= len(SYNC):
            if not self._bytes.startswith(SYNC):
                self._skip()
                continue
            if len(self._bytes) < len(SYNC) + HEADER.size:
                return None
            kind, sequence, length = HEADER.unpack_from(self._bytes, len(SYNC))
            if self._lengths.get(kind) != length:
                self._skip()
                continue
            if len(self._bytes) < OVERHEAD + length:
                return None
            end = len(SYNC) + HEADER.size + length
            checked = bytes(self._bytes[len(SYNC) : end])
            if CRC.unpack_from(self._bytes, end)[0] != zlib.crc32(checked):
                self.damaged += 1
                self._skip()
                continue
            del self._bytes[: OVERHEAD + length]
            self.noise = 0
            return Frame(kind, sequence, checked[HEADER.size :])
        return None

    def _skip(self) -> None:
        """Drop bytes up to the next that may begin a frame; at least one."""
        following = self._bytes.find(SYNC[0], 1)
        dropped = following if following > 0 else len(self._bytes)
        self.noise += dropped
        del self._bytes[:dropped]
