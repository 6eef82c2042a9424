# SPDX-License-Identifier: BSD-3-Clause
"""The SystemVerilog library: one module a file; ``sources.py`` lists them."""

from finn_flirnn.rtl.sources import (
    library_sources,
    link_sources,
    loader_sources,
    primitive_models,
    register_sources,
    shell_sources,
)

__all__ = [
    "library_sources",
    "link_sources",
    "loader_sources",
    "primitive_models",
    "register_sources",
    "shell_sources",
]
