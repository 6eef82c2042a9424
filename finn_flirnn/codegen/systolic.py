# SPDX-License-Identifier: BSD-3-Clause
"""The multipliers of a matrix-vector unit: how rows and columns lie in them, and their weight memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finn_flirnn.codegen.multiplier import Multiplier, Packing, choose_packing
from finn_flirnn.codegen.rom import Bank, BankedRom, is_block, pack_bits
from finn_flirnn.numerics import Codes, Format


@dataclass(frozen=True)
class MacArray:
    """Multipliers of rtl/matrix_vector.sv: ``units`` units with ``gates`` rows each, ``simd`` columns.

    cell: units that leave in a cycle; a slice of units works as many cycles behind the one before it.
    weight_bits, operand_bits: of the codes as the multipliers take them, signed. folds, words: NF, SF.
    """

    units: int
    gates: int
    cell: int
    simd: int
    folds: int
    words: int
    weight_bits: int
    operand_bits: int
    packing: Packing

    @property
    def parts(self) -> int:
        """Transfers in which the results of a fold leave."""
        return self.units // self.cell

    @property
    def slices(self) -> tuple[int, ...]:
        """Units of each slice: the cell's, or twice as many so that an odd number of rows can pair."""
        odd = self.packing.active and self.cell * self.gates % 2 == 1 and self.parts > 1
        step = 2 * self.cell if odd else self.cell
        return tuple(min(step, self.units - start) for start in range(0, self.units, step))

    @property
    def length(self) -> int:
        """Positions of a chain."""
        return -(-self.simd // self.packing.chains)

    @property
    def positions(self) -> tuple[range, ...]:
        """Columns at each position of the chains (rtl/mac_rows.sv)."""
        chains = self.packing.chains
        ends = [self.simd - (self.length - 1 - k) * chains for k in range(self.length)]
        return tuple(range(max(0, end - chains), end) for end in ends)

    @property
    def latency(self) -> int:
        """Cycles from the last operand word of a fold to its first part at the output FIFO."""
        return 3 + self.length + (self.packing.chains - 1).bit_length() + int(self.words > 1)

    @property
    def places(self) -> int:
        """Parts that the output FIFO holds: those of all folds in the pipeline."""
        pipeline = self.latency - int(self.words > 1) + 6
        return self.parts * (-(-pipeline // self.words) + 2)

    @property
    def pairs(self) -> int:
        """Pairs of rows that share multipliers."""
        return sum(units * self.gates // 2 for units in self.slices) if self.packing.active else 0

    @property
    def singles(self) -> int:
        """Rows with multipliers of their own."""
        return self.units * self.gates - 2 * self.pairs

    @property
    def dsps(self) -> int:
        """Hard multipliers."""
        return self.simd * (self.pairs + (self.singles if self.packing.single_dsp else 0))

    def parameters(self, suffix: str = "") -> dict[str, int]:
        """Parameters of rtl/matrix_vector.sv that say how products lie in multipliers."""
        return {
            f"CHAINS{suffix}": self.packing.chains,
            f"PACK_SHIFT{suffix}": self.packing.shift,
            f"PACK_HIGH{suffix}": self.packing.high,
            f"SINGLE_DSP{suffix}": int(self.packing.single_dsp),
            f"W_LATENCY{suffix}": int(is_block(self.folds * self.words)),
        }

    def weights(self, name: str, weight: Codes) -> BankedRom:
        """The weight memory: a bank for each position of each slice, its words by fold and column word.

        weight: (folds * units * gates, words * simd) codes, the gates of a unit side by side.
        """
        banks: list[Bank] = []
        first = 0
        for units in self.slices:
            rows = np.arange(first * self.gates, (first + units) * self.gates)
            banks += [self._bank(weight, rows, columns) for columns in self.positions]
            first += units
        return BankedRom(name, tuple(banks), registered=is_block(self.folds * self.words))

    def _bank(self, weight: Codes, rows: Codes, columns: range) -> Bank:
        words, width = [], 0
        for fold in range(self.folds):
            for word in range(self.words):
                fields: list[tuple[int, int]] = []
                for column in columns:
                    codes = weight[fold * self.units * self.gates + rows, word * self.simd + column]
                    fields += self._column(codes.tolist())
                words.append(pack_bits(fields))
                width = sum(bits for _, bits in fields)
        return Bank(width, tuple(words))

    def _column(self, codes: Sequence[int]) -> list[tuple[int, int]]:
        """A column's weights as rtl/mac_rows.sv takes them."""
        paired = len(codes) // 2 * 2 if self.packing.active else 0
        fields: list[tuple[int, int]] = []
        for low, high in zip(codes[:paired:2], codes[1:paired:2], strict=True):
            fields += [(low, self.weight_bits), (high - int(low < 0), self.packing.high)]
        return fields + [(code, self.weight_bits) for code in codes[paired:]]


def mac_array(
    multiplier: Multiplier,
    weight: Format,
    operand: Format,
    shape: tuple[int, int, int, int],
    folds: int,
    words: int,
) -> MacArray:
    """The multipliers for weights and operands of these formats. shape: units, gates, cell, simd."""
    units, gates, cell, simd = shape
    packing = choose_packing(multiplier, weight, operand, simd)
    operand_bits = operand.bits + int(not operand.signed)
    return MacArray(units, gates, cell, simd, folds, words, weight.bits, operand_bits, packing)
