# SPDX-License-Identifier: BSD-3-Clause
"""Step convert: QONNX through FINN's flow to hardware layers, one file a stage."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from finn_flirnn.build.boards import MULTIPLIERS
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.finn_flow import run_finn_flow
from finn_flirnn.build.finn_result import FinnFlowResult
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.portable_onnx import copy_portable
from finn_flirnn.common.files import write_json


def run(context: BuildContext) -> None:
    """Write the model's stages to model/, and to a part what FINN found of the layers, and where they are."""
    scratch = context.output / STAGING / "finn"
    result = run_flow(context, scratch, vivado=False)
    for path in (*result.stages, result.parent_path):
        copy_portable(path, context.make(f"model/{path.name}"), scratch, result.model_path.name)
    found = {
        "layers": [
            {
                "name": layer.name,
                "op": layer.op_type,
                "group_cycles": layer.exp_cycles,
                "resources": asdict(layer.resources),
            }
            for layer in result.layers
        ],
        "path_cycles": result.path_cycles,
        "hardware": f"model/{result.layers_path.name}",
    }
    write_json(context.make(f"{PARTS}/finn.json"), found)
    shutil.rmtree(scratch)


def run_flow(context: BuildContext, folder: Path, vivado: bool) -> FinnFlowResult:
    """FINN's flow for this build's model and configuration."""
    config = context.config
    encoder, head = config.gru_folding("encoder"), config.head_folding
    folding = {
        "encoder": {
            "PE": encoder.pe,
            "SIMD": encoder.simd,
            "InputSIMD": encoder.input_simd,
            "CellDSP": int(encoder.cell_dsp),
        },
        "head": {"PE": head.pe, "SIMD": head.simd},
    }
    unroll = asdict(config.unroll)
    if config.folding.decoder is None:
        del unroll["decoder"]
    else:
        decoder = config.gru_folding("decoder")
        folding["decoder"] = {"PE": decoder.pe, "SIMD": decoder.simd, "CellDSP": int(decoder.cell_dsp)}
    return run_finn_flow(
        context.qonnx,
        folder,
        board=config.target.finn_name,
        clock_ns=config.clock_ns,
        folding=folding,
        lanes=config.lanes,
        unroll=unroll,
        copies=config.copies,
        vivado=vivado,
        decoder_lanes=config.decoder_lanes,
        order=config.order,
        ram_style=str(encoder.ram_style),
        multiplier=MULTIPLIERS[config.target.family],
        design=context.output / "rtl" if vivado else None,
        runtime_weights=config.runtime_weights,
    )
