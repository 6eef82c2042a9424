# SPDX-License-Identifier: BSD-3-Clause
"""Memories of run-time weights: the modules of codegen/rom.py with two sets, one read, one written.

Ports, start contents and latency of reading are those of the read-only module, so an engine does not see
the difference. The set in use is the top bit of the address.
"""

from __future__ import annotations

from finn_flirnn.codegen.rom import Bank, BankedRom, Rom, address_bits, is_block
from finn_flirnn.codegen.template import render

WORD = 32
"""Bits of a word of a weight image."""

_RAM = """// SPDX-License-Identifier: BSD-3-Clause
// Generated. $count banks of two sets of $depth words: `set` is read, the other one written; $answer.
module $name (
    input  logic clk,
    input  logic [$addresses_high:0] addr,
    output logic [$width_high:0] dat,
    input  logic set,
    input  logic [$last_bank:0] wen,
    input  logic [$address_high:0] waddr,
    input  logic [$widest_high:0] wdat
);
$banks
endmodule
"""

_BANK = """  (* ram_style = "$style" *) logic [$high:0] mem_$i [$depth];
  initial begin
$rows
  end
  always_ff @(posedge clk) if (wen[$i]) mem_$i[{!set, waddr}] <= wdat[$high:0];
  $read dat[$to:$low] $assign mem_$i[{set, addr[$address_to:$address_low]}];"""


def ram_banks(rom: Rom | BankedRom) -> tuple[Bank, ...]:
    """The banks of a memory; that of a plain one is the whole."""
    return rom.banks if isinstance(rom, BankedRom) else (Bank(rom.width, rom.words),)


def ram_source(rom: Rom | BankedRom) -> str:
    """The writable module of the same name as the read-only one."""
    banks = ram_banks(rom)
    depth = len(banks[0].words)
    bits = address_bits(depth)
    registered = rom.registered if isinstance(rom, BankedRom) else True
    text, low = [], 0
    for i, bank in enumerate(banks):
        rows = [f"    mem_{i}[{k}] = {bank.width}'h{word:x};" for k, word in enumerate(bank.words)]
        text.append(
            render(
                _BANK,
                style="block" if is_block(depth) else "distributed",
                high=bank.width - 1,
                i=i,
                depth=2 << bits,
                rows="\n".join(rows),
                read="always_ff @(posedge clk)" if registered else "assign",
                to=low + bank.width - 1,
                low=low,
                assign="<=" if registered else "=",
                address_to=(i + 1) * bits - 1,
                address_low=i * bits,
            )
        )
        low += bank.width
    return render(
        _RAM,
        count=len(banks),
        depth=depth,
        answer="answers one cycle later" if registered else "answers at once",
        name=rom.name,
        addresses_high=rom.address_width - 1,
        width_high=rom.width - 1,
        last_bank=len(banks) - 1,
        address_high=bits - 1,
        widest_high=widest(rom) - 1,
        banks="\n".join(text),
    )


def widest(rom: Rom | BankedRom) -> int:
    """Bits of the widest bank."""
    return max(bank.width for bank in ram_banks(rom))


def image_words(rom: Rom | BankedRom) -> list[int]:
    """A memory's contents as rtl/weight_port.sv takes them: bank by bank, address by address, the lowest
    bits of a word first; every bank's words as long as the widest bank's."""
    chunks = -(-widest(rom) // WORD)
    return [
        word >> (WORD * chunk) & ((1 << WORD) - 1)
        for bank in ram_banks(rom)
        for word in bank.words
        for chunk in range(chunks)
    ]
