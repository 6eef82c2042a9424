# SPDX-License-Identifier: BSD-3-Clause
"""FINN's flow with the stand-ins, on a small network of two GRUs and a head."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from finn_flirnn.build.finn_flow import run_finn_flow
from finn_flirnn.build.finn_result import FinnFlowResult
from finn_flirnn.build.hardware import TOP
from finn_flirnn.build.rtl_files import collect_sources
from finn_flirnn.export import export_qonnx

LANES, STEPS = 2, 8
FOLDING = {
    "encoder": {"PE": 2, "SIMD": 2, "InputSIMD": 1},
    "decoder": {"PE": 4, "SIMD": 4},
    "head": {"PE": 3, "SIMD": 1},
}
SETTINGS: dict[str, Any] = {
    "board": "ZCU104",
    "clock_ns": 4.0,
    "folding": FOLDING,
    "lanes": LANES,
    "vivado": True,
}


def stitched(result: FinnFlowResult, folder: Path) -> Path:
    """The folder of the stitched design of a flow."""
    emit_design = importlib.import_module("finn_flirnn.hwops.design").emit_design
    model = importlib.import_module("qonnx.core.modelwrapper").ModelWrapper(str(result.layers_path))
    collect_sources(emit_design(model, folder / "scratch", TOP).top, folder / "rtl")
    return folder / "rtl"


def run_flow(folder: Path, **settings: Any) -> tuple[FinnFlowResult, Path, Path]:
    """The flow up to the bitfile in ``folder``/out; also its model and stitched design.

    The folder tests/fakes must be on the path, and FINN prepared (``prepare_finn``).
    """
    graphs, model = importlib.import_module("finn_graphs"), folder / "network.onnx"
    export_qonnx(graphs.random_network(1, STEPS, hidden=4, outputs=3), model)
    chosen = {**SETTINGS, **settings}
    design = stitched(run_finn_flow(model, folder / "open", **{**chosen, "vivado": False}), folder)
    return run_finn_flow(model, folder / "out", **chosen, design=design), model, design
