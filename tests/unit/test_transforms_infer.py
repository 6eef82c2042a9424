# SPDX-License-Identifier: BSD-3-Clause
"""Scan -> GRU and MatMul -> DenseHead: the converted layers are the exported ones, whoever exports."""

from dataclasses import fields, replace

import numpy as np
import pytest
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from finn_flirnn.export import build_qonnx
from finn_flirnn.numerics import Activation, Format, GruLayer, Reset, activation_table
from finn_flirnn.transforms.cancel_inverse import CancelInversePairs
from finn_flirnn.transforms.conversion_error import ConversionError
from finn_flirnn.transforms.convert import convert_to_hardware
from finn_flirnn.transforms.fix_batch import FixBatch
from finn_flirnn.transforms.graph_edit import HARDWARE_DOMAIN, dense_layer, gru_layer
from finn_flirnn.transforms.infer_recurrent import InferRecurrentLayer
from finn_flirnn.transforms.keep_dataflow import KeepDataflow
from tests.fakes.foreign_gru import LANES, STEPS, Foreign
from tests.fakes.random_layers import CANDIDATE, GATE, random_gru, random_seq2seq


def canonical(layer: GruLayer) -> GruLayer:
    """The same function with all of the biases of r and z on the input's side."""
    if layer.bias_hh is None:
        return layer
    rz = 2 * layer.hidden
    moved = np.concatenate([layer.bias_hh[:rz], np.zeros(layer.hidden, dtype=np.int64)])
    return replace(layer, bias_ih=layer.bias_ih + moved, bias_hh=layer.bias_hh - moved)


def assert_same_layer(found: GruLayer, expected: GruLayer) -> None:
    for entry in fields(GruLayer):
        left, right = getattr(found, entry.name), getattr(canonical(expected), entry.name)
        assert np.array_equal(left, right) if isinstance(right, np.ndarray) else left == right, entry.name


def hardware(model: ModelWrapper, op_type: str) -> list[NodeProto]:
    return [node for node in model.get_nodes_by_op_type(op_type) if node.domain == HARDWARE_DOMAIN]


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("state_bits", [4, 8, 16])
@pytest.mark.parametrize("hidden", [1, 2, 5, 33])
@pytest.mark.parametrize("reset", list(Reset))
def test_exported_network_comes_back(reset: Reset, hidden: int, state_bits: int, batch: int | None) -> None:
    network = random_seq2seq(reset=reset, hidden=hidden, state_bits=state_bits, weight_bits=2, inputs=2)
    model = convert_to_hardware(ModelWrapper(build_qonnx(network, batch=batch)), 4)
    encoder, decoder = hardware(model, "GRU")
    (head,) = hardware(model, "DenseHead")
    assert [encoder.name, decoder.name, head.name] == ["encoder", "decoder", "head"]
    assert_same_layer(gru_layer(encoder), network.encoder)
    assert_same_layer(gru_layer(decoder), network.decoder)
    assert np.array_equal(dense_layer(head).weight, network.head.weight)
    assert np.array_equal(dense_layer(head).bias, network.head.bias)


def test_only_the_edges_of_a_network_change_the_layout() -> None:
    model = convert_to_hardware(ModelWrapper(build_qonnx(random_seq2seq())), 4)
    host = ["Quant", "Mul", "Unsqueeze", "Transpose"], ["Transpose", "Squeeze", "Mul"]
    assert [n.op_type for n in model.graph.node] == [*host[0], "GRU", "GRU", "DenseHead", *host[1]]
    assert model.get_tensor_shape("encoder_input_steps") == [1, 7, 4, 1]
    assert model.get_tensor_datatype("encoder_input_steps") == DataType["UINT8"]


def test_conversion_reaches_a_fixed_point_and_leaves_its_input_alone() -> None:
    source = ModelWrapper(build_qonnx(random_seq2seq(), batch=4))
    before = source.model.SerializeToString()
    model = source.transform(InferRecurrentLayer())
    assert source.model.SerializeToString() == before
    assert InferRecurrentLayer().apply(model)[1] is False


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("initial_state", [False, True])
@pytest.mark.parametrize("inputs", [0, 3])
def test_single_layer_comes_back_with_its_borders(inputs: int, initial_state: bool, sequence: bool) -> None:
    layer = random_gru(inputs=inputs, initial_state=initial_state, sequence=sequence)
    model = convert_to_hardware(ModelWrapper(build_qonnx(layer, batch=4, steps=3)), 4)
    (node,) = hardware(model, "GRU")
    assert_same_layer(gru_layer(node), layer)
    assert len(node.input) == bool(inputs) + initial_state
    assert model.get_tensor_shape(node.output[0]) == ([1, 3, 4, 5] if sequence else [1, 4, 5])


