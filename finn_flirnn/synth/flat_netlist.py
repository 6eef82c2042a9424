# SPDX-License-Identifier: BSD-3-Clause
"""An ECP5 netlist as nextpnr takes it, or as it has routed it, as one flat module for the simulator.

Every cell becomes the logic that Yosys' own model of it says, put in its place by Yosys; nothing is mapped or
shared anew. So Verilator sees plain expressions instead of thousands of variants of a LUT's module, and both
compilation and simulation are several times faster. Block memories, multipliers and the PLL stay instances of
our models (``cell_models``, rtl/primitives).
"""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from finn_flirnn.codegen import RtlModule
from finn_flirnn.synth.cell_models import own_models
from finn_flirnn.synth.cells import Family
from finn_flirnn.synth.routed_netlist import Json, explicit
from finn_flirnn.synth.yosys import SynthesisError, run_yosys

MODELS = "+/ecp5/cells_sim.v"
ROUTED_CELLS = Path(__file__).resolve().parent / "models" / "routed_cells.sv"
ROUTED_TOP = "top"
"""What nextpnr calls the top module, whatever its name was."""
NEXTPNR = "Next Generation Place and Route"
OURS = ("DP16KD",)
"""Cells of which Yosys' models are empty; ours stand in for them."""


def flat_netlist(netlist: Path, top: str, directory: Path) -> RtlModule:
    """Write a netlist into ``directory`` as Verilog, models included.

    netlist: JSON of Yosys (``synthesise(netlist=...)``) or of nextpnr (``PlacementReport.routed``), may be
    compressed (.gz). top: name of the module.

    The result has no streams: wrap it in a bench. Compile it with
    ``build_model(module, lint=False, optimisation=1)``. A cell without a model makes that compilation fail.
    Raises SynthesisError if the netlist has no module ``top``.
    """
    module = _module(netlist, top)
    directory.mkdir(parents=True, exist_ok=True)
    target, models = (directory.resolve() / name for name in (f"{top}_netlist.v", "ecp5_cells.sv"))
    with tempfile.TemporaryDirectory() as work:
        # the netlist brings along the ports of its cells, which the models are to take the place of
        alone = Path(work) / "top.json"
        alone.write_text(json.dumps({"modules": {top: module}}), encoding="utf-8")
        commands = [
            ["read_json", str(alone)],
            ["read_verilog", "-overwrite", MODELS, str(ROUTED_CELLS)],
            ["blackbox", *OURS],
            ["hierarchy", "-top", top],
            ["proc"],
            ["flatten", "-wb"],
            ["opt_expr", "-full"],
            ["opt_clean", "-purge"],
            ["write_verilog", "-noattr", str(target)],
        ]
        run_yosys(commands, directory)
    models.write_text(own_models(Family.ECP5), encoding="utf-8")
    return RtlModule(top, directory.resolve(), (models, target), (), (), ())


def _module(netlist: Path, top: str) -> Json:
    content = netlist.read_bytes()
    found: Json = json.loads(gzip.decompress(content) if netlist.suffix == ".gz" else content)
    modules: dict[str, Json] = found["modules"]
    if top in modules:
        return modules[top]
    if found["creator"].startswith(NEXTPNR) and ROUTED_TOP in modules:
        return explicit(modules[ROUTED_TOP])
    raise SynthesisError(f"{netlist} must hold module {top}, but has {', '.join(sorted(modules))}")
