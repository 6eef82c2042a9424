# SPDX-License-Identifier: BSD-3-Clause
"""Codes to the bytes of a stream and back; pixels to groups of lanes and back.

Normative text: docs/numerics.md, section 7. A transfer is ``elements`` codes, element 0 in the
least significant bits, padded with zeros to whole bytes; its bytes lie in memory least significant
first, so a DMA buffer is the plain concatenation of the transfers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from finn_flirnn.numerics.fixed_point import Codes, Format


@dataclass(frozen=True)
class Stream:
    """A stream of ``elements`` codes of ``format`` a transfer.

    >>> Stream(3, Format(bits=4, frac=0)).transfer_bytes
    2
    """

    elements: int
    format: Format

    def __post_init__(self) -> None:
        if self.elements < 1:
            raise ValueError(f"elements={self.elements} must be at least 1; a transfer holds a code or more")

    @property
    def transfer_bytes(self) -> int:
        """Bytes of a transfer."""
        return -(-self.elements * self.format.bits // 8)

    def bytes_of(self, codes: int) -> int:
        """Bytes that a number of codes takes. Raises ValueError if it ends within a transfer."""
        if codes % self.elements:
            raise ValueError(
                f"{codes} codes do not fill whole transfers of {self.elements}; "
                "choose elements among the divisors of the features"
            )
        return codes // self.elements * self.transfer_bytes

    def pack(self, codes: Codes) -> bytes:
        """Codes of any shape, in C order, to bytes.

        Raises ValueError if a code lies outside the format or the last transfer is not full.

        >>> Stream(3, Format(bits=4, frac=0)).pack(np.array([1, 2, -1])).hex()
        '210f'
        """
        self.format.check("codes to send", codes)
        self.bytes_of(codes.size)  # refuses half a transfer
        transfers = codes.reshape(-1, self.elements)
        data = np.zeros((len(transfers), self.transfer_bytes), dtype=np.uint8)
        for element, (first, count, shift) in enumerate(self._places()):
            word = (transfers[:, element] & self._mask) << shift
            for i in range(count):
                data[:, first + i] |= (word >> 8 * i).astype(np.uint8)
        return data.tobytes()

    def unpack(self, data: bytes) -> Codes:
        """Bytes to codes (transfers, elements); padding bits are ignored.

        Raises ValueError if ``data`` does not end with a transfer.

        >>> Stream(3, Format(bits=4, frac=0)).unpack(bytes.fromhex("21ff")).tolist()
        [[1, 2, -1]]
        """
        if len(data) % self.transfer_bytes:
            raise ValueError(
                f"{len(data)} bytes do not hold whole transfers of {self.transfer_bytes} bytes; "
                "read as many as were sent"
            )
        raw = np.frombuffer(data, dtype=np.uint8).reshape(-1, self.transfer_bytes)
        codes: Codes = np.zeros((len(raw), self.elements), dtype=np.int64)
        for element, (first, count, shift) in enumerate(self._places()):
            for i in range(count):
                codes[:, element] |= raw[:, first + i].astype(np.int64) << 8 * i
            codes[:, element] >>= shift
        codes &= self._mask
        if self.format.signed:
            sign = 1 << (self.format.bits - 1)
            codes = (codes ^ sign) - sign
        return codes

    @property
    def _mask(self) -> int:
        return (1 << self.format.bits) - 1

    def _places(self) -> Iterator[tuple[int, int, int]]:
        """First byte, number of bytes and offset in bits of each element; at most 5 bytes of 8 bits."""
        bits = self.format.bits
        for start in range(0, self.elements * bits, bits):
            yield start // 8, (start % 8 + bits + 7) // 8, start % 8


def to_groups(codes: Codes, lanes: int) -> Codes:
    """(pixels, T, features) to groups (groups, T, lanes, features).

    A partial last group is filled with zeros; ``from_groups`` drops what comes back for them.

    >>> to_groups(np.arange(6).reshape(3, 2, 1), lanes=2)[..., 0].tolist()
    [[[0, 2], [1, 3]], [[4, 0], [5, 0]]]
    """
    pixels, steps, features = codes.shape
    groups = -(-pixels // lanes)
    filled = np.zeros((groups * lanes, steps, features), dtype=codes.dtype)
    filled[:pixels] = codes
    return filled.reshape(groups, lanes, steps, features).swapaxes(1, 2)


def from_groups(groups: Codes, pixels: int) -> Codes:
    """(groups, T, lanes, features) to the first ``pixels`` pixels (pixels, T, features)."""
    count, steps, lanes, features = groups.shape
    return groups.swapaxes(1, 2).reshape(count * lanes, steps, features)[:pixels]


def smallest_integer(fmt: Format) -> np.dtype[np.signedinteger[Any] | np.unsignedinteger[Any]]:
    """The smallest numpy integer type that holds every code of a format.

    >>> smallest_integer(Format(bits=9, frac=0, signed=False))
    dtype('uint16')
    """
    width = next(bits for bits in (8, 16, 32) if bits >= fmt.bits)
    return np.dtype(f"{'i' if fmt.signed else 'u'}{width // 8}")
