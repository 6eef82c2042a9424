# SPDX-License-Identifier: BSD-3-Clause
"""Cycle-accurate simulation of generated modules with Verilator."""

from finn_flirnn.sim.library import SimulationError
from finn_flirnn.sim.model import VerilatedModel, build_model
from finn_flirnn.sim.packing import pack, unpack
from finn_flirnn.sim.tools import LintError, ToolError
from finn_flirnn.sim.transfers import DeadlockError, ProtocolError, SimulationResult, simulate
from finn_flirnn.sim.verilator import verilate

__all__ = [
    "DeadlockError",
    "LintError",
    "ProtocolError",
    "SimulationError",
    "SimulationResult",
    "ToolError",
    "VerilatedModel",
    "build_model",
    "pack",
    "simulate",
    "unpack",
    "verilate",
]
