# SPDX-License-Identifier: BSD-3-Clause
"""How products are laid into a family's multipliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from finn_flirnn.codegen.rom import pack_bits
from finn_flirnn.numerics import Codes, Format


class Multiplier(Enum):
    """Signed operand widths of a family's hard multiplier."""

    DSP48E2 = (27, 18)
    DSP48E1 = (25, 18)
    MULT18 = (18, 18)

    @property
    def variant(self) -> str:
        """The library's ``dsp_mac`` for this multiplier, see rtl/sources.py."""
        return {"DSP48E2": "dsp48e2", "DSP48E1": "dsp48e1", "MULT18": "plain"}[self.name]


@dataclass(frozen=True)
class Packing:
    """Two products a multiplier (see rtl/dot_pair.sv): ``shift`` 0 means one product each."""

    shift: int
    group: int

    @property
    def active(self) -> bool:
        """Whether two products share a multiplier."""
        return self.shift > 0


NO_PACKING = Packing(shift=0, group=1)


def choose_packing(multiplier: Multiplier, weight: Format, operand: Format, simd: int) -> Packing:
    """The packing of two weights by one operand, or none if two products do not fit.

    The multiplier's wide side takes w1 * 2**shift + w0, so shift = wide - weight.bits - 1. Sums of
    ``group`` products must stay below 2**(shift-1) in magnitude; group is the greatest power of two,
    at most ``simd``, for which they do.
    """
    wide, narrow = multiplier.value
    shift = wide - weight.bits - 1
    operand_bits = operand.bits + int(not operand.signed)
    greatest = max(abs(weight.min_code), weight.max_code) * max(abs(operand.min_code), operand.max_code)
    fitting = ((1 << (shift - 1)) - 1) // greatest if shift > weight.bits else 0
    if fitting < 1 or operand_bits > narrow:
        return NO_PACKING
    if fitting >= simd:
        return Packing(shift, simd)
    return Packing(shift, 1 << (fitting.bit_length() - 1))


def dot_latency(simd: int, packing: Packing, rows: int) -> int:
    """Latency of the dot products of ``rows`` rows, localparam LATENCY of rtl/matrix_vector.sv."""
    if packing.active and rows > 1:
        groups = -(-simd // packing.group)
        return 2 + (packing.group - 1).bit_length() + (groups - 1).bit_length()
    return 1 + (simd - 1).bit_length()


def weight_words(
    weight: Codes, rows_of_fold: Sequence[Sequence[int]], simd: int, bits: int, packing: Packing
) -> tuple[list[int], int]:
    """Words of a matrix-vector unit's weight memory, and their width.

    weight: (rows, columns) codes. rows_of_fold: for each fold, the rows that it computes in parallel.
    Order of the words: fold, then column word (rtl/matrix_vector.sv).
    """
    words = []
    width = 0
    for rows in rows_of_fold:
        for start in range(0, weight.shape[1], simd):
            fields: list[tuple[int, int]] = []
            for column in range(start, start + simd):
                fields += _column(weight[np.asarray(rows), column], bits, packing)
            words.append(pack_bits(fields))
            width = sum(b for _, b in fields)
    return words, width


def _column(column: Codes, bits: int, packing: Packing) -> list[tuple[int, int]]:
    codes = [int(code) for code in column]
    pairs = len(codes) // 2 if packing.active else 0
    fields: list[tuple[int, int]] = []
    for p in range(pairs):
        low, high = codes[2 * p], codes[2 * p + 1]
        fields += [(low, bits), (high - int(low < 0), bits + 1)]
    return fields + [(code, bits) for code in codes[2 * pairs :]]
