# SPDX-License-Identifier: BSD-3-Clause
"""Scan with a quantised GRU cell in its body -> hardware layer GRU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import NodeProto, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.hwops.attributes import gru_attributes
from finn_flirnn.numerics import GruLayer
from finn_flirnn.transforms.cell_match import match_gru
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.graph_edit import LayerWriter, check_opset, format_of, shape_of
from finn_flirnn.transforms.onnx_values import attributes_of, initialisers_of


class InferRecurrentLayer(Transformation):  # type: ignore[misc]
    """Convert every Scan to a GRU layer, in the order of the graph.

    before: x (C, T, I) -> Scan(h0 (C, H), x){ quantised GRU cell } -> states (C, T, H)
    after:  x -> Mul -> Unsqueeze -> Transpose -> GRU -> Transpose -> Squeeze -> Mul -> states
                        codes, (1, T, C, I)             codes, (1, T, C, H)

    A Scan whose states and last state are both read, as in a stack, gets a Fork behind it, and a LastStep
    on one of its ends.

    The cell is recognised by what it computes. C, the batch, becomes the lanes. The first state is an
    input of the layer (1, C, H) unless it is a constant zero. CancelInversePairs removes the layout
    changes between layers. Raises ConversionError, and changes nothing, if a Scan is no GRU that the
    hardware equals exactly.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Convert the first Scan; True as long as there was one."""
        for node in model.graph.node:
            if node.op_type in ("Loop", "RNN", "LSTM", "GRU") and node.domain in ("", "ai.onnx"):
                raise ConversionError(
                    label(node),
                    f"{node.op_type} holds no quantisers; export the recurrence as a Scan with Quant nodes",
                )
            if node.op_type == "Scan":
                _convert(model, node)
                return model, True
        return model, False


@dataclass(frozen=True)
class _Scan:
    """What a Scan reads and gives. time_in, time_out: axis of time. steps T, lanes C.

    last, states: names of what it gives, "" for what nobody reads.
    """

    state: str
    scanned: str
    last: str
    states: str
    time_in: int
    time_out: int
    steps: int
    lanes: int


def _convert(model: ModelWrapper, node: NodeProto) -> None:
    opset = check_opset(model, node)
    body = attributes_of(node)["body"]
    scan = _read(model, node)
    zero = _is_zero(model, node, scan.state)
    input_format = format_of(model, scan.scanned)
    if input_format is None and model.get_initializer(scan.scanned) is None:
        raise ConversionError(
            label(node), f"its input {scan.scanned} must come from a Quant node; quantise it"
        )
    layer = match_gru(
        node,
        body,
        opset,
        initialisers_of(model.graph),
        input_format,
        sequence=bool(scan.states),
        initial_state=not zero,
    )
    _check_state(model, node, scan, layer)
    writer = LayerWriter(model, node)
    f, inputs = layer.formats, []
    if f.input is not None:
        inputs.append(writer.codes(scan.scanned, f.input, swap=scan.time_in == 1, role="input"))
    if layer.initial_state:
        inputs.append(writer.codes(scan.state, f.state, swap=False, role="state"))
    steps = [scan.steps] if layer.sequence else []
    shape = [1, *steps, scan.lanes, layer.hidden]
    output = writer.layer("GRU", inputs, shape, f.state, gru_attributes(layer, scan.steps, scan.lanes))
    swap = layer.sequence and scan.time_out == 1
    if scan.last and scan.states:
        output, ending = writer.fork(output, shape, f.state)
        last = writer.last_step(ending, shape, f.state)
        writer.reals(last, [1, scan.lanes, layer.hidden], f.state, scan.last, swap=False, role="last")
    writer.reals(output, shape, f.state, scan.states or scan.last, swap=swap)
    writer.replace(node, [])


def _read(model: ModelWrapper, node: NodeProto) -> _Scan:
    """The Scan's borders. Raises ConversionError if a GRU layer has no such borders."""
    name, attributes = label(node), attributes_of(node)
    body = attributes["body"]
    states = len(node.input) - attributes["num_scan_inputs"]
    if states != 1:
        raise ConversionError(
            name, f"it carries {states} states, a GRU carries one; LSTM and others are not supported"
        )
    if attributes["num_scan_inputs"] != 1 or len(body.output) > 2:
        raise ConversionError(
            name, "it must scan one tensor and give its state, or its states as one sequence"
        )
    if any(attributes.get("scan_input_directions", [])) or any(attributes.get("scan_output_directions", [])):
        raise ConversionError(name, "it runs backwards; only forward scans are supported")
    last, *sequences = (output if output and _is_read(model, output) else "" for output in node.output)
    states = sequences[0] if sequences else ""
    if not last and not states:
        raise ConversionError(
            name,
            f"one of its outputs {list(node.output)} must be used: its last state, or its states",
        )
    state_shape = shape_of(model, node.input[0]) or _body_shape(body.input[0])
    shape = shape_of(model, node.input[1])
    time_in = attributes.get("scan_input_axes", [0])[0] % max(len(shape or [0]), 1)
    time_out = attributes.get("scan_output_axes", [0])[0] % 3
    if not state_shape or len(state_shape) != 2 or state_shape[0] < 1:
        raise ConversionError(
            name, f"its batch must be fixed, the state has shape {state_shape}; apply FixBatch first"
        )
    if not shape or shape[time_in] < 1 or time_in > 1 or time_out > 1:
        raise ConversionError(
            name, f"it must scan axis 0 or 1 of known length, got axis {time_in} of {shape}"
        )
    return _Scan(
        node.input[0], node.input[1], last, states, time_in, time_out, shape[time_in], state_shape[0]
    )


def _check_state(model: ModelWrapper, node: NodeProto, scan: _Scan, layer: GruLayer) -> None:
    if layer.initial_state and (found := format_of(model, scan.state)) != layer.formats.state:
        raise ConversionError(
            label(node),
            f"its first state must have the state's format {layer.formats.state}, found {found}; "
            "quantise it so",
        )


def _is_zero(model: ModelWrapper, node: NodeProto, state: str) -> bool:
    """Whether the first state is a constant zero (a constant of another value is refused)."""
    value = model.get_initializer(state)
    producer = model.find_producer(state)
    if value is None and producer is not None and producer.op_type == "ConstantOfShape":
        fill = attributes_of(producer).get("value")
        value = np.zeros(1) if fill is None else numpy_helper.to_array(fill)
    if value is not None and np.any(value):
        raise ConversionError(label(node), "its first state is a constant other than zero; make it an input")
    return value is not None


def _is_read(model: ModelWrapper, name: str) -> bool:
    return bool(model.find_consumers(name)) or name in {output.name for output in model.graph.output}


def _body_shape(info: Any) -> list[int]:
    return [dim.dim_value for dim in info.type.tensor_type.shape.dim]
