# SPDX-License-Identifier: BSD-3-Clause
"""How products are laid into a family's multipliers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from finn_flirnn.numerics import Format


class Multiplier(Enum):
    """Signed operand widths of a family's hard multiplier."""

    DSP48E2 = (27, 18)
    DSP48E1 = (25, 18)
    MULT18 = (18, 18)

    @property
    def variant(self) -> str:
        """The library's ``dsp_mac`` for this multiplier, see rtl/sources.py."""
        return {"DSP48E2": "dsp48e2", "DSP48E1": "dsp48e1", "MULT18": "plain"}[self.name]


LONGEST_CHAIN = 16
"""Products in a chain. A product more costs a cycle of latency, a chain more an adder for each row: longer
is smaller, up to the 16 cycles that a shift register of one LUT can delay an operand."""

LUT_PRODUCT = 72
"""Greatest product of the operands' bits for which a single row's multiplier is made of LUTs: about 120
LUTs, less than the devices have for each DSP, of which a single small product would use less than half."""


@dataclass(frozen=True)
class Packing:
    """How products lie in multipliers (rtl/mac_rows.sv).

    shift: distance of two products in one multiplier; 0: one product each. high: bits of the upper
    weight. chains: number of chains in which the columns' products are added. single_dsp: whether a row
    without partner takes hard multipliers.
    """

    shift: int
    high: int
    chains: int
    single_dsp: bool = True

    @property
    def active(self) -> bool:
        """Whether two products share a multiplier."""
        return self.shift > 0


def choose_packing(multiplier: Multiplier, weight: Format, operand: Format, simd: int) -> Packing:
    """The packing of two weights by one operand, or none if two products do not fit.

    The multiplier's wide side takes w1 * 2**shift + w0 as w1 - (w0 < 0) above w0; of narrow weights this
    upper part needs no bit more. Sums of a chain of w0's products must lie in
    -2**(shift-1) to 2**(shift-1) - 1; the chains are as few, and of as equal length, as that allows.
    """
    wide, narrow = multiplier.value
    high = weight.bits + int(not weight.narrow)
    shift = wide - high
    operand_bits = operand.bits + int(not operand.signed)
    greatest = max(abs(weight.min_code), weight.max_code) * max(abs(operand.min_code), operand.max_code)
    fitting = ((1 << (shift - 1)) - 1) // greatest if shift > weight.bits else 0
    if fitting < 1 or operand_bits > narrow:
        return Packing(0, high, -(-simd // LONGEST_CHAIN))
    chains = -(-simd // min(fitting, LONGEST_CHAIN))
    return Packing(shift, high, chains, single_dsp=weight.bits * operand_bits > LUT_PRODUCT)
