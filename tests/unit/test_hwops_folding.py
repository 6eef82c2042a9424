# SPDX-License-Identifier: BSD-3-Clause
"""SetRecurrentFolding: what it sets, and that it tells everything that is wrong at once."""

import importlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.build.finn_steps import FlowSettings, step_set_recurrent_folding
from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier
from finn_flirnn.hwops.registration import RTL_DOMAIN, register
from finn_flirnn.transforms.folding import SetRecurrentFolding, layer_name

FOLDING = {
    "encoder": {"PE": 2, "SIMD": 6, "InputSIMD": 1},
    "decoder": {"PE": 6, "SIMD": 3},
    "head": {"PE": 5, "SIMD": 4},
}


@pytest.fixture
def model() -> Any:
    register()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        graphs = importlib.import_module("finn_graphs")
    return graphs.network_model(graphs.random_network(1, steps=3, hidden=12, outputs=5), lanes=2)


def ops(model: Any) -> dict[str, Any]:
    return {layer_name(node): getCustomOp(node) for node in model.graph.node}


def test_each_layer_gets_its_folding_and_the_multiplier(model: Any) -> None:
    found = ops(model.transform(SetRecurrentFolding(FOLDING, Multiplier.DSP48E1)))
    assert found["encoder"].folding == GruFolding(pe=2, simd=6, input_simd=1, lanes=2)
    assert found["decoder"].folding == GruFolding(pe=6, simd=3, input_simd=1, lanes=2)
    assert found["head"].folding == DenseFolding(pe=5, simd=4)
    assert {op.multiplier for op in found.values()} == {Multiplier.DSP48E1}


@pytest.mark.parametrize("runtime", [False, True])
def test_run_time_weights_reach_every_layer(model: Any, tmp_path: Path, runtime: bool) -> None:
    settings = FlowSettings(2, FOLDING, {}, 1, runtime_weights=runtime)
    settings.write(tmp_path / "settings.json")
    config = SimpleNamespace(board="ZCU104", folding_config_file=str(tmp_path / "settings.json"))
    model = step_set_recurrent_folding(model, config)
    model = model.transform(SpecializeLayers("xczu7ev-ffvc1156-2-e"))
    assert {op.folding.runtime_weights for op in ops(model).values()} == {runtime}


def test_finn_specialises_the_layers_and_they_keep_name_and_folding(model: Any) -> None:
    model = model.transform(SetRecurrentFolding(FOLDING))
    model = model.transform(SpecializeLayers("xczu7ev-ffvc1156-2-e"))
    assert [(n.op_type, n.domain) for n in model.graph.node] == [
        ("GRU_rtl", RTL_DOMAIN),
        ("GRU_rtl", RTL_DOMAIN),
        ("DenseHead_rtl", RTL_DOMAIN),
    ]
    assert {name: op.get_nodeattr("PE") for name, op in ops(model).items()} == {
        "encoder": 2,
        "decoder": 6,
        "head": 5,
    }


def test_all_problems_are_told_together_and_nothing_is_set(model: Any) -> None:
    wrong = {"encoder": {"PE": 5, "Lanes": 2}, "decoder": {"SIMD": 0, "CellDSP": 2}, "heads": {"PE": 1}}
    with pytest.raises(ValueError, match="does not fit the model") as error:
        model.transform(SetRecurrentFolding(wrong), make_deepcopy=False)
    text = str(error.value)
    assert "encoder: PE=5 must divide its 12 hidden units; choose from [1, 2, 3, 4, 6, 12]" in text
    assert "encoder has no Lanes; choose from ['PE', 'SIMD', 'InputSIMD', 'CellDSP']" in text
    assert "decoder: CellDSP=2 must be 0 or 1; choose one of them" in text
    assert "decoder: SIMD=0 must divide its 12 hidden units" in text
    assert "no layer is named heads; choose from ['encoder', 'decoder', 'head']" in text
    assert "layer head has no folding; give it one of ['PE', 'SIMD']" in text
    assert all(op.get_nodeattr("PE") == 1 for op in ops(model).values())
