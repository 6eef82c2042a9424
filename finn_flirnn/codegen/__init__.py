# SPDX-License-Identifier: BSD-3-Clause
"""Code generation: an oracle layer and a folding become SystemVerilog and memory files."""

from finn_flirnn.codegen.types import DenseFolding, GruFolding, RtlModule, StreamPort

__all__ = ["DenseFolding", "GruFolding", "RtlModule", "StreamPort"]
