# SPDX-License-Identifier: BSD-3-Clause
"""MatMul, Add and Quant after a recurrent layer -> hardware layer DenseHead."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.hwops.attributes import dense_attributes
from finn_flirnn.numerics import Codes, DenseLayer
from finn_flirnn.numerics.magnitude import FLOAT32_EXACT, FLOAT64_EXACT, dense_magnitude
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.graph_edit import (
    LayerWriter,
    check_opset,
    constant_of,
    format_of,
    is_hardware,
    shape_of,
)
from finn_flirnn.transforms.quantiser import is_quant, quant_format


class InferDenseHead(Transformation):  # type: ignore[misc]
    """Convert every dense layer that follows a recurrent layer.

    before: states (C, T, H) -> MatMul(Quant(W)) -> Add(b) -> Quant -> y (C, T, O)
    after:  states -> Mul -> Unsqueeze -> Transpose -> DenseHead -> Transpose -> Squeeze -> Mul -> y
                             codes, (1, T, C, H)                   codes, (1, T, C, O)

    Behind a last state (C, H) there is no time, and so no Transpose: codes (1, C, H) and (1, C, O).

    Apply InferRecurrentLayer first. A MatMul elsewhere is left alone. Raises ConversionError if a
    MatMul behind a recurrent layer cannot be converted exactly.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Convert the first; True as long as there was one."""
        for node in model.graph.node:
            if node.op_type == "MatMul" and _follows_layer(model, node.input[0]):
                _convert(model, node)
                return model, True
        return model, False


def _follows_layer(model: ModelWrapper, name: str) -> bool:
    node = model.find_producer(name)
    while node is not None and node.op_type in ("Mul", "Squeeze", "Transpose", "Cast", "Identity"):
        node = model.find_producer(node.input[0])
    return is_hardware(node, "GRU") or is_hardware(node, "DenseHead")


def _convert(model: ModelWrapper, node: NodeProto) -> None:
    opset = check_opset(model, node)
    states = _before_casts(model, node.input[0])
    found = constant_of(model, node.input[1], opset)
    input_format = format_of(model, states)
    shape = shape_of(model, states)
    if found is None or found[1] is None or found[0].ndim != 2:
        raise ConversionError(
            label(node), "its weights must be a constant matrix from a Quant node; quantise it"
        )
    if input_format is None or shape is None or len(shape) not in (2, 3) or min(shape) < 1:
        raise ConversionError(
            label(node), f"it must take the states (C, T, H) or (C, H) of a recurrent layer, got {shape}"
        )
    columns, weight_format = found[0], found[1]
    product_frac = weight_format.frac + input_format.frac
    quant, between, bias = _quantised_sum(model, node, opset)
    layer = DenseLayer(
        input_format=input_format,
        weight_format=weight_format,
        output_format=quant_format(quant, model.get_initializer),
        weight=weight_format.quantise(columns.T),
        bias=_bias_codes(node, bias, columns.shape[1], product_frac),
    )
    _check_exact(model, node, layer)
    lanes, *steps, _ = shape
    writer = LayerWriter(model, node)
    codes = writer.codes(states, input_format, swap=bool(steps), role="input")
    out_shape = [1, *steps, lanes, layer.outputs]
    hardware = writer.layer(
        "DenseHead", [codes], out_shape, layer.output_format, dense_attributes(layer, sum(steps), lanes)
    )
    writer.reals(hardware, out_shape, layer.output_format, between[-1].output[0], swap=bool(steps))
    writer.replace(node, between)


def _quantised_sum(
    model: ModelWrapper, node: NodeProto, opset: int
) -> tuple[NodeProto, list[NodeProto], np.ndarray | None]:
    """The Quant behind a product, the nodes up to it (and a Cast behind it), and the bias."""
    between: list[NodeProto] = []
    bias = None
    current = _only_consumer(model, node)
    if current.op_type == "Add":
        tensor = next(name for name in current.input if name != node.output[0])
        found = constant_of(model, tensor, opset)
        if found is None:
            raise ConversionError(label(current), "the bias must be a constant")
        bias = found[0]
        between.append(current)
        current = _only_consumer(model, current)
    if not is_quant(current):
        raise ConversionError(
            label(node),
            f"must be followed by Add of a bias and Quant, found {current.op_type}; quantise its output",
        )
    between.append(current)
    consumers = model.find_consumers(current.output[0])
    if len(consumers) == 1 and consumers[0].op_type == "Cast":
        between.append(consumers[0])
    return current, between, bias


def _only_consumer(model: ModelWrapper, node: NodeProto) -> NodeProto:
    consumers = model.find_consumers(node.output[0])
    if len(consumers) != 1 or node.output[0] in {output.name for output in model.graph.output}:
        raise ConversionError(
            label(node), "its unquantised result must go to one node, an Add or a Quant; quantise it first"
        )
    consumer: NodeProto = consumers[0]
    return consumer


def _before_casts(model: ModelWrapper, name: str) -> str:
    """The float32 tensor before a widening Cast."""
    node = model.find_producer(name)
    while node is not None and node.op_type == "Cast":
        name = node.input[0]
        node = model.find_producer(name)
    return name


def _bias_codes(node: NodeProto, bias: np.ndarray | None, outputs: int, frac: int) -> Codes:
    if bias is None:
        return np.zeros(outputs, dtype=np.int64)
    if bias.size not in (1, outputs):
        raise ConversionError(label(node), f"its bias has shape {bias.shape}, expected ({outputs},)")
    scaled = np.broadcast_to(bias.astype(np.float64).ravel() * 2.0**frac, (outputs,))
    if not np.array_equal(scaled, np.rint(scaled)):
        raise ConversionError(
            label(node), f"its bias must be a multiple of 2^{-frac}, the scale of the products; quantise it"
        )
    return scaled.astype(np.int64)


def _check_exact(model: ModelWrapper, node: NodeProto, layer: DenseLayer) -> None:
    producer = model.find_producer(node.input[0])
    wide = producer is not None and producer.op_type == "Cast"
    magnitude = dense_magnitude(layer)
    if magnitude > (FLOAT64_EXACT if wide else FLOAT32_EXACT):
        raise ConversionError(
            label(node),
            f"its sums reach 2^{magnitude.bit_length()} units, "
            f"which {'double' if wide else 'float32'} rounds; "
            f"{'use fewer bits' if wide else 'export the head in double or use fewer bits'}",
        )
