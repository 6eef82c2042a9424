# SPDX-License-Identifier: BSD-3-Clause
"""FINN's own node-by-node RTL simulation, on Verilator, against the integer oracle."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest

from finn_flirnn.build.finn_flow import run_finn_flow
from finn_flirnn.build.toolchain import find_tools
from finn_flirnn.export import export_qonnx
from finn_flirnn.numerics import Reset

pytestmark = pytest.mark.skipif(
    find_tools().missing_for_simulation is not None and "CI" not in os.environ,
    reason="simulating hardware needs a C++ compiler and make",
)


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def graphs() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        return importlib.import_module("finn_graphs")


def simulated(model_path: Path) -> Any:
    """The model, every node of it compiled and set to be simulated."""
    from finn.transformation.fpgadataflow.prepare_rtlsim import PrepareRTLSim
    from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
    from qonnx.core.modelwrapper import ModelWrapper

    return ModelWrapper(str(model_path)).transform(PrepareRTLSim()).transform(SetExecMode("rtlsim"))


def run(model: Any, inputs: dict[str, Any]) -> Any:
    from finn.core.onnx_exec import execute_onnx

    (output,) = execute_onnx(
        model, {name: codes.astype(np.float32) for name, codes in inputs.items()}
    ).values()
    return output


def test_a_network_simulated_node_by_node_equals_the_oracle(graphs: ModuleType, tmp_path: Path) -> None:
    from qonnx.custom_op.registry import getCustomOp

    lanes, steps = 3, 4
    network = graphs.random_network(1, steps, hidden=12, outputs=3, reset=Reset.BEFORE, bits=5)
    export_qonnx(network, tmp_path / "network.onnx")
    result = run_finn_flow(
        tmp_path / "network.onnx",
        tmp_path / "out",
        board="ZCU104",
        clock_ns=5.0,
        folding={
            # state streams of 2 and 3 codes a transfer, then 4: converters of no whole ratio
            "encoder": {"PE": 2, "SIMD": 12},
            "decoder": {"PE": 3, "SIMD": 12},
            "head": {"PE": 1, "SIMD": 4},
        },
        lanes=lanes,
        vivado=False,
    )
    model = simulated(result.model_path)
    for seed in range(3):
        x = graphs.random_codes(np.random.default_rng(seed), network.input_format, lanes, steps, 1)
        (output,) = run(model, {model.graph.input[0].name: np.swapaxes(x, 0, 1)[np.newaxis]})
        assert np.array_equal(np.swapaxes(output, 0, 1), network.run(x))
    for layer in result.layers:
        (node,) = (n for n in model.graph.node if n.name == layer.node)
        cycles = getCustomOp(node).get_nodeattr("cycles_rtlsim")
        # one group alone: its steady state, and the filling and draining of the pipeline
        assert 0 <= cycles - layer.exp_cycles <= 100, layer.name


def test_a_layer_with_input_and_initial_state_simulates_both_streams(
    graphs: ModuleType, tmp_path: Path
) -> None:
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.transformation.general import GiveUniqueNodeNames

    from finn_flirnn.build.toolchain import prepare_finn

    prepare_finn(tmp_path / "build")
    lanes, steps, part = 2, 3, "xczu7ev-ffvc1156-2-e"
    layer = graphs.random_gru(4, 4, 2, sequence=False, initial_state=True, bits=6)
    model = graphs.gru_model(layer, steps, lanes, PE=2, SIMD=4, InputSIMD=2)
    model = model.transform(SpecializeLayers(part)).transform(GiveUniqueNodeNames())
    model.transform(PrepareIP(part, 5.0)).save(str(tmp_path / "gru.onnx"))
    rng = np.random.default_rng(2)
    x = graphs.random_codes(rng, layer.formats.input, 1, steps, lanes, 2)
    h0 = graphs.random_codes(rng, layer.formats.state, 1, lanes, 4)
    output = run(simulated(tmp_path / "gru.onnx"), {"x": x, "h0": h0})
    assert np.array_equal(output[0], layer.run(np.swapaxes(x[0], 0, 1), steps, h0[0]))
