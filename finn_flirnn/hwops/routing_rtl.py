# SPDX-License-Identifier: BSD-3-Clause
"""The FINN ops Deal_rtl, Collect_rtl, Fork_rtl and LastStep_rtl: routing as generated SystemVerilog."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.hwops.routing import Collect, Deal, Fork, LastStep, Routing


class RoutingRtl(GeneratedRtl, Routing):
    """A routing op in hardware."""

    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the router."""
        return self.router().emit(directory, name, self.multiplier)


class Deal_rtl(RoutingRtl, Deal):  # FINN derives the RTL ops' names by this suffix
    """Deal in hardware."""


class Collect_rtl(RoutingRtl, Collect):
    """Collect in hardware."""


class Fork_rtl(RoutingRtl, Fork):
    """Fork in hardware."""


class LastStep_rtl(RoutingRtl, LastStep):
    """LastStep in hardware."""
