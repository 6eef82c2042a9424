# SPDX-License-Identifier: BSD-3-Clause
"""Codes of a transfer packed into 32-bit words, and back. Order: docs/numerics.md, section 7."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics import Codes, Format

Words = npt.NDArray[np.uint32]

WORD = 32


def words_of(bits: int) -> int:
    """Number of 32-bit words that hold ``bits``.

    >>> words_of(33)
    2
    """
    return -(-bits // WORD)


def pack(codes: Codes, format: Format) -> Words:
    """Codes (N, elements) as words (N, ceil(elements * bits / 32)), element 0 least significant.

    Bits above the last element are zero. Raises ValueError if a code lies outside the format.

    >>> pack(np.array([[1, -1, 2]]), Format(bits=4, frac=0)).tolist()
    [[753]]
    """
    codes = np.asarray(codes, dtype=np.int64)
    if codes.ndim != 2:
        raise ValueError(f"codes must have shape (transfers, elements), not {codes.shape}; reshape them")
    if codes.size and not format.min_code <= codes.min() <= codes.max() <= format.max_code:
        raise ValueError(
            f"codes span {codes.min()}..{codes.max()}, but {format} holds "
            f"{format.min_code}..{format.max_code}; requantise them first"
        )
    transfers, elements = codes.shape
    words = np.zeros((transfers, words_of(elements * format.bits) + 1), dtype=np.uint32)
    patterns = codes.astype(np.uint64) & np.uint64((1 << format.bits) - 1)
    for element in range(elements):  # an element touches two words at most, and bits of its own only
        word, shift = divmod(element * format.bits, WORD)
        shifted = patterns[:, element] << np.uint64(shift)
        words[:, word] |= (shifted & np.uint64(0xFFFFFFFF)).astype(np.uint32)
        words[:, word + 1] |= (shifted >> np.uint64(WORD)).astype(np.uint32)
    return np.ascontiguousarray(words[:, :-1])


def unpack(words: Words, elements: int, format: Format) -> Codes:
    """Words (N, at least ceil(elements * bits / 32)) as codes (N, elements); bits above are ignored.

    >>> unpack(np.array([[753]], dtype=np.uint32), 3, Format(bits=4, frac=0)).tolist()
    [[1, -1, 2]]
    """
    words = np.asarray(words, dtype=np.uint32)
    needed = words_of(elements * format.bits)
    if words.ndim != 2 or words.shape[1] < needed:
        raise ValueError(
            f"words must have shape (transfers, {needed} or more) for {elements} codes of {format.bits} "
            f"bits, not {words.shape}"
        )
    wide = np.zeros((words.shape[0], words.shape[1] + 1), dtype=np.uint64)
    wide[:, :-1] = words
    codes = np.empty((words.shape[0], elements), dtype=np.int64)
    mask = np.uint64((1 << format.bits) - 1)
    for element in range(elements):
        word, shift = divmod(element * format.bits, WORD)
        both = wide[:, word] | (wide[:, word + 1] << np.uint64(WORD))
        codes[:, element] = ((both >> np.uint64(shift)) & mask).astype(np.int64)
    if format.signed:
        sign = np.int64(1) << np.int64(format.bits - 1)
        codes = (codes ^ sign) - sign
    return codes
