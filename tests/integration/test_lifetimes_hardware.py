# SPDX-License-Identifier: BSD-3-Clause
"""A model of lifetimes as hardware: an encoder and a head that runs once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

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

STEPS, HIDDEN, LANES = 9, 6, 3


@pytest.fixture(scope="module")
def model() -> Seq2SeqLite:
    register()
    torch.manual_seed(3)
    model = Seq2SeqLite(HIDDEN, 2, steps=STEPS, decoder=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)  # states that reach their limits
    return model.eval()


def test_converted_model_executes_as_brevitas_and_the_oracle(model: Seq2SeqLite, tmp_path: Path) -> None:
    assert_converted_equals_model_and_oracle(model, STEPS, LANES, tmp_path / "model.onnx")


@pytest.mark.parametrize(("encoder", "head"), [((6, 6), (2, 6)), ((2, 3), (1, 1)), ((1, 2), (2, 3))])
def test_stitched_hardware_equals_the_oracle(
    model: Seq2SeqLite, tmp_path: Path, encoder: tuple[int, int], head: tuple[int, int]
) -> None:
    path = tmp_path / "model.onnx"
    export_qonnx(model, path)
    graph = convert_to_hardware(ModelWrapper(str(path)), LANES, keep_host=False)
    assert [node.op_type for node in graph.graph.node] == ["GRU", "DenseHead"]
    for node in graph.graph.node:
        node.op_type, node.domain = f"{node.op_type}_rtl", RTL_DOMAIN
    sizes = {"encoder": encoder, "head": head}
    graph = graph.transform(
        SetRecurrentFolding({name: {"PE": pe, "SIMD": simd} for name, (pe, simd) in sizes.items()})
    )
    design = emit_design(graph, tmp_path / "rtl", "top")
    network = model.to_network()
    codes = np.random.default_rng(1).integers(0, 256, (5 * LANES + 1, STEPS, 1))
    trial = network_trial(network, codes, StreamOrder(GROUPS, LANES, LANES))
    simulated = build_model(design.top)
    outcomes = [run_trial(simulated, trial, pauses, seed=2) for pauses in (False, True)]
    assert [outcome.mismatches for outcome in outcomes] == [0, 0]
    assert outcomes[0].codes == 6 * LANES * 2
    slowest = max(getCustomOp(node).get_exp_cycles() for node in graph.graph.node)
    assert outcomes[0].group_cycles == slowest
