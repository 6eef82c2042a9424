# SPDX-License-Identifier: BSD-3-Clause
"""Synthesis with Yosys: resources without a vendor's tool, netlists to simulate; nextpnr for Lattice ECP5."""

from finn_flirnn.synth.cells import Family, cost_of
from finn_flirnn.synth.gate_level import netlist
from finn_flirnn.synth.nextpnr import PlacementError
from finn_flirnn.synth.out_of_context import out_of_context_timing
from finn_flirnn.synth.place import Ecp5Part, PlacementReport, TimingError, pack_bitstream, place_and_route
from finn_flirnn.synth.report import SynthesisReport, synthesise
from finn_flirnn.synth.yosys import SynthesisError

__all__ = [
    "Ecp5Part",
    "Family",
    "PlacementError",
    "PlacementReport",
    "SynthesisError",
    "SynthesisReport",
    "TimingError",
    "cost_of",
    "netlist",
    "out_of_context_timing",
    "pack_bitstream",
    "place_and_route",
    "synthesise",
]
