# SPDX-License-Identifier: BSD-3-Clause
"""Resources of the engines before synthesis, counted from their structure.

The counts follow rtl/*.sv register by register and adder by adder, in the cells of UltraScale+ as
Yosys maps them. ``tests/rtl`` and every build report compare them
with synthesis.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from finn_flirnn.codegen.cycles import CELL_LATENCY
from finn_flirnn.codegen.dense import dense_array, dense_memories, dense_parameters
from finn_flirnn.codegen.gru import gru_arrays, gru_memories, gru_parameters, gru_state_memory
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.ram import WORD, ram_banks, widest
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.rom import BankedRom, Rom, address_bits, is_block
from finn_flirnn.codegen.state_memory import state_memory_resources
from finn_flirnn.codegen.systolic import MacArray
from finn_flirnn.codegen.types import DenseFolding, GruFolding
from finn_flirnn.codegen.wrapper import MemoryPort
from finn_flirnn.numerics import DenseLayer, GruLayer, Reset

NOTHING = Resources()
LUTRAM_BITS = 6000
"""FIFOs deeper than 64 words and of more bits than this become block RAM (Yosys' choice, as measured)."""
LUT_ROM_DEPTH = 20
"""Words of a shallow memory with a register behind it that one LUT a column holds, as Yosys maps them
(measured at 16, 32, 64)."""
LUT_DEPTH = 64
"""The same of a memory without register."""
BLOCK_BITS, BLOCK_WIDTH = 18 * 1024, 36
"""Half a block: RAMB18."""


def clog2(value: int) -> int:
    """Least n with 2**n >= value, as $clog2."""
    return max(0, (value - 1).bit_length())


def fifo_resources(width: int, depth: int) -> Resources:
    """rtl/stream_fifo.sv: memory, output register, pointers and their successors."""
    control = Resources(lut=2 * clog2(depth) + 10, ff=4 * clog2(depth) + 3)
    return control + memory_resources(width, depth)


def memory_resources(width: int, depth: int) -> Resources:
    """A memory with one port to write and one to read, and a register behind it."""
    if depth <= 32:  # RAM32M16: 14 bits in 8 LUTs
        return Resources(lut=8 * ceil(width / 14), ff=width)
    if depth <= 64 or width * depth <= LUTRAM_BITS:  # RAM64M8: 7 bits in 8 LUTs
        return Resources(lut=8 * ceil(depth / 64) * ceil(width / 7), ff=width)
    return Resources(bram36=_blocks(width, depth))


def rom_resources(rom: Rom | BankedRom) -> Resources:
    """codegen/rom.py: in LUTs constant columns cost nothing and equal ones are made once."""
    if isinstance(rom, Rom):
        return _memory_resources(rom.width, rom.words, registered=True)
    total = NOTHING
    for bank in rom.banks:
        total += _memory_resources(bank.width, bank.words, rom.registered)
    return total


def port_resources(memory: MemoryPort) -> Resources:
    """All memories behind an engine's port; writable ones with what writes them (rtl/weight_port.sv)."""
    if not memory.writable:
        return rom_resources(memory.rom).times(memory.copies)
    banks = ram_banks(memory.rom)
    depth, registered = len(banks[0].words), not isinstance(memory.rom, BankedRom) or memory.rom.registered
    rows = 2 << address_bits(depth)
    total = NOTHING
    for bank in banks:
        if is_block(depth):
            total += Resources(bram36=_blocks(bank.width, rows))
        else:
            total += Resources(lut=memory_resources(bank.width, min(rows, 64)).lut * ceil(rows / 64))
            total += Resources(ff=bank.width if registered else 0)
    chunks = -(-widest(memory.rom) // WORD)
    control = Resources(lut=20 + clog2(depth), ff=min(chunks * WORD, widest(memory.rom) + WORD))
    return total.times(memory.copies) + control + Resources(ff=len(banks) * 2 + 2 * clog2(depth) + 3)


def _memory_resources(width: int, words: tuple[int, ...], registered: bool) -> Resources:
    depth = len(words)
    if is_block(depth):
        return Resources(bram36=_blocks(width, depth))
    bits = np.array([[(word >> i) & 1 for i in range(width)] for word in words])
    columns = np.unique(bits, axis=1)
    different = int((columns.min(axis=0) != columns.max(axis=0)).sum())
    if registered:
        return Resources(lut=round(different * max(1.0, depth / LUT_ROM_DEPTH)), ff=different)
    return Resources(lut=different * ceil(depth / LUT_DEPTH))


def _blocks(width: int, depth: int) -> float:
    columns = ceil(width / BLOCK_WIDTH)
    return 0.5 * columns * ceil(ceil(width / columns) * depth / BLOCK_BITS)


def delay_resources(width: int, cycles: int) -> Resources:
    """rtl/delay.sv: registers, or shift-register LUTs."""
    return Resources(lut=width) if cycles > 2 else Resources(ff=width * cycles)


def requant_resources(in_bits: int, shift: int, out_bits: int) -> Resources:
    """rtl/round_saturate.sv: is it a tie, does it saturate, one register."""
    checked = max(shift, 0) + max(in_bits - shift - out_bits, 0)
    return Resources(lut=out_bits + ceil(checked / 5) + 2, ff=out_bits)


def multiply_resources(a_bits: int, b_bits: int, dsp: int) -> Resources:
    """rtl/multiply.sv: one DSP, or digits of two bits and two levels of sums."""
    if dsp:
        return Resources(dsp=1)
    digits, product = (b_bits + 1) // 2, a_bits + b_bits + 1
    groups = ceil(digits / 2)
    width = a_bits + 2
    return Resources(
        lut=2 * digits * width + (digits - groups) * (width + 2) + (groups - 1) * product,
        ff=digits * width + groups * (width + 2) + product,
    )


def mvu_resources(array: MacArray, acc_bits: int) -> Resources:
    """rtl/matrix_vector.sv without its weight memory."""
    rows, packing = array.units * array.gates, array.packing
    sum_bits = array.weight_bits + array.operand_bits + clog2(array.simd)
    part = array.cell * array.gates * acc_bits
    step = array.slices[0] // array.cell
    skew = (len(array.slices) - 1) * step
    total = Resources(dsp=array.dsps)
    if not packing.single_dsp:
        total += _lut_product(array, sum_bits).times(array.singles * array.simd)
    trees = rows * (packing.chains - 1) * sum_bits
    total += Resources(lut=trees, ff=trees)
    for position, columns in enumerate(array.positions):
        total += delay_resources(len(columns) * array.operand_bits, 1 + position)
    word = array.simd * array.operand_bits
    total += delay_resources(word, step).times(len(array.slices) - 1)
    total += Resources(ff=clog2(array.folds * array.words) * (array.length + skew))
    if array.words > 1:
        total += Resources(lut=rows * acc_bits, ff=rows * acc_bits)
    if array.parts > 1:
        waiting = array.parts - len(array.slices)
        total += Resources(lut=part * ceil((array.parts - 1) / 3), ff=waiting * part)
    if array.folds > 1:
        total += Resources(lut=word) + delay_resources(word, array.words)
    total += Resources(lut=40, ff=2 * (array.latency + skew) + 30)
    return total + fifo_resources(part, array.places)


def _lut_product(array: MacArray, sum_bits: int) -> Resources:
    """rtl/lut_mac.sv."""
    a, b = array.weight_bits, array.operand_bits
    registers = (b + 1) // 2 * (a + 2) + 2 * a + b + 4 + sum_bits
    return Resources(lut=6 * a * b // 5 + 2 * sum_bits, ff=registers)


def estimate_gru(
    layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier = Multiplier.DSP48E2
) -> Resources:
    """Resources of a GRU engine with its memories."""
    folding.check(layer.hidden, layer.inputs)
    p = gru_parameters(layer, steps, folding, multiplier)
    after = layer.reset is Reset.AFTER
    sf, groups = layer.hidden // folding.simd, layer.hidden // p["CELL"]
    total = NOTHING
    for name, array in gru_arrays(layer, folding, multiplier).items():
        if name != "wx" or layer.inputs:
            total += mvu_resources(array, p["XACC"] if name == "wx" else p["HACC"])
    unit = _unit_after(p) if after else _unit_before(p)
    for memory in gru_memories(layer, folding, "", multiplier):
        total += port_resources(memory)
    total += Resources(ff=36) if folding.runtime_weights else NOTHING
    total += unit.times(p["CELL"])
    word, part = folding.simd * p["HBITS"], p["CELL"] * p["HBITS"]
    narrowed = Resources(lut=max(word - 2 * part, 0), ff=word - part)
    total += fifo_resources(word, 4 * sf + 16) + narrowed  # hold
    total += estimate_gru_states(layer, folding, multiplier) + fifo_resources(part, 4)  # sink
    if folding.park:
        count = clog2(folding.lanes * sf)
        total += Resources(lut=2 * count + part + 20, ff=word + count + 10)
    total += Resources(ff=2 * word)
    total += Resources(lut=word + 60, ff=60)  # source, counters
    if layer.initial_state:
        total += fifo_resources(word, 2 * sf) + Resources(ff=word)
    if after:
        return total + _pipeline_out(part, CELL_LATENCY["after"], CELL_LATENCY["after"] + 4)
    carry = p["CELL"] * (p["SUM"] + p["GBITS"] + p["HBITS"])
    return (
        total
        + _pipeline_out(part, CELL_LATENCY["reset"], CELL_LATENCY["reset"] + 4)
        + _pipeline_out(part, CELL_LATENCY["candidate"], CELL_LATENCY["candidate"] + 4)
        + _pipeline_out(carry, CELL_LATENCY["reset"], 5 * groups + 32)
        + fifo_resources(word, 2 * sf)
        + Resources(ff=word)
    )


def estimate_gru_states(
    layer: GruLayer, folding: GruFolding, multiplier: Multiplier = Multiplier.DSP48E2
) -> Resources:
    """Resources of the ring's FIFO, the one part of an engine that depends on its lanes."""
    memory = gru_state_memory(layer, folding, multiplier)
    return state_memory_resources(memory) if memory.memory else fifo_resources(memory.width, memory.rows)


def estimate_dense(
    layer: DenseLayer, folding: DenseFolding, multiplier: Multiplier = Multiplier.DSP48E2
) -> Resources:
    """Resources of a dense head with its memories."""
    folding.check(layer.outputs, layer.inputs)
    p = dense_parameters(layer, folding, multiplier)
    nf, sf = layer.outputs // folding.pe, layer.inputs // folding.simd
    operand_bits = p["XBITS"] + 1 - p["XSIGNED"]
    total = mvu_resources(dense_array(layer, folding, multiplier), p["ACC"])
    output = Resources(lut=p["SUM"], ff=p["SUM"]) + requant_resources(p["SUM"], p["SHIFT"], p["YBITS"])
    total += output.times(folding.pe)
    for memory in dense_memories(layer, folding, "", multiplier):
        total += port_resources(memory)
    total += Resources(ff=36) if folding.runtime_weights else NOTHING
    if nf > 1:
        total += fifo_resources(folding.simd * operand_bits, 2 * sf)
    return total + _pipeline_out(folding.pe * p["YBITS"], 3, 7)


def _pipeline_out(width: int, latency: int, places: int) -> Resources:
    return fifo_resources(width, places) + Resources(lut=12, ff=latency + 8)


def _join(p: dict[str, int], recurrent: bool, inputs: bool) -> Resources:
    """rtl/gru_join.sv."""
    x = p["XACC"] if inputs and p["INPUTS"] else 0
    adders = int(recurrent) + int(x > 0)
    return Resources(lut=adders * p["SUM"], ff=(p["HACC"] if recurrent else 0) + 2 * x + 2 * p["SUM"])


def _blend(p: dict[str, int]) -> Resources:
    """rtl/gru_blend.sv: one product."""
    difference = max(p["CBITS"] + p["NSHIFT"], p["HBITS"] + p["HSHIFT"]) + 1
    product = difference + p["GBITS"] + 1
    exact = product + 1
    return (
        Resources(lut=difference + exact, ff=difference + p["GBITS"] + exact)
        + multiply_resources(difference, p["GBITS"], p["CELL_DSP"])
        + delay_resources(difference, 4)
        + requant_resources(exact, p["STATE_SHIFT"], p["HBITS"])
    )


def _unit_after(p: dict[str, int]) -> Resources:
    """rtl/gru_unit_after.sv: two products with the blend's."""
    rv = p["GBITS"] + 1 + p["PBITS"]
    a = max(p["SUM"] + p["U_ALIGN"], rv + p["RV_ALIGN"]) + 1
    return (
        _join(p, True, True).times(2)
        + _join(p, False, True)
        + _join(p, True, False)
        + requant_resources(p["SUM"], p["P_SHIFT"], p["PBITS"]).times(3)
        + delay_resources(p["PBITS"], 1)
        + delay_resources(p["SUM"], 5)
        + multiply_resources(p["PBITS"], p["GBITS"], p["CELL_DSP"])
        + Resources(lut=a, ff=a)
        + requant_resources(a, p["A_SHIFT"], p["PBITS"])
        + delay_resources(p["GBITS"], 6)
        + delay_resources(p["HBITS"], 11)
        + _blend(p)
    )


def _unit_before(p: dict[str, int]) -> Resources:
    """rtl/gru_unit_reset.sv and rtl/gru_unit_candidate.sv: two products with the blend's."""
    rh = p["GBITS"] + 1 + p["HBITS"]
    return (
        _join(p, True, True).times(2)
        + _join(p, False, True)
        + requant_resources(p["SUM"], p["P_SHIFT"], p["PBITS"]).times(3)
        + multiply_resources(p["HBITS"], p["GBITS"], p["CELL_DSP"])
        + requant_resources(rh, p["GFRAC"], p["HBITS"])
        + delay_resources(p["HBITS"], 5)
        + delay_resources(p["GBITS"], 4)
        + delay_resources(p["HBITS"], 4)
        + delay_resources(p["SUM"], 6)
        + Resources(lut=p["SUM"], ff=p["HACC"] + 2 * p["SUM"])
        + delay_resources(p["GBITS"], 4)
        + delay_resources(p["HBITS"], 4)
        + _blend(p)
    )
