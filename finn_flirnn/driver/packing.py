# SPDX-License-Identifier: BSD-3-Clause
"""Codes to the bytes of a stream and back; pixels to groups of lanes and back.

Normative text: docs/numerics.md, section 7. A transfer is ``elements`` codes, element 0 in the
least significant bits, padded with zeros to whole bytes; its bytes lie in memory least significant
first, so a DMA buffer is the plain concatenation of the transfers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from finn_flirnn.numerics.fixed_point import Codes, Format

NATIVE_BITS = (8, 16, 32)


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
        size = self.bytes_of(codes.size)
        bits = self.format.bits
        if bits in NATIVE_BITS:
            return np.ascontiguousarray(codes).astype(f"<i{bits // 8}").tobytes()
        transfers = codes.reshape(-1, self.elements)
        planes = (transfers[:, :, np.newaxis] >> np.arange(bits)) & 1
        rows = planes.astype(np.uint8).reshape(len(transfers), self.elements * bits)
        data = np.packbits(rows, axis=1, bitorder="little").tobytes()
        assert len(data) == size
        return data

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
        bits = self.format.bits
        if bits in NATIVE_BITS:
            kind = "i" if self.format.signed else "u"
            native = np.frombuffer(data, dtype=f"<{kind}{bits // 8}")
            return native.astype(np.int64).reshape(-1, self.elements)
        raw = np.frombuffer(data, dtype=np.uint8).reshape(-1, self.transfer_bytes)
        planes = np.unpackbits(raw, axis=1, bitorder="little")[:, : self.elements * bits]
        weights = np.int64(1) << np.arange(bits, dtype=np.int64)
        if self.format.signed:
            weights[-1] = -weights[-1]
        codes: Codes = planes.reshape(-1, self.elements, bits).astype(np.int64) @ weights
        return codes


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
    width = next(bits for bits in NATIVE_BITS if bits >= fmt.bits)
    return np.dtype(f"{'i' if fmt.signed else 'u'}{width // 8}")
