# SPDX-License-Identifier: BSD-3-Clause
"""A converted graph, executed by qonnx through our hardware ops, equals the oracle and the QONNX model."""

import numpy as np
import onnxruntime
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from finn_flirnn.export import build_qonnx, execute_qonnx, random_inputs
from finn_flirnn.export.quant_function import quant_function
from finn_flirnn.hwops.registration import register
from finn_flirnn.numerics import Reset
from finn_flirnn.transforms.convert import convert_to_hardware
from tests.fakes.foreign_gru import LANES, STEPS, Foreign
from tests.fakes.random_layers import INPUT, OUTPUT, random_gru, random_seq2seq


@pytest.fixture(autouse=True)
def _registered_ops() -> None:
    register()


@pytest.mark.parametrize("state_bits", [4, 8, 16])
@pytest.mark.parametrize("hidden", [1, 5, 32])
@pytest.mark.parametrize("reset", list(Reset))
def test_converted_graph_equals_oracle_and_export(reset: Reset, hidden: int, state_bits: int) -> None:
    network = random_seq2seq(reset=reset, hidden=hidden, state_bits=state_bits, inputs=2)
    exported = build_qonnx(network)
    model = convert_to_hardware(ModelWrapper(exported), 4)
    (x,) = random_inputs(np.random.default_rng(1), network, 4)
    real = INPUT.dequantise(x).astype(np.float32)
    y = execute_onnx(model, {"x": real})["y"]
    assert np.array_equal(y, OUTPUT.dequantise(network.run(x)))
    assert np.array_equal(y, execute_qonnx(exported, real))


@pytest.mark.parametrize("functions", [["Sigmoid"], ["HardSigmoid"], ["Abs", "Sigmoid"]])
def test_conversion_of_a_foreign_model_equals_its_execution(functions: list[str]) -> None:
    choices = {"r": functions, "z": functions, "n": ["Tanh"]}
    foreign = Foreign(random_gru(), functions=choices).model()
    model = convert_to_hardware(ModelWrapper(foreign, make_deepcopy=True), LANES).transform(InferShapes())
    foreign.functions.append(quant_function(17))
    real = np.random.default_rng(2).uniform(0, 1, (STEPS, LANES, 2)).astype(np.float32)
    session = onnxruntime.InferenceSession(foreign.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(["y"], {"x": real})
    assert np.array_equal(execute_onnx(model, {"x": real})["y"], expected)


def test_dataflow_part_maps_codes_to_codes() -> None:
    network = random_seq2seq()
    model = convert_to_hardware(ModelWrapper(build_qonnx(network)), 4, keep_host=False)
    (x,) = random_inputs(np.random.default_rng(1), network, 4)
    source, sink = model.graph.input[0].name, model.graph.output[0].name
    y = execute_onnx(model, {source: x.swapaxes(0, 1)[np.newaxis].astype(np.float32)})[sink]
    assert np.array_equal(y[0].swapaxes(0, 1), network.run(x))


def test_qonnx_infers_the_same_shapes_and_datatypes() -> None:
    model = convert_to_hardware(ModelWrapper(build_qonnx(random_seq2seq())), 4, keep_host=False)
    inferred = model.transform(InferShapes()).transform(InferDataTypes())
    for node in model.graph.node:
        (name,) = node.output
        assert inferred.get_tensor_shape(name) == model.get_tensor_shape(name)
        assert inferred.get_tensor_datatype(name) == model.get_tensor_datatype(name)
