# SPDX-License-Identifier: BSD-3-Clause
"""Step synthesis: area and delay of the stitched design by Yosys; of an open board, the routed whole."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import asdict
from typing import Any

from finn_flirnn.build.board_files import CONFIGURATION, CONSTRAINTS, NETLIST, ROUTED, emit_board
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.codegen import RtlModule
from finn_flirnn.codegen.ulx3s import INPUT_MHZ
from finn_flirnn.common.files import write_json
from finn_flirnn.synth import PlacementReport, place_and_route, synthesise


def run(context: BuildContext) -> None:
    """Write the open tools' part of synthesis.json: only what they reported.

    For an open board that is of the board's whole design, link included; beside it board/ is written:
    sources, constraints, netlist, the same routed, and the configuration. Raises TimingError if the clock is
    missed.
    """
    config = context.config
    core = load_module(context.output / "rtl")
    context.tell(f"Yosys, family {config.family}")
    reported = _board(context, core) if config.target.is_open else asdict(synthesise(core, config.family))
    del reported["seconds"]  # equal builds give equal reports; the manifest has the time of each step
    write_json(context.make(f"{PARTS}/synthesis_open.json"), reported)


def _board(context: BuildContext, core: RtlModule) -> dict[str, Any]:
    config = context.config
    folder = context.make("board/.")
    top = emit_board(core, context.network, config.lanes, config.link_settings, folder)
    reported = asdict(synthesise(top, config.family, netlist=folder / NETLIST))
    context.tell("nextpnr-ecp5")
    scratch = context.output / STAGING / "nextpnr"
    placed = place_and_route(
        folder / NETLIST,
        scratch,
        clock_mhz=INPUT_MHZ,
        constraints=folder / CONSTRAINTS,
        seed=config.synthesis.seed,
    )
    shutil.copyfile(placed.config, folder / CONFIGURATION)
    # compressed without a time, so that equal builds give equal files
    (folder / ROUTED).write_bytes(gzip.compress(placed.routed.read_bytes(), mtime=0))
    shutil.rmtree(scratch)
    return {**reported, **_placement(placed)}


def _placement(placed: PlacementReport) -> dict[str, Any]:
    """What nextpnr adds to the report: the clock that is reached, and what the device holds."""
    return {
        "fmax_mhz": placed.fmax_mhz,
        "placement": {
            "tool": placed.tool,
            "version": placed.version,
            "part": asdict(placed.part),
            "seed": placed.seed,
            "clocks": {name: asdict(clock) for name, clock in placed.clocks.items()},
            "utilisation": {kind: asdict(use) for kind, use in placed.utilisation.items()},
            "critical_path": [asdict(step) for step in placed.critical_path],
        },
    }
