# SPDX-License-Identifier: BSD-3-Clause
"""Synthesis with Yosys: resources without a vendor's tool, netlists to simulate."""

from finn_flirnn.synth.cells import Family, cost_of
from finn_flirnn.synth.gate_level import netlist
from finn_flirnn.synth.report import SynthesisReport, synthesise
from finn_flirnn.synth.yosys import SynthesisError

__all__ = ["Family", "SynthesisError", "SynthesisReport", "cost_of", "netlist", "synthesise"]
