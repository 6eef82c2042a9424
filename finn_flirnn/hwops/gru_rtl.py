# SPDX-License-Identifier: BSD-3-Clause
"""The FINN op GRU_rtl: a GRU layer as generated SystemVerilog."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule, WeightSet, emit_gru, gru_weight_set
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.hwops.gru import GRU
from finn_flirnn.numerics import GruLayer


class GRU_rtl(GeneratedRtl, GRU):  # FINN derives the RTL op's name by this suffix
    """GRU in hardware."""

    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the GRU engine."""
        return emit_gru(self.layer, self.steps, self.folding, directory, name, self.multiplier)

    def weight_set(self, layer: GruLayer) -> WeightSet:
        """What an image holds for this engine with the weights of ``layer``."""
        return gru_weight_set(layer, self.steps, self.folding, self.multiplier)
