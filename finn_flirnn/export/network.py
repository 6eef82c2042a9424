# SPDX-License-Identifier: BSD-3-Clause
"""Networks and layers as QONNX models: the recurrence is a Scan with Quant nodes in its body.

    x -> Quant -> Scan "encoder" -> Scan "decoder" -> MatMul "head" -> Add -> Quant -> y

A stack has more Scans, "encoder2", "decoder2" and so on; without decoder the head reads the last state.
Real values at the borders, float32; layout (batch, time, features).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import onnx
from onnx import ModelProto, ValueInfoProto, helper

from finn_flirnn import __version__
from finn_flirnn.export.cell import cell_body, exact_real
from finn_flirnn.export.graph import QUANT_DOMAIN, GraphBuilder
from finn_flirnn.export.quant_function import quant_function
from finn_flirnn.numerics import DenseLayer, Format, GruLayer, Seq2SeqNetwork
from finn_flirnn.numerics.magnitude import dense_magnitude
from finn_flirnn.numerics.seq2seq import layer_name

OPSET = 17
"""FINN's checker takes at most 19."""
IR_VERSION = 8
"""The first with model-local functions; what opset 17 came with."""
GREATEST_REAL_BITS = 24
"""float32 holds the codes at a model's borders and between its layers."""
PRODUCER = "finn_flirnn"
ENCODER, DECODER, HEAD, LAYER = "encoder", "decoder", "head", "gru"
"""Names of the layers' nodes; LAYER: that of a single GRU."""
INPUT, INITIAL_STATE, OUTPUT = "x", "h0", "y"
"""Names of the model's tensors."""
DYNAMIC_BATCH = "batch"

Exportable = Seq2SeqNetwork | GruLayer


@runtime_checkable
class HasNetwork(Protocol):
    """A model with an integer oracle, such as models.Seq2SeqLite."""

    def to_network(self) -> Seq2SeqNetwork:
        """The oracle."""


@runtime_checkable
class HasLayer(Protocol):
    """A layer with an integer oracle, such as models.QuantGRU."""

    def to_layer(self) -> GruLayer:
        """The oracle."""


def export_qonnx(
    model: Exportable | HasNetwork | HasLayer,
    path: Path | str,
    *,
    batch: int | None = None,
    steps: int | None = None,
) -> ModelProto:
    """Write a trained model, or its oracle, as one QONNX file and return it.

    batch: fixed number of sequences; hardware takes it as its lanes. None: any number, which onnxruntime
    takes, FINN does not.
    steps: time steps, for a GRU alone (a Seq2SeqLite knows its own).
    Raises ValueError if the model does not fit these, or TypeError if it is no model of ours.
    """
    exported = build_qonnx(oracle_of(model), batch=batch, steps=steps)
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, str(path))
    return exported


def oracle_of(model: Exportable | HasNetwork | HasLayer) -> Exportable:
    """The integer oracle of a model, a layer or an oracle."""
    if isinstance(model, Exportable):
        return model
    if isinstance(model, HasNetwork):
        return model.to_network()
    if isinstance(model, HasLayer) and isinstance(layer := model.to_layer(), GruLayer):
        return layer
    raise TypeError(
        f"cannot export a {type(model).__name__}; give a Seq2SeqLite, a QuantGRU, or an oracle: "
        "a Seq2SeqNetwork or a GruLayer"
    )


def build_qonnx(oracle: Exportable, *, batch: int | None = None, steps: int | None = None) -> ModelProto:
    """The QONNX model of an oracle; arguments as ``export_qonnx``."""
    if batch is not None and batch < 1:
        raise ValueError(f"batch={batch} must be at least 1, or None for any number")
    if isinstance(oracle, Seq2SeqNetwork):
        if steps not in (None, oracle.steps):
            raise ValueError(f"steps={steps} must be the network's {oracle.steps}; leave it out")
        return _network_model(oracle, batch or DYNAMIC_BATCH)
    if steps is None or steps < 1:
        raise ValueError(f"steps={steps} must be given for a GRU alone, and be at least 1")
    if batch is None and not oracle.inputs and not oracle.initial_state:
        raise ValueError("batch must be given for a GRU with neither input nor initial state")
    return _layer_model(oracle, steps, batch or DYNAMIC_BATCH)


def _network_model(network: Seq2SeqNetwork, batch: int | str) -> ModelProto:
    g = GraphBuilder("", np.float32)
    shape: list[int | str] = [batch, network.steps, network.inputs]
    x = g.typed(INPUT, shape)
    value: str | None = _quantised(g, INPUT, network.input_format, "x_quant", shape)
    last = []
    for index, layer in enumerate(network.encoders):
        state, value = _scan(g, layer_name(ENCODER, index), layer, network.steps, batch, value, None)
        last.append(state)
    for index, (layer, first) in enumerate(zip(network.decoders, last, strict=False)):
        _, value = _scan(g, layer_name(DECODER, index), layer, network.steps, batch, value, first)
    y = _head(g, network.head, value or last[-1], [batch, *network.output_shape[:-1]])
    formats = {name: asdict(layer.formats) for name, layer in network.recurrent.items()}
    layers = {**formats, HEAD: _dense_formats(network.head)}
    borders = {INPUT: network.input_format, OUTPUT: network.output_format}
    return _model(g, [x], [y], _metadata(network.steps, borders, layers))


