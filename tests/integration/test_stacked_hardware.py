# SPDX-License-Identifier: BSD-3-Clause
"""A stack of layers as hardware: states go on to the layer above, and the last of them to the decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper

from finn_flirnn.build.finn_steps import step_set_stream_depths
from finn_flirnn.build.hardware_check import network_trial, run_trial
from finn_flirnn.driver.order import GROUPS, StreamOrder
from finn_flirnn.export import export_qonnx
from finn_flirnn.hwops.design import emit_design
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.sim import build_model
from finn_flirnn.transforms.convert import convert_to_hardware
from finn_flirnn.transforms.folding import SetRecurrentFolding
from tests.integration.conversion import assert_converted_equals_model_and_oracle

STEPS, LANES = 7, 3
FOLDINGS = {
    "encoder": {"PE": 6, "SIMD": 2},
    "encoder2": {"PE": 2, "SIMD": 4, "InputSIMD": 3},
    "decoder": {"PE": 3, "SIMD": 6},
    "decoder2": {"PE": 4, "SIMD": 1, "InputSIMD": 2},
    "head": {"PE": 1, "SIMD": 2},
}


@pytest.fixture(scope="module")
def model() -> Seq2SeqLite:
    register()
    torch.manual_seed(5)
    model = Seq2SeqLite((6, 4), steps=STEPS)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # states that reach their limits
    return model.eval()


def test_converted_stack_executes_as_brevitas_and_the_oracle(model: Seq2SeqLite, tmp_path: Path) -> None:
    assert_converted_equals_model_and_oracle(model, STEPS, LANES, tmp_path / "model.onnx")


def test_stitched_stack_equals_the_oracle(model: Seq2SeqLite, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export_qonnx(model, path)
    graph = convert_to_hardware(ModelWrapper(str(path)), LANES, keep_host=False)
    kinds = ["GRU", "Fork", "LastStep", "GRU", "GRU", "GRU", "DenseHead"]
    assert [node.op_type for node in graph.graph.node] == kinds
    for node in graph.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    graph = step_set_stream_depths(graph.transform(SetRecurrentFolding(FOLDINGS)), None)
    design = emit_design(graph, tmp_path / "rtl", "top")
    network = model.to_network()
    codes = np.random.default_rng(1).integers(0, 256, (6 * LANES + 1, STEPS, 1))
    trial = network_trial(network, codes, StreamOrder(GROUPS, LANES, LANES), filling=4)
    simulated = build_model(design.top)
    outcomes = [run_trial(simulated, trial, pauses, seed=3) for pauses in (False, True)]
    assert [outcome.mismatches for outcome in outcomes] == [0, 0]
    assert outcomes[0].codes == 7 * LANES * STEPS * 3
