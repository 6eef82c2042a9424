# SPDX-License-Identifier: BSD-3-Clause
"""FINN's builder on a small network: every stage, what it hands on, and how it fails."""

import importlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest

from finn_flirnn.build.finn_flow import OPEN_STEPS, VIVADO_STEPS, run_finn_flow
from finn_flirnn.build.finn_result import Connection, Fifo, FinnFlowResult
from finn_flirnn.build.finn_runner import FinnFlowError
from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier
from finn_flirnn.export import export_qonnx
from finn_flirnn.numerics import Seq2SeqNetwork

LANES, STEPS = 2, 5
FOLDING = {
    "encoder": {"PE": 2, "SIMD": 2, "InputSIMD": 1},
    "decoder": {"PE": 4, "SIMD": 4},
    "head": {"PE": 3, "SIMD": 1},
}
SETTINGS: dict[str, Any] = {
    "board": "ZCU104",
    "clock_ns": 5.0,
    "folding": FOLDING,
    "lanes": LANES,
    "vivado": False,
}


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        yield


@dataclass(frozen=True)
class Made:
    graphs: ModuleType
    network: Seq2SeqNetwork
    model: Path
    output: Path
    result: FinnFlowResult


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        graphs = importlib.import_module("finn_graphs")
    network = graphs.random_network(1, STEPS, hidden=4, outputs=3)
    folder = tmp_path_factory.mktemp("flow")
    model = folder / "network.onnx"
    export_qonnx(network, model)
    return Made(graphs, network, model, folder / "out", run_finn_flow(model, folder / "out", **SETTINGS))


def _check_every_stage(made: Made, result: FinnFlowResult, output: Path, lanes: int) -> None:
    """Execute the graph after every step of the flow and compare it with the oracle."""
    from finn.core.onnx_exec import execute_onnx
    from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
    from finn.util.execution import execute_parent
    from qonnx.core.modelwrapper import ModelWrapper

    network = made.network
    x = made.graphs.random_codes(np.random.default_rng(3), network.input_format, lanes, STEPS, 1)
    real = network.input_format.dequantise(x).astype(np.float32)
    expected = network.output_format.dequantise(network.run(x))
    assert len(result.stages) == len(OPEN_STEPS)
    for stage in result.stages:
        model = ModelWrapper(str(stage))
        if model.graph.input[0].name == "x":  # before the partition: host and hardware in one graph
            (found,) = execute_onnx(model, {"x": real}).values()
        else:
            executable = output / stage.name
            model.transform(SetExecMode("cppsim")).save(str(executable))
            found = execute_parent(result.parent_path, executable, real)
        assert np.array_equal(found, expected), stage.name


def test_the_graph_after_every_step_computes_the_oracle(made: Made) -> None:
    _check_every_stage(made, made.result, made.output, LANES)


@pytest.mark.parametrize(
    ("order", "lanes", "decoder_lanes", "names"),
    [
        ("pixels", 3, 0, ["gather", "encoder", "decoder", "head", "scatter"]),
        ("gates", 6, 2, ["encoder", "decoder", "head"]),
    ],
)
def test_every_order_of_data_computes_the_oracle_after_every_step(
    made: Made, tmp_path: Path, order: str, lanes: int, decoder_lanes: int, names: list[str]
) -> None:
    settings = SETTINGS | {"lanes": lanes, "order": order, "decoder_lanes": decoder_lanes}
    result = run_finn_flow(made.model, tmp_path, **settings)
    _check_every_stage(made, result, tmp_path, lanes)
    assert [layer.name for layer in result.layers] == names
    if order == "gates":
        encoder, decoder = result.layers[0].folding, result.layers[1].folding
        assert isinstance(encoder, GruFolding) and isinstance(decoder, GruFolding)
        assert (encoder.lanes, encoder.park, decoder.lanes, decoder.park) == (6, True, 2, False)
    else:
        scattered = result.layers[-1].module.inputs[0]
        assert scattered.elements == FOLDING["head"]["PE"]  # a transposer follows its neighbour


def test_stages_are_numbered_in_the_model_folder(made: Made) -> None:
    names = [stage.name for stage in made.result.stages]
    assert names[0] == "01_infer_recurrent.onnx" and names[-1] == "09_generate_hardware.onnx"
    assert {stage.parent for stage in made.result.stages} == {made.output / "model"}
    assert made.result.model_path == made.result.stages[-1]


