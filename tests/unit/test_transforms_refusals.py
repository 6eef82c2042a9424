# SPDX-License-Identifier: BSD-3-Clause
"""What cannot be converted exactly is refused with the node and the reason, and nothing is changed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import AttributeProto, ModelProto, NodeProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from finn_flirnn.export import build_qonnx
from finn_flirnn.numerics import Format, Reset
from finn_flirnn.transforms.conversion_error import ConversionError
from finn_flirnn.transforms.convert import convert_to_hardware
from finn_flirnn.transforms.infer_recurrent import InferRecurrentLayer
from tests.fakes.foreign_gru import LANES, Foreign
from tests.fakes.random_layers import random_gru, random_seq2seq

FOREIGN: dict[str, tuple[dict[str, Any], str, str]] = {
    "scale is no power of two": ({"scales": {"w_hh_r": 0.3}}, "w_hh_r", "power of two, got 0.3"),
    "scale per channel": ({"scales": {"w_ih_z": [0.5, 0.25, 0.5, 0.5, 0.5]}}, "w_ih_z", "per channel"),
    "negative scale": ({"scales": {"q_n": -0.5}}, "q_n", "power of two"),
    "zero point": ({"zero_points": {"z": 1.0}}, "z", "zero point must be 0"),
    "rounding": ({"rounding": {"h_next": "FLOOR"}}, "h_next", "rounding mode"),
    "fractional bits": ({"formats": {"v_n": Format(8, 5)}}, "recurrence", "pre-activations need one format"),
    "signed gate": (
        {"formats": {"r": Format(8, 6), "z": Format(8, 6)}},
        "recurrence",
        "must be unsigned",
    ),
    "weights of different formats": (
        {"formats": {"w_hh_n": Format(8, 6)}},
        "recurrence",
        "recurrent weights",
    ),
    "state not quantised": ({"skip": frozenset({"h_next"})}, "recurrence", "must come from a Quant node"),
    "input not quantised": ({"skip": frozenset({"x_quant"})}, "recurrence", "must come from a Quant node"),
    "weight not quantised": ({"skip": frozenset({"w_ih_n"})}, "p_ih_n", "weights must come from a Quant"),
    "pre-activation not quantised": ({"skip": frozenset({"q_r"})}, "f0_r", "Sigmoid is not part"),
    "recurrent product not quantised": ({"skip": frozenset({"v_n"})}, "q_n", "product other than"),
    "gate not quantised": ({"skip": frozenset({"z"})}, "part_n", "Mul is not part"),
    "gates of different functions": (
        {"functions": {"r": ["Sigmoid"], "z": ["HardSigmoid"], "n": ["Tanh"]}},
        "recurrence",
        "the gates r and z need one activation",
    ),
    "unknown operator": (
        {"functions": {"r": ["Sigmoid"], "z": ["Sigmoid"], "n": ["Unheard"]}},
        "f0_n",
        "Unheard is not part",
    ),
    "function over several elements": (
        {"functions": {"r": ["Sigmoid"], "z": ["Sigmoid"], "n": ["Softmax"]}},
        "f0_n",
        "Softmax is not part",
    ),
    "update gate reversed": ({"blend": "reversed"}, "recurrence", "other way round"),
    "no blend": ({"blend": "residual"}, "h_next", "no GRU cell"),
    "first state": ({"first_state": 0.5}, "recurrence", "constant other than zero"),
    "bias off the grid": ({"bias_shift": 2.0**-20}, "recurrence", "biases must be multiples"),
    "old opset": ({"opset": 11}, "recurrence", "opset must lie in 13..19"),
    "new opset": ({"opset": 21}, "recurrence", "opset must lie in 13..19"),
    "backwards": ({"scan_attributes": {"scan_input_directions": [1]}}, "recurrence", "runs backwards"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_scan_is_refused_with_node_and_reason(case: str) -> None:
    choices, node, reason = FOREIGN[case]
    model = ModelWrapper(Foreign(random_gru(), **choices).model())
    before = model.model.SerializeToString()
    with pytest.raises(ConversionError, match=reason) as refusal:
        convert_to_hardware(model, LANES)
    assert refusal.value.node == node and str(refusal.value).startswith(f"node {node}: ")
    assert model.model.SerializeToString() == before


def edited(edit: Callable[[ModelProto], None], batch: int | None = LANES, **choices: Any) -> ModelWrapper:
    model = build_qonnx(random_seq2seq(**choices), batch=batch)
    edit(model)
    return ModelWrapper(model)


def node_of(model: ModelProto, name: str) -> NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def body_of(model: ModelProto, name: str) -> onnx.GraphProto:
    return next(a.g for a in node_of(model, name).attribute if a.type == AttributeProto.GRAPH)


def refused(model: ModelWrapper, node: str, reason: str) -> None:
    with pytest.raises(ConversionError, match=reason) as refusal:
        convert_to_hardware(model, LANES)
    assert refusal.value.node == node


def test_lstm_is_refused() -> None:
    def two_states(model: ModelProto) -> None:
        scan = node_of(model, "encoder")
        scan.input.insert(1, scan.input[0])

    refused(edited(two_states), "encoder", "carries 2 states.*LSTM")


def test_builtin_recurrent_operator_is_refused() -> None:
    def lstm(model: ModelProto) -> None:
        model.graph.node.insert(
            0, helper.make_node("LSTM", ["x", "w", "r"], ["s"], name="lstm", hidden_size=2)
        )

    model = build_qonnx(random_seq2seq(), batch=LANES)
    lstm(model)
    with pytest.raises(ConversionError, match="LSTM holds no quantisers") as refusal:
        InferRecurrentLayer().apply(ModelWrapper(model, fix_missing_initializer_valueinfo=False))
    assert refusal.value.node == "lstm"


def test_any_batch_is_refused_without_lanes() -> None:
    with pytest.raises(ConversionError, match="apply FixBatch first"):
        ModelWrapper(build_qonnx(random_seq2seq())).transform(InferRecurrentLayer())


def test_layer_that_nobody_reads_is_refused() -> None:
    model = build_qonnx(random_seq2seq(), batch=LANES)
    node_of(model, "decoder").input[0] = node_of(model, "encoder").input[0]
    with pytest.raises(ConversionError, match="one of its outputs .* must be used") as refusal:
        InferRecurrentLayer().apply(ModelWrapper(model))
    assert refusal.value.node == "encoder"


def test_table_with_a_row_too_few_is_refused() -> None:
    def shorten(model: ModelProto) -> None:
        body = body_of(model, "encoder")
        table = next(t for t in body.initializer if t.name.endswith("tanh_n_table_float"))
        table.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(table)[:-130], table.name))

    refused(edited(shorten), "encoder.tanh_n", "cannot evaluate Gather")


def test_state_handed_over_in_another_format_is_refused() -> None:
    def widen(model: ModelProto) -> None:
        quant = next(n for n in body_of(model, "decoder").node if n.name == "decoder.h_next")
        for attribute in quant.attribute:
            if attribute.name == "narrow":
                attribute.i = 0

    refused(edited(widen), "decoder", "first state must have the state's format")


def test_float32_body_that_rounds_is_refused() -> None:
    model = build_qonnx(random_seq2seq(state_bits=16, hidden=33), batch=LANES)
    body = body_of(model, "encoder")
    for tensor in body.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float64:
            tensor.CopyFrom(numpy_helper.from_array(array.astype(np.float32), tensor.name))
    for node in body.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == onnx.TensorProto.DOUBLE:
                attribute.i = onnx.TensorProto.FLOAT
    refused(ModelWrapper(model), "encoder", "which float32 rounds")


def test_reading_a_value_around_the_body_is_refused() -> None:
    def capture(model: ModelProto) -> None:
        gemm = next(n for n in body_of(model, "decoder").node if n.op_type == "Gemm")
        gemm.input[2] = "x_quant"

    refused(edited(capture), "decoder.v", "reads x_quant")


def test_reset_gate_before_with_another_format_is_refused() -> None:
    def narrower(model: ModelProto) -> None:
        quant = next(n for n in body_of(model, "encoder").node if n.name == "encoder.rh_quant")
        for attribute in quant.attribute:
            if attribute.name == "narrow":
                attribute.i = 0

    refused(edited(narrower, reset=Reset.BEFORE), "encoder", "must have the state's format")


def test_head_without_quantised_weights_is_refused() -> None:
    def plain(model: ModelProto) -> None:
        transpose = next(n for n in model.graph.node if n.op_type == "Transpose")
        transpose.input[0] = "head_weight_float"
        model.graph.node.remove(node_of(model, "head_weight"))

    refused(edited(plain), "head", "constant matrix from a Quant node")


def test_head_without_output_quantiser_is_refused() -> None:
    def plain(model: ModelProto) -> None:
        quant = node_of(model, "head_quant")
        quant.CopyFrom(helper.make_node("Relu", quant.input[:1], quant.output, name="relu"))

    refused(edited(plain), "head", "must be followed by Add of a bias and Quant, found Relu")


def test_head_bias_off_the_grid_is_refused() -> None:
    def shift(model: ModelProto) -> None:
        bias = next(t for t in model.graph.initializer if t.name == "head_bias")
        bias.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(bias) + np.float32(2.0**-20), bias.name))

    refused(edited(shift), "head", "its bias must be a multiple")
