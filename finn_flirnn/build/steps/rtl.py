# SPDX-License-Identifier: BSD-3-Clause
"""Step rtl: the layers' SystemVerilog, stitched to one design, with everything it needs in one folder."""

from __future__ import annotations

from typing import Any

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.errors import BuildError
from finn_flirnn.build.files import read_json_file
from finn_flirnn.build.hardware import emit_layers
from finn_flirnn.build.rtl_files import collect_sources
from finn_flirnn.codegen import Instance, Link, RtlModule, stitch

TOP = "finn_flirnn_top"
LEAST_DEPTH = 2


def run(context: BuildContext) -> None:
    """Write rtl/: sources, file list, module.json. The FIFOs are as deep as FINN's graph says."""
    scratch = context.make("rtl")
    modules = emit_layers(context.network, context.config, scratch)
    connections = read_json_file(context.output / PARTS / "finn.json")["connections"]
    links = [
        _link(connection, modules)
        for connection in connections
        if connection["producer"] is not None and connection["consumer"] is not None
    ]
    if len(links) != len(modules) - 1:
        raise BuildError(f"FINN's graph must link {' -> '.join(modules)}, but has the links {links}")
    instances = [Instance(name, module) for name, module in modules.items()]
    collect_sources(stitch(scratch, TOP, instances, links), scratch)


def _link(connection: dict[str, Any], modules: dict[str, RtlModule]) -> Link:
    """A stream of FINN's graph; its FIFOs become one that holds as many codes, before any conversion."""
    (name, port), target = connection["producer"], tuple(connection["consumer"])
    elements = next(p.elements for p in modules[name].outputs if p.name == port)
    codes = sum(fifo["depth"] * fifo["elements"] for fifo in connection["fifos"])
    return Link((name, port), target, max(LEAST_DEPTH, -(-codes // elements)))
