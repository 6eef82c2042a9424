# SPDX-License-Identifier: BSD-3-Clause
"""Unroll a recurrent layer in time: several engines in a chain, each for a part of the steps."""

from __future__ import annotations

from collections.abc import Mapping

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen.types import divisors
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.folding import layer_name
from finn_flirnn.transforms.routing_nodes import (
    annotate,
    elements_in_time,
    has_split_lanes,
    routing_node,
    tensor_attributes,
)


class UnrollRecurrence(Transformation):  # type: ignore[misc]
    """One GRU of T steps -> ``factor`` GRUs of T / factor steps that hand the state on as a stream.

    before: x -> GRU(T) -> y
    after:  x -> Deal -> x0, x1, ...          (if the layer has an input)
            h0, x0 -> GRU(T/f) -> y0 -> Fork -> Collect -> y
                                          '---> LastStep -> h1
            h1, x1 -> GRU(T/f) -> y1 ----------> Collect
    A layer that gives its last state alone needs neither Fork nor Collect: its output is the next one's
    first state.

    The engines work on successive groups at a time, so the rate is ``factor`` times that of one engine
    of the same folding. factor = T leaves engines of one step, without feedback.

    factor: for every GRU, or layer name -> factor; a layer not named stays as it is.
    Raises ValueError for a name that no GRU has, ConversionError if a factor does not divide the steps.
    """

    def __init__(self, factor: int | Mapping[str, int]) -> None:
        super().__init__()
        self.factor = factor

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        layers = {
            layer_name(node): node for node in model.graph.node if node.op_type.removesuffix("_rtl") == "GRU"
        }
        factors = dict.fromkeys(layers, self.factor) if isinstance(self.factor, int) else self.factor
        if unknown := sorted(set(factors) - set(layers)):
            raise ValueError(f"no GRU is named {', '.join(unknown)}; choose from {list(layers)}")
        for name, factor in factors.items():
            op = getCustomOp(layers[name])
            if factor > 1 and has_split_lanes(op):
                raise ConversionError(
                    label(layers[name]),
                    "its groups change their lanes; unroll it before SplitLanes, or do not",
                )
            steps = op.steps
            if factor < 1 or steps % factor:
                raise ConversionError(
                    label(layers[name]),
                    f"its {steps} steps must be a multiple of factor={factor}; "
                    f"choose factor from {divisors(steps)}",
                )
        for name, factor in factors.items():
            if factor > 1:
                _unroll(model, layers[name], name, factor)
        return model, False


def _unroll(model: ModelWrapper, old: NodeProto, name: str, factor: int) -> None:
    op = getCustomOp(old)
    steps = op.steps // factor
    inputs, output = list(old.input), old.output[0]
    x = inputs.pop(0) if op.layer.inputs else None
    parts = [
        _engine(old, f"{name}_part{k}", steps, initial=bool(k) or op.layer.initial_state)
        for k in range(factor)
    ]
    cycles = getCustomOp(parts[-1]).get_exp_cycles()
    nodes: list[NodeProto] = []
    if x is not None:
        given = op.input_streams()[0]
        dealt = [f"{part.name}_x" for part in parts]
        whole = tensor_attributes(given, elements_in_time(given, cycles))
        nodes.append(routing_node(old, "Deal", f"{name}_deal", [x], dealt, parts=factor, **whole))
        for part, tensor in zip(parts, dealt, strict=True):
            part.input.append(tensor)
    state = inputs[0] if inputs else None
    collected = []
    for part in parts:
        if state is not None:
            part.input.append(state)
        last = part is parts[-1]
        state = f"{part.name}_state"
        if not op.layer.sequence:
            part.output.append(output if last else state)
            nodes.append(part)
        else:
            part.output.append(f"{part.name}_y")
            nodes.append(part)
            collected.append(part.output[0] if last else _hand_on(nodes, part, state))
    if op.layer.sequence:
        made = op.output_streams()[0]
        whole = tensor_attributes(made, elements_in_time(made, cycles))
        nodes.append(
            routing_node(old, "Collect", f"{name}_collect", collected, [output], parts=factor, **whole)
        )
    position = model.get_node_index(old)
    model.graph.node.remove(old)
    for offset, node in enumerate(nodes):
        model.graph.node.insert(position + offset, node)
        annotate(model, node)


def _engine(old: NodeProto, name: str, steps: int, initial: bool) -> NodeProto:
    """The layer's node for fewer steps, its ends still open."""
    part = NodeProto()
    part.CopyFrom(old)
    part.name = name
    del part.input[:], part.output[:]
    op = getCustomOp(part)
    for key, value in {"steps": steps, "initial_state": int(initial), "layer": name}.items():
        op.set_nodeattr(key, value)
    return part


def _hand_on(nodes: list[NodeProto], part: NodeProto, state: str) -> str:
    """Fork a sequence off its last step, which becomes tensor ``state``; returns the sequence."""
    stream = getCustomOp(part).output_streams()[0]
    whole = tensor_attributes(stream, stream.elements)
    sequence, ending = f"{part.name}_sequence", f"{part.name}_ending"
    nodes.append(
        routing_node(part, "Fork", f"{part.name}_fork", part.output, [sequence, ending], parts=2, **whole)
    )
    nodes.append(routing_node(part, "LastStep", f"{part.name}_last", [ending], [state], **whole))
    return sequence
