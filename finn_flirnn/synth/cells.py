# SPDX-License-Identifier: BSD-3-Clause
"""What each cell of a synthesised netlist costs, by family.

Sources: AMD UG953 (7 series) and UG974 (UltraScale) for the LUTs behind distributed RAM and shift
registers; Lattice TN-02204 (ECP5 memory) for ECP5. A cell that is not listed is an error: a report
must not be short of something silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from finn_flirnn.codegen import Resources


class Family(StrEnum):
    """Device families, as Yosys names them."""

    XC7 = "xc7"
    XCUP = "xcup"
    ECP5 = "ecp5"


NOTHING = Resources()
FLIP_FLOP = Resources(ff=1)

LUT_CELLS: dict[str, int] = {
    # Logic. Two functions of five shared inputs fit one LUT; Yosys packs none, so this is an upper bound.
    **{f"LUT{inputs}": 1 for inputs in range(1, 7)},
    "INV": 1,  # an inverter that nothing has absorbed; Vivado absorbs most
    # Shift registers: a LUT of a SLICEM holds 32 bits.
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
    # Distributed RAM: single-port 64 bits a LUT, one LUT more per read port and bit.
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM128X1S": 2,
    "RAM256X1S": 4,
    "RAM512X1S": 8,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1D": 4,
    "RAM256X1D": 8,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM32X16DR8": 8,
    "RAM64X8SW": 8,
}
"""LUTs of AMD's cells."""

_AMD = {
    **{name: Resources(lut=luts) for name, luts in LUT_CELLS.items()},
    # inside a slice beside its LUTs, or constants, or buffers at the border of the device
    **{
        name: NOTHING
        for name in ("CARRY4", "CARRY8", "MUXF7", "MUXF8", "MUXF9", "VCC", "GND", "IBUF", "OBUF", "BUFG")
    },
    **{f"{name}{edge}": FLIP_FLOP for name in ("FDRE", "FDSE", "FDCE", "FDPE") for edge in ("", "_1")},
    **{name: FLIP_FLOP for name in ("LDCE", "LDPE")},  # a latch takes a flip-flop's place
    "DSP48E1": Resources(dsp=1),
    "DSP48E2": Resources(dsp=1),
    "RAMB18E1": Resources(bram36=0.5),
    "RAMB36E1": Resources(bram36=1),
    "RAMB18E2": Resources(bram36=0.5),
    "RAMB36E2": Resources(bram36=1),
    "URAM288": Resources(uram=1),
}

_ECP5 = {
    "LUT4": Resources(lut=1),
    "PFUMX": NOTHING,  # multiplexers between LUTs of a slice
    "L6MUX21": NOTHING,
    "CCU2C": Resources(lut=2),  # a slice's carry chain goes through both of its LUTs
    "TRELLIS_DPR16X4": Resources(lut=6),  # two slices of memory and one that holds the write port
    "TRELLIS_FF": FLIP_FLOP,
    "MULT18X18D": Resources(dsp=1),
    "ALU54B": NOTHING,  # belongs to the multipliers that feed it
    "DP16KD": Resources(bram36=0.5),  # 18 Kb
    "PDPW16KD": Resources(bram36=0.5),
    "EHXPLLL": NOTHING,
}

CELL_COSTS: dict[Family, Mapping[str, Resources]] = {Family.XC7: _AMD, Family.XCUP: _AMD, Family.ECP5: _ECP5}


def cost_of(cells: Mapping[str, int], family: Family) -> Resources:
    """Resources of a netlist, given how many cells of each type it has.

    Raises ValueError if a type is not in the family's table.

    >>> cost_of({"LUT6": 3, "RAM32M": 2, "RAMB18E1": 3, "FDRE": 7}, Family.XC7)
    Resources(lut=11, ff=7, dsp=0, bram36=1.5, uram=0)
    """
    costs = CELL_COSTS[family]
    if unknown := sorted(set(cells) - set(costs)):
        raise ValueError(f"cells {unknown} have no cost in family {family}; add them to synth/cells.py")
    total = NOTHING
    for name, count in cells.items():
        total += costs[name].times(count)
    return total
