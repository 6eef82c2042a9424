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
$array
  always_ff @(posedge clk) dat <= mem[addr];
endmodule
"""


_BANKED = """// SPDX-License-Identifier: BSD-3-Clause
// Generated. Banks of $depth words beside each other, each with an address of its own; $answer.
module $name (
    input  logic clk,
    input  logic [$addresses_high:0] addr,
    output logic [$width_high:0] dat
);
$banks
endmodule
"""

_ARRAY = """  (* $style *) logic [$width_high:0] mem$suffix [$depth];
  initial begin
$rows
  end
"""


def is_block(depth: int) -> bool:
    """Whether a memory of so many words lies in block RAM, else in LUTs."""
    return depth > BLOCK_DEPTH


def _array(width: int, words: tuple[int, ...], suffix: str = "") -> str:
    """Declaration and contents of an array, filled up with zeros to a power of two."""
    padded = 1 << address_bits(len(words))
    return render(
        _ARRAY,
        style=_STYLE_BLOCK if is_block(len(words)) else _STYLE_LOGIC,
        width_high=width - 1,
        suffix=suffix,
        depth=padded,
        rows="\n".join(
            f"    mem{suffix}[{i}] = {width}'h{word:x};"
            for i, word in enumerate((*words, *[0] * (padded - len(words))))
        ),
    )


def address_bits(depth: int) -> int:
    """Width of the address of a memory: at least 1."""
    return max(1, (depth - 1).bit_length())


@dataclass(frozen=True)
class Rom:
    """A memory: ``words`` of ``width`` bits, as non-negative integers."""

    name: str
    width: int
    words: tuple[int, ...]

    @property
    def address_width(self) -> int:
        """Width of the port ``addr``."""
        return address_bits(len(self.words))

    def source(self) -> str:
        """The SystemVerilog module."""
        return render(
            _ROM,
            name=self.name,
            depth=1 << self.address_width,
            width=self.width,
            address_high=self.address_width - 1,
            width_high=self.width - 1,
            array=_array(self.width, self.words).rstrip("\n"),
        )


@dataclass(frozen=True)
class Bank:
    """Words of a bank of ``BankedRom``."""

    width: int
    words: tuple[int, ...]


@dataclass(frozen=True)
class BankedRom:
    """Memories of equal depth side by side, bank 0 in the lowest bits, each read at its own address.

    registered: answers one cycle later, else at once, for a reader that registers the answer itself.
    """

    name: str
    banks: tuple[Bank, ...]
    registered: bool

    @property
    def address_width(self) -> int:
        """Width of the port ``addr``: all banks' addresses."""
        return len(self.banks) * self._bank_address

    @property
    def width(self) -> int:
        """Width of the port ``dat``."""
        return sum(bank.width for bank in self.banks)

    @property
    def _bank_address(self) -> int:
        return address_bits(len(self.banks[0].words))

    def source(self) -> str:
        """The SystemVerilog module."""
        text, low = [], 0
        for i, bank in enumerate(self.banks):
            data = f"dat[{low + bank.width - 1}:{low}]"
            word = f"mem_{i}[addr[{(i + 1) * self._bank_address - 1}:{i * self._bank_address}]]"
            text.append(_array(bank.width, bank.words, f"_{i}").rstrip("\n"))
            text.append(
                f"  always_ff @(posedge clk) {data} <= {word};" if self.registered
                else f"  assign {data} = {word};"
            )  # fmt: skip
            low += bank.width
        if not self.registered:
            text.append("  logic unused;\n  assign unused = &{1'b0, clk};")
        return render(
            _BANKED,
            name=self.name,
            depth=1 << self._bank_address,
            answer="answers one cycle later" if self.registered else "answers at once",
            addresses_high=self.address_width - 1,
            width_high=self.width - 1,
            banks="\n".join(text),
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
