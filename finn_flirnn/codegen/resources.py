# SPDX-License-Identifier: BSD-3-Clause
"""Resources of a device: what estimates predict and synthesis counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resources:
    """What hardware takes of a device. bram36: blocks of 36 Kb, half a block (RAMB18) counts 0.5."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: float = 0.0
    uram: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.lut + other.lut,
            self.ff + other.ff,
            self.dsp + other.dsp,
            self.bram36 + other.bram36,
            self.uram + other.uram,
        )

    def times(self, count: int) -> Resources:
        """``count`` of the same."""
        return Resources(
            self.lut * count, self.ff * count, self.dsp * count, self.bram36 * count, self.uram * count
        )
