# SPDX-License-Identifier: BSD-3-Clause
"""The boards that a build can target, with their resources.

Sources: AMD product tables DS190 (Zynq-7000), DS891 (Zynq UltraScale+ MPSoC), DS987 (Kria K26) and
DS962 (Alveo U200/U250); Lattice FPGA-DS-02012 (ECP5). A BRAM here is one 36 Kb block, or two of 18 Kb.
"""

from __future__ import annotations

from dataclasses import dataclass

from finn_flirnn.codegen import Multiplier

MULTIPLIERS = {"xcup": Multiplier.DSP48E2, "xc7": Multiplier.DSP48E1, "ecp5": Multiplier.MULT18}
"""The hard multiplier of each family of boards."""
RESOURCES = ("lut", "ff", "dsp", "bram36", "uram")
"""Resource names in the order of every table, and as keys of every report."""


@dataclass(frozen=True)
class Board:
    """A board, its device and what the device holds.

    finn_name: the name FINN knows it by; FINN knows no Lattice device, so an open board goes by that of a
    board whose shell is never built. family: the Yosys family that the device belongs to.
    """

    name: str
    finn_name: str
    part: str
    family: str
    lut: int
    ff: int
    dsp: int
    bram36: int
    uram: int

    @property
    def is_open(self) -> bool:
        """Whether open tools make the bitstream."""
        return self.family == "ecp5"

    def share(self, used: dict[str, float]) -> dict[str, float | None]:
        """Used resources as fractions of the device; None where the device has none of a kind.

        >>> board("ZCU104").share({"lut": 23040, "ff": 0, "dsp": 432, "bram36": 0, "uram": 0})
        {'lut': 0.1, 'ff': 0.0, 'dsp': 0.25, 'bram36': 0.0, 'uram': 0.0}
        """
        there = {key: int(getattr(self, key)) for key in RESOURCES}
        return {key: used[key] / there[key] if there[key] else None for key in RESOURCES}


BOARDS = {
    b.name: b
    for b in (
        Board("ZCU104", "ZCU104", "xczu7ev-ffvc1156-2-e", "xcup", 230_400, 460_800, 1_728, 312, 96),
        Board("KV260", "KV260_SOM", "xck26-sfvc784-2LV-c", "xcup", 117_120, 234_240, 1_248, 144, 64),
        Board("Ultra96-V2", "Ultra96-V2", "xczu3eg-sbva484-1-i", "xcup", 70_560, 141_120, 360, 216, 0),
        Board("Pynq-Z2", "Pynq-Z2", "xc7z020clg400-1", "xc7", 53_200, 106_400, 220, 140, 0),
        Board("U250", "U250", "xcu250-figd2104-2L-e", "xcup", 1_728_000, 3_456_000, 12_288, 2_688, 1_280),
        Board("ULX3S", "Pynq-Z2", "LFE5U-85F-6BG381C", "ecp5", 83_640, 83_640, 156, 104, 0),
    )
}


def board(name: str) -> Board:
    """The board of this name. Raises ValueError if there is none."""
    if name not in BOARDS:
        raise ValueError(f"board={name!r} is not known; choose from {', '.join(BOARDS)}")
    return BOARDS[name]
