# SPDX-License-Identifier: BSD-3-Clause
"""Read-only memories as SystemVerilog modules, and the packing of codes into their words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from finn_flirnn.codegen.template import render

BLOCK_DEPTH = 128
"""Memories deeper than this go to block RAM; shallow ones waste it (one block a 72-bit slice)."""

_STYLE_BLOCK = 'rom_style = "block"'
_STYLE_LOGIC = "logic_block"
"""Yosys' attribute; it refuses "distributed" for a ROM. Vivado puts shallow memories into LUTs by itself."""

_ROM = """// SPDX-License-Identifier: BSD-3-Clause
// Generated. $depth words of $width bits; answers an address one cycle later.
module $name (
    input  logic clk,
    input  logic [$address_high:0] addr,
    output logic [$width_high:0] dat
);
  (* $style *) logic [$width_high:0] mem [$depth];
  initial begin
$rows
  end
  always_ff @(posedge clk) dat <= mem[addr];
endmodule
"""


@dataclass(frozen=True)
class Rom:
    """A memory: ``words`` of ``width`` bits, as non-negative integers."""

    name: str
    width: int
    words: tuple[int, ...]

    @property
    def address_bits(self) -> int:
        """Width of the address: at least 1."""
        return max(1, (len(self.words) - 1).bit_length())

    def source(self) -> str:
        """The SystemVerilog module."""
        padded = 1 << self.address_bits
        rows = "\n".join(
            f"    mem[{i}] = {self.width}'h{word:x};"
            for i, word in enumerate((*self.words, *[0] * (padded - len(self.words))))
        )
        return render(
            _ROM,
            name=self.name,
            depth=padded,
            width=self.width,
            address_high=self.address_bits - 1,
            width_high=self.width - 1,
            style=_STYLE_BLOCK if len(self.words) > BLOCK_DEPTH else _STYLE_LOGIC,
            rows=rows,
        )


def pack_bits(fields: Iterable[tuple[int, int]]) -> int:
    """Fields (code, bits), the first least significant, as one non-negative integer.

    >>> hex(pack_bits([(-1, 4), (5, 8)]))
    '0x5f'
    """
    word, position = 0, 0
    for code, bits in fields:
        word |= (code & ((1 << bits) - 1)) << position
        position += bits
    return word


def rounding_half(shift: int) -> int:
    """What rtl/round_saturate.sv wants added to a value that it divides by 2**shift.

    >>> rounding_half(4), rounding_half(0)
    (8, 0)
    """
    return 1 << (shift - 1) if shift > 0 else 0


def signed_bits(*magnitudes: int) -> int:
    """Bits of a two's-complement word that holds all the given codes; at least 2."""
    return max([2] + [(code if code >= 0 else ~code).bit_length() + 1 for code in magnitudes])
