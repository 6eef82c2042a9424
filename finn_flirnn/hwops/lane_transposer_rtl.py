# SPDX-License-Identifier: BSD-3-Clause
"""The FINN op LaneTransposer_rtl: a transposer as generated SystemVerilog."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule, emit_transposer
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.hwops.lane_transposer import LaneTransposer


class LaneTransposer_rtl(GeneratedRtl, LaneTransposer):  # FINN derives the RTL op's name by this suffix
    """LaneTransposer in hardware."""

    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the transposer."""
        return emit_transposer(self.transposer, directory, name, self.multiplier)