def test_other_form_of_the_cell_is_recognised_by_what_it_computes() -> None:
    layer = random_gru()
    model = convert_to_hardware(ModelWrapper(Foreign(layer).model()), LANES)
    (node,) = hardware(model, "GRU")
    assert node.name == "recurrence"
    found = gru_layer(node)
    assert_same_layer(
        replace(found, gate_table=layer.gate_table, candidate_table=layer.candidate_table), layer
    )
    assert np.abs(found.gate_table - layer.gate_table).max() <= 1
    assert np.abs(found.candidate_table - layer.candidate_table).max() <= 1
    assert [n.op_type for n in model.graph.node if n.op_type == "Transpose"] == [], "time comes first already"
    assert model.get_tensor_shape(node.input[0]) == [1, STEPS, LANES, layer.inputs]


def test_hard_functions_become_exactly_their_tables() -> None:
    layer = random_gru(gate=Activation.HARD_SIGMOID, candidate=Activation.HARD_TANH)
    functions = {"r": ["HardSigmoid"], "z": ["HardSigmoid"], "n": ["Clip"]}
    model = convert_to_hardware(ModelWrapper(Foreign(layer, functions=functions).model()), LANES)
    assert_same_layer(gru_layer(hardware(model, "GRU")[0]), layer)


def test_any_chain_of_scalar_functions_becomes_a_table() -> None:
    layer = random_gru()
    functions = {"r": ["Abs", "Sigmoid"], "z": ["Abs", "Sigmoid"], "n": ["Softsign"]}
    model = convert_to_hardware(ModelWrapper(Foreign(layer, functions=functions).model()), LANES)
    found = gru_layer(hardware(model, "GRU")[0])
    p = layer.formats.preactivation
    softsign = activation_table(lambda a: a / (1 + np.abs(a)), p, CANDIDATE)
    absolute = activation_table(lambda a: 1 / (1 + np.exp(-np.abs(a))), p, GATE)
    assert np.abs(found.candidate_table - softsign).max() <= 1
    assert np.abs(found.gate_table - absolute).max() <= 1


def test_identity_between_quantisers_is_a_table_too() -> None:
    layer = random_gru(candidate=Activation.HARD_TANH)
    functions = {"r": ["Sigmoid"], "z": ["Sigmoid"], "n": []}
    model = convert_to_hardware(ModelWrapper(Foreign(layer, functions=functions).model()), LANES)
    assert np.array_equal(gru_layer(hardware(model, "GRU")[0]).candidate_table, layer.candidate_table)


def test_fixed_batch_must_be_the_lanes() -> None:
    with pytest.raises(ConversionError, match="fixed at 4, not lanes=8"):
        convert_to_hardware(ModelWrapper(build_qonnx(random_seq2seq(), batch=4)), 8)


def test_two_open_dimensions_are_refused() -> None:
    model = ModelWrapper(build_qonnx(random_seq2seq()))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "time"
    with pytest.raises(ValueError, match="leave open only the batch"):
        model.transform(FixBatch(4))


def test_dataflow_part_holds_hardware_layers_only() -> None:
    model = convert_to_hardware(ModelWrapper(build_qonnx(random_seq2seq())), 4, keep_host=False)
    assert [n.op_type for n in model.graph.node] == ["GRU", "GRU", "DenseHead"]
    (x,), (y,) = model.graph.input, model.graph.output
    assert model.get_tensor_shape(x.name) == [1, 7, 4, 1]
    assert model.get_tensor_shape(y.name) == [1, 7, 4, 3]
    assert model.get_tensor_datatype(x.name) == DataType["UINT8"]
    assert not model.model.functions


def test_host_node_between_layers_is_refused_by_name() -> None:
    source = ModelWrapper(build_qonnx(random_seq2seq(), batch=4))
    with pytest.raises(ConversionError, match="CancelInversePairs first"):
        converted = source.transform(InferRecurrentLayer())
        converted.transform(KeepDataflow())


def test_stream_with_two_ends_is_refused_by_name() -> None:
    model = convert_to_hardware(ModelWrapper(build_qonnx(random_seq2seq())), 4)
    model.graph.output.append(model.get_tensor_valueinfo("decoder_hardware"))
    with pytest.raises(ConversionError, match="node decoder: feeds both"):
        model.transform(KeepDataflow())


def test_model_without_hardware_layer_has_no_dataflow_part() -> None:
    with pytest.raises(ValueError, match="no hardware layer"):
        ModelWrapper(build_qonnx(random_seq2seq(), batch=4)).transform(KeepDataflow())


def test_scale_changes_that_are_not_inverse_stay() -> None:
    model = ModelWrapper(build_qonnx(random_seq2seq(), batch=4)).transform(InferRecurrentLayer())
    factor = next(
        n.input[1] for n in model.graph.node if n.op_type == "Mul" and n.input[0] == "encoder_batch"
    )
    model.set_initializer(factor, np.float32(0.25).reshape(()))
    kept = model.transform(CancelInversePairs())
    assert factor in {name for node in kept.graph.node for name in node.input}


def test_format_of_the_input_is_the_quantisers() -> None:
    layer = random_gru()
    wide = Format(10, 9, signed=True)
    foreign = Foreign(replace(layer, formats=replace(layer.formats, input=wide)))
    model = convert_to_hardware(ModelWrapper(foreign.model()), LANES)
    assert gru_layer(hardware(model, "GRU")[0]).formats.input == wide
