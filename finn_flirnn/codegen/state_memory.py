# SPDX-License-Identifier: BSD-3-Clause
"""The memory in which a ring keeps its states (rtl/state_fifo.sv): LUTs, block RAM or UltraRAM by size."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.types import RamStyle, divisors

SHALLOW_WORDS, SHALLOW_BITS = 64, 6000
"""A FIFO no deeper or no larger than this fits LUTs (codegen/estimate.py)."""
BANK = 4096
"""Rows of a bank: the depth of an UltraRAM, and the greatest depth of a block RAM 9 bits wide."""
ULTRA_WIDTH, ULTRA_BITS = 72, 4096 * 72
BLOCK_SHAPES = ((72, 512), (36, 1024), (18, 2048), (9, 4096))
"""Width and depth of a RAMB36 with one port to write and one to read."""


@dataclass(frozen=True)
class StateMemory:
    """Parameters MEMORY and ROW of rtl/state_fifo.sv, the width and number of its rows, and what it takes."""

    memory: int
    row: int
    width: int
    rows: int
    blocks: Resources

    @property
    def banks(self) -> int:
        """Banks of BANK rows."""
        return ceil(self.rows / BANK)

    @property
    def latency(self) -> int:
        """Cycles that a word takes through an empty banked FIFO and its converters; 0 if not banked."""
        if not self.memory:
            return 0
        levels = ((self.banks - 1).bit_length() + 1) // 2
        return 2 + 3 + levels + 2 + 2 * int(self.row > 1)


def state_memory(width: int, words: int, vector: int, style: RamStyle, has_ultra: bool) -> StateMemory:
    """The memory for ``words`` words of ``width`` bits, ``vector`` of them a state.

    Several words of a state share a row, up to the width of one memory, if that saves memories.
    """
    shallow = words <= SHALLOW_WORDS or width * words <= SHALLOW_BITS
    if shallow and style is not RamStyle.ULTRA:
        return StateMemory(0, 1, width, words, Resources())
    ultra = style is RamStyle.ULTRA or (style is RamStyle.AUTO and has_ultra and width * words >= ULTRA_BITS)
    count = _ultra_rams if ultra else _block_rams
    fitting = [k for k in divisors(vector) if k == 1 or k * width <= ULTRA_WIDTH]
    row = min(fitting, key=lambda k: (count(k * width, words // k), k))
    wide, rows = row * width, words // row
    number = count(wide, rows)
    blocks = Resources(uram=int(number)) if ultra else Resources(bram36=number)
    return StateMemory(2 if ultra else 1, row, wide, rows, blocks)


def state_memory_resources(memory: StateMemory) -> Resources:
    """A banked FIFO: its banks, registers before them, multiplexers behind them, a small FIFO at its end.

    Yosys does not move a bank's second register into the memory, so it counts here.
    """
    if not memory.memory:
        raise ValueError("memory=0 is a stream_fifo; ask fifo_resources")
    width, banks = memory.width, memory.banks
    nodes, left = 0, banks
    while left > 1:
        left = ceil(left / 4)
        nodes += left
    counters = memory.rows.bit_length()
    address = min(memory.rows, BANK).bit_length()
    select = (banks - 1).bit_length()
    small = Resources(lut=8 * ceil(width / 14) + 24, ff=width + 22)
    converters = Resources(lut=width if memory.row > 1 else 0, ff=2 * width if memory.row > 1 else 0)
    control = Resources(
        lut=8 * counters + 2 * address + 2 * banks + 20,
        ff=(1 + banks) * width + 2 * counters + 4 * address + 2 * banks + 6 * select + 20,
    )
    return memory.blocks + Resources(lut=nodes * width, ff=nodes * width) + small + converters + control


def _ultra_rams(width: int, rows: int) -> float:
    return ceil(width / ULTRA_WIDTH) * ceil(rows / BANK)


def _block_rams(width: int, rows: int) -> float:
    """Of whole banks and of what is left, each in the cheapest shape; half a block (RAMB18) counts 0.5."""
    whole, rest = divmod(rows, BANK)
    return whole * _bank_rams(width, BANK) + (_bank_rams(width, rest) if rest else 0)


def _bank_rams(width: int, rows: int) -> float:
    shapes = [(w, d, 1.0) for w, d in BLOCK_SHAPES] + [(w // 2, d, 0.5) for w, d in BLOCK_SHAPES]
    return min(ceil(width / w) * ceil(rows / d) * cost for w, d, cost in shapes)