def _layer_model(layer: GruLayer, steps: int, batch: int | str) -> ModelProto:
    g = GraphBuilder("", np.float32)
    state = layer.formats.state
    inputs, borders = [], {OUTPUT: state}
    x = first = None
    if layer.formats.input is not None:
        shape: list[int | str] = [batch, steps, layer.inputs]
        inputs.append(g.typed(INPUT, shape))
        x = _quantised(g, INPUT, layer.formats.input, "x_quant", shape)
        borders[INPUT] = layer.formats.input
    if layer.initial_state:
        inputs.append(g.typed(INITIAL_STATE, [batch, layer.hidden]))
        first = _quantised(g, INITIAL_STATE, state, "h0_quant", [batch, layer.hidden])
        borders[INITIAL_STATE] = state
    last, states = _scan(g, LAYER, layer, steps, batch, x, first)
    middle = [steps] if layer.sequence else []
    y = g.typed(g.node("Identity", [states or last], OUTPUT), [batch, *middle, layer.hidden])
    return _model(g, inputs, [y], _metadata(steps, borders, {LAYER: asdict(layer.formats)}))


def _scan(
    g: GraphBuilder,
    name: str,
    layer: GruLayer,
    steps: int,
    batch: int | str,
    x: str | None,
    h0: str | None,
) -> tuple[str, str | None]:
    """Append a layer; returns its last state, and its states if it gives them."""
    if layer.formats.state.bits > GREATEST_REAL_BITS:
        raise ValueError(
            f"the state of {name} has {layer.formats.state.bits} bits, more than the {GREATEST_REAL_BITS} "
            "that float32 holds; use fewer"
        )
    first = h0 or _zero_state(g, name, layer.hidden, batch, x)
    # a Scan needs something to scan: a layer without input counts ticks, and does not look at them
    scanned = x or g.constant(f"{name}_ticks", np.zeros(steps))
    last, *states = g.multi(
        "Scan",
        [first, scanned],
        [f"{name}_last", *([f"{name}_states"] if layer.sequence else [])],
        name,
        body=cell_body(name, layer, batch),
        num_scan_inputs=1,
        scan_input_axes=[1 if x else 0],
        **({"scan_output_axes": [1]} if layer.sequence else {}),
    )
    g.typed(last, [batch, layer.hidden])
    for value in states:
        g.typed(value, [batch, steps, layer.hidden])
    return last, states[0] if states else None


def _zero_state(g: GraphBuilder, name: str, hidden: int, batch: int | str, x: str | None) -> str:
    if isinstance(batch, int):
        return g.constant(f"{name}_zero", np.zeros((batch, hidden)))
    assert x is not None
    size = g.node("Shape", [x], f"{name}_batch", start=0, end=1)
    units = g.constant(f"{name}_units", [hidden], np.int64)
    shape = g.node("Concat", [size, units], f"{name}_shape", axis=0)
    zero = g.node("ConstantOfShape", [shape], f"{name}_zero")
    g.typed(zero, [batch, hidden])
    return zero


def _head(graph: GraphBuilder, head: DenseLayer, states: str, positions: list[int | str]) -> ValueInfoProto:
    """y = Quant(states W^T + b), in float64 if the sums need it."""
    g = graph.in_type(exact_real(HEAD, dense_magnitude(head)))
    single = g.real == np.float32
    wide = states if single else g.cast(states, g.real, "head_wide")
    weight = g.quantised_constant("head_weight", head.weight, head.weight_format)
    columns = g.node("Transpose", [weight], "head_weight_columns", perm=[1, 0])
    bias = g.constant("head_bias", np.ldexp(head.bias.astype(np.float64), -head.product_frac))
    product = g.node("MatMul", [wide, columns], "head_product", name=HEAD)
    total = g.node("Add", [product, bias], "head_sum")
    y = g.quant(total, head.output_format, OUTPUT if single else "head_wide_output", name="head_quant")
    shape = [*positions, head.outputs]
    for value in (product, total, *([] if single else [y])):
        g.typed(value, shape, g.real)
    if not single:
        g.typed(wide, [*positions, head.inputs], g.real)
    return g.typed(y if single else g.cast(y, np.float32, OUTPUT), shape)


def _quantised(g: GraphBuilder, value: str, fmt: Format, output: str, shape: list[int | str]) -> str:
    """A real input of the model, quantised once."""
    quantised = g.quant(value, fmt, output)
    g.typed(quantised, shape)
    return quantised


def _model(
    g: GraphBuilder, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], metadata: dict[str, Any]
) -> ModelProto:
    """The finished model with its definition of Quant and what a reader must know of it."""
    for info in (*inputs, *outputs):
        bits = metadata["formats"][info.name]["bits"]
        if bits > GREATEST_REAL_BITS:
            raise ValueError(
                f"{info.name} has {bits} bits, more than the {GREATEST_REAL_BITS} that float32 holds; "
                "use fewer"
            )
    model = helper.make_model(
        g.graph(PRODUCER, inputs, outputs),
        producer_name=PRODUCER,
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(QUANT_DOMAIN, 1)],
        functions=[quant_function(OPSET)],
    )
    properties = {"finn_flirnn_version": __version__} | {
        f"finn_flirnn_{key}": json.dumps(value, sort_keys=True) for key, value in metadata.items()
    }
    helper.set_model_props(model, properties)
    return model


def _metadata(steps: int, borders: dict[str, Format], layers: dict[str, Any]) -> dict[str, Any]:
    """Steps, the formats and scales of the borders, the formats of the layers."""
    return {
        "steps": steps,
        "formats": {name: asdict(fmt) for name, fmt in borders.items()},
        "scales": {name: fmt.scale for name, fmt in borders.items()},
        "layers": layers,
    }


def _dense_formats(head: DenseLayer) -> dict[str, Any]:
    formats = {"input": head.input_format, "weight": head.weight_format, "output": head.output_format}
    return {role: asdict(fmt) for role, fmt in formats.items()}
