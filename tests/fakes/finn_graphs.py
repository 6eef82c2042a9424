# SPDX-License-Identifier: BSD-3-Clause
"""Random layers, and FINN graphs made of them without an exporter."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import AttributeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from finn_flirnn.hwops.attributes import dense_attributes, gru_attributes
from finn_flirnn.hwops.registration import DOMAIN
from finn_flirnn.numerics import (
    Activation,
    Codes,
    DenseLayer,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    Seq2SeqNetwork,
    activation_table,
)


def random_codes(rng: np.random.Generator, fmt: Format, *shape: int) -> Codes:
    """Codes from the whole range of a format."""
    return rng.integers(fmt.min_code, fmt.max_code + 1, shape)


def random_gru(
    seed: int,
    hidden: int,
    inputs: int,
    reset: Reset = Reset.AFTER,
    sequence: bool = True,
    initial_state: bool = False,
    bits: int = 8,
) -> GruLayer:
    """A layer of random weights; every value has ``bits`` bits."""
    rng = np.random.default_rng(seed)
    signed = Format(bits, bits - 1, narrow=True)
    gate, preactivation = Format(bits, bits - 1, signed=False), Format(bits, bits - 4)
    formats = GruFormats(
        weight_hh=signed,
        state=signed,
        gate=gate,
        candidate=signed,
        preactivation=preactivation,
        input=Format(bits, bits, signed=False) if inputs else None,
        weight_ih=signed if inputs else None,
    )
    bias = 1 << (formats.product_frac - 1)
    return GruLayer(
        formats=formats,
        reset=reset,
        weight_ih=random_codes(rng, signed, 3 * hidden, inputs) if inputs else None,
        weight_hh=random_codes(rng, signed, 3 * hidden, hidden),
        bias_ih=rng.integers(-bias, bias, 3 * hidden),
        bias_hh=rng.integers(-bias, bias, 3 * hidden) if reset is Reset.AFTER else None,
        gate_table=activation_table(Activation.SIGMOID, preactivation, gate),
        candidate_table=activation_table(Activation.TANH, preactivation, signed),
        sequence=sequence,
        initial_state=initial_state,
    )


def random_dense(seed: int, outputs: int, inputs: int, bits: int = 8) -> DenseLayer:
    """A dense layer of random weights."""
    rng = np.random.default_rng(seed)
    signed = Format(bits, bits - 1, narrow=True)
    return DenseLayer(
        input_format=signed,
        weight_format=signed,
        output_format=Format(bits, bits - 2),
        weight=random_codes(rng, signed, outputs, inputs),
        bias=rng.integers(-(1 << bits), 1 << bits, outputs),
    )


def random_network(
    seed: int, steps: int, hidden: int, outputs: int, reset: Reset = Reset.AFTER, bits: int = 8
) -> Seq2SeqNetwork:
    """Encoder with one input, decoder, head."""
    return Seq2SeqNetwork(
        steps=steps,
        encoders=random_gru(seed, hidden, 1, reset, sequence=False, bits=bits),
        decoders=random_gru(seed + 1, hidden, 0, reset, initial_state=True, bits=bits),
        head=random_dense(seed + 2, outputs, hidden, bits),
    )


def gru_model(layer: GruLayer, steps: int, lanes: int, **extra: Any) -> ModelWrapper:
    """A graph of one GRU node "gru"; its inputs are "x" and "h0", as far as the layer has them."""
    inputs = []
    if layer.formats.input is not None:
        inputs.append(("x", [1, steps, lanes, layer.inputs], layer.formats.input))
    if layer.initial_state:
        inputs.append(("h0", [1, lanes, layer.hidden], layer.formats.state))
    times = [steps] if layer.sequence else []
    node = _node(
        "GRU", "gru", [name for name, _, _ in inputs], "y", gru_attributes(layer, steps, lanes) | extra
    )
    return _model([node], inputs, [1, *times, lanes, layer.hidden], {})


def dense_model(layer: DenseLayer, steps: int, lanes: int, **extra: Any) -> ModelWrapper:
    """A graph of one DenseHead node "head" from "x" to "y"."""
    node = _node("DenseHead", "head", ["x"], "y", dense_attributes(layer, steps, lanes) | extra)
    shape = [1, steps, lanes]
    return _model([node], [("x", [*shape, layer.inputs], layer.input_format)], [*shape, layer.outputs], {})


def network_model(network: Seq2SeqNetwork, lanes: int) -> ModelWrapper:
    """A graph encoder -> decoder -> head from "x" to "y"."""
    steps, hidden = network.steps, network.encoder.hidden
    nodes = [
        _node("GRU", "encoder", ["x"], "state", gru_attributes(network.encoder, steps, lanes)),
        _node("GRU", "decoder", ["state"], "states", gru_attributes(network.decoder, steps, lanes)),
        _node("DenseHead", "head", ["states"], "y", dense_attributes(network.head, steps, lanes)),
    ]
    between = {"state": [1, lanes, hidden], "states": [1, steps, lanes, hidden]}
    inputs = [("x", [1, steps, lanes, network.encoder.inputs], network.input_format)]
    return _model(nodes, inputs, [1, steps, lanes, network.head.outputs], between)


def _node(op_type: str, name: str, inputs: list[str], output: str, attributes: dict[str, Any]) -> Any:
    node = helper.make_node(op_type, inputs, [output], name=name, domain=DOMAIN, backend="fpgadataflow")
    node.attribute.extend(_attribute(key, value) for key, value in attributes.items())
    return node


def _attribute(name: str, value: Any) -> AttributeProto:
    return helper.make_attribute(
        name, numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
    )


def _model(
    nodes: list[Any],
    inputs: list[tuple[str, list[int], Format]],
    output_shape: list[int],
    between: dict[str, list[int]],
) -> ModelWrapper:
    def tensor(name: str, shape: list[int]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes,
        "graph",
        [tensor(name, shape) for name, shape, _ in inputs],
        [tensor("y", output_shape)],
        value_info=[tensor(name, shape) for name, shape in between.items()],
    )
    model = ModelWrapper(qonnx_make_model(graph))
    for name, _, fmt in inputs:
        model.set_tensor_datatype(name, DataType[f"{'INT' if fmt.signed else 'UINT'}{fmt.bits}"])
    return model
