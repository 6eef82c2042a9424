# SPDX-License-Identifier: BSD-3-Clause
"""Code generation: an oracle layer and a folding become SystemVerilog and memory files."""

from finn_flirnn.codegen.accelerator import emit_accelerator
from finn_flirnn.codegen.cycles import dense_cycles, gru_cycles
from finn_flirnn.codegen.dense import dense_weight_set, emit_dense
from finn_flirnn.codegen.estimate import estimate_dense, estimate_gru
from finn_flirnn.codegen.gru import emit_gru, gru_weight_set
from finn_flirnn.codegen.loadable import LOAD_STREAM, emit_loadable
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.routing import Router
from finn_flirnn.codegen.stitch import Instance, Link, stitch
from finn_flirnn.codegen.transposer import Direction, Transposer, emit_transposer, transposer_resources
from finn_flirnn.codegen.types import DenseFolding, GruFolding, RtlModule, StreamPort
from finn_flirnn.codegen.weight_image import WeightSet, encode_image

__all__ = [
    "DenseFolding",
    "Direction",
    "GruFolding",
    "LOAD_STREAM",
    "Instance",
    "Link",
    "Multiplier",
    "Resources",
    "Router",
    "RtlModule",
    "StreamPort",
    "Transposer",
    "WeightSet",
    "dense_cycles",
    "dense_weight_set",
    "emit_accelerator",
    "emit_dense",
    "emit_gru",
    "emit_loadable",
    "emit_transposer",
    "encode_image",
    "estimate_dense",
    "estimate_gru",
    "gru_cycles",
    "gru_weight_set",
    "stitch",
    "transposer_resources",
]