def test_layers_tell_their_folding_cycles_and_files(made: Made) -> None:
    layers = {layer.name: layer for layer in made.result.layers}
    assert {name: layer.op_type for name, layer in layers.items()} == {
        "encoder": "GRU_rtl",
        "decoder": "GRU_rtl",
        "head": "DenseHead_rtl",
    }
    assert layers["encoder"].folding == GruFolding(pe=2, simd=2, input_simd=1, lanes=LANES)
    assert layers["head"].folding == DenseFolding(pe=3, simd=1)
    reported = json.loads((made.output / "finn/report/estimate_layer_cycles.json").read_text())
    assert {layer.node: layer.exp_cycles for layer in layers.values()} == reported
    for layer in layers.values():
        assert all(path.is_file() for path in layer.module.sources)
        assert layer.module.directory.is_relative_to(made.output / "finn")


def test_connections_join_the_layers_in_order_with_their_fifos(made: Made) -> None:
    assert made.result.connections == (
        Connection(None, ("encoder", "in0_V"), (Fifo(32, 1),)),
        Connection(("encoder", "out0_V"), ("decoder", "in0_V"), (Fifo(8, 1), Fifo(2, 4))),
        Connection(("decoder", "out0_V"), ("head", "in0_V"), (Fifo(2, 4), Fifo(2, 1))),
        Connection(("head", "out0_V"), None, (Fifo(32, 3),)),
    )
    assert [c.depth for c in made.result.connections] == [32, 8, 2, 32]


def test_without_vivado_its_steps_are_skipped_with_a_reason(made: Made) -> None:
    assert [step.name for step in made.result.skipped] == list(VIVADO_STEPS)
    assert all("open flow" in step.reason for step in made.result.skipped)


def test_a_missing_vivado_is_a_reason_to_skip_with_a_remedy(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run_finn_flow(made.model, tmp_path / "out", **SETTINGS | {"vivado": True})
    assert "vivado and vitis_hls not found; install" in result.skipped[0].reason


@pytest.mark.parametrize(
    ("board", "multiplier"),
    [
        ("Pynq-Z2", Multiplier.DSP48E1),
        ("KV260_SOM", Multiplier.DSP48E2),
        ("Ultra96-V2", Multiplier.DSP48E2),
        ("U250", Multiplier.DSP48E2),
    ],
)
def test_each_board_gets_its_devices_multiplier(
    made: Made, tmp_path: Path, board: str, multiplier: Multiplier
) -> None:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.custom_op.registry import getCustomOp

    result = run_finn_flow(made.model, tmp_path / "out", **SETTINGS | {"board": board})
    nodes = ModelWrapper(str(result.model_path)).get_nodes_by_op_type("GRU_rtl")
    assert {getCustomOp(node).multiplier for node in nodes} == {multiplier}


@pytest.mark.parametrize("under_pytest", [True, False])
def test_a_failed_step_raises_with_name_and_cause_and_leaves_nothing_changed(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under_pytest: bool
) -> None:
    if not under_pytest:  # FINN swallows exceptions everywhere but here
        monkeypatch.delenv("PYTEST_CURRENT_TEST")
    root, display = logging.getLogger(), warnings.showwarning
    before = (sys.stdout, sys.stderr, root.handlers[:], root.level)
    folding = FOLDING | {"head": {"PE": 2, "SIMD": 1}}
    with pytest.raises(FinnFlowError, match="PE=2 must divide its 3 outputs") as error:
        run_finn_flow(made.model, tmp_path / "out", **SETTINGS | {"folding": folding})
    assert error.value.step == "step_set_recurrent_folding"
    assert isinstance(error.value.__cause__, ValueError)
    assert (sys.stdout, sys.stderr, root.handlers[:], root.level) == before
    assert warnings.showwarning is display
    assert "build_dataflow.log" in str(error.value)


def test_an_interrupt_is_not_swallowed(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(model: Any, config: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("finn_flirnn.build.finn_steps.step_set_stream_depths", interrupted)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    with pytest.raises(KeyboardInterrupt):
        run_finn_flow(made.model, tmp_path / "out", **SETTINGS)


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"\x00not a model")
    with pytest.raises(FinnFlowError, match="builder failed"):
        run_finn_flow(path, tmp_path / "out", **SETTINGS)


def test_a_board_that_finn_does_not_know_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="board='ZCU1' is not known to FINN; choose from .*ZCU104"):
        run_finn_flow(made.model, tmp_path / "out", **SETTINGS | {"board": "ZCU1"})


def test_a_second_preparation_moves_finns_build_folder(tmp_path: Path) -> None:
    from finn.util.basic import make_build_dir

    for name in ("first", "second"):
        prepare_finn(tmp_path / name)
        assert Path(make_build_dir("code_")).parent == tmp_path / name
