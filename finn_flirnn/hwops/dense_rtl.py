# SPDX-License-Identifier: BSD-3-Clause
"""The FINN op DenseHead_rtl: a dense head as generated SystemVerilog."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule, WeightSet, dense_weight_set, emit_dense
from finn_flirnn.hwops.dense import DenseHead
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.numerics import DenseLayer


class DenseHead_rtl(GeneratedRtl, DenseHead):  # FINN derives the RTL op's name by this suffix
    """DenseHead in hardware."""

    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the dense engine."""
        return emit_dense(self.layer, self.folding, directory, name, self.multiplier)

    def weight_set(self, layer: DenseLayer) -> WeightSet:
        """What an image holds for this engine with the weights of ``layer``."""
        return dense_weight_set(layer, self.folding, self.multiplier)
