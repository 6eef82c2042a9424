# SPDX-License-Identifier: BSD-3-Clause
"""Set the folding of recurrent and dense layers from a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen import Multiplier
from finn_flirnn.codegen.types import divisors

LayerFolding = Mapping[str, int]


class SetRecurrentFolding(Transformation):  # type: ignore[misc]
    """Set PE, SIMD and InputSIMD of every layer of ours.

    before: encoder: GRU(PE=1, SIMD=1, InputSIMD=1) -> head: DenseHead(PE=1, SIMD=1)
    after:  encoder: GRU(PE=4, SIMD=8, InputSIMD=1) -> head: DenseHead(PE=3, SIMD=4)

    folding: layer name -> {"PE": ..., "SIMD": ..., "InputSIMD": ...}; a value left out is 1. A layer's
    name is the name of its node; it is kept as attribute "layer", since FINN renames the nodes later.
    A GRU also takes "CellDSP": 0 (its cell's products in look-up tables) or 1.
    multiplier: the device's; it decides how products are packed. Other ops follow their neighbours.
    Raises ValueError with all problems at once: a layer without folding, a folding without layer, a key
    that the layer does not have, a value that does not divide what it folds.
    """

    def __init__(
        self, folding: Mapping[str, LayerFolding], multiplier: Multiplier = Multiplier.DSP48E2
    ) -> None:
        super().__init__()
        self.folding = folding
        self.multiplier = multiplier

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Check everything, then set it. One pass."""
        ops = {layer_name(node): getCustomOp(node) for node in model.graph.node if is_recurrent_layer(node)}
        problems = [f"no layer is named {n}; choose from {list(ops)}" for n in self.folding if n not in ops]
        for name, op in ops.items():
            if name in self.folding:
                problems += _problems(name, op, self.folding[name])
            else:
                problems.append(f"layer {name} has no folding; give it one of {list(_folded(op))}")
        if problems:
            raise ValueError("the folding does not fit the model: " + "; ".join(problems))
        for name, op in ops.items():
            op.set_nodeattr("layer", name)
            op.set_nodeattr("multiplier", self.multiplier.name)
            for key in _folded(op):
                op.set_nodeattr(key, self.folding[name].get(key, 1))
            for key in _switches(op):
                op.set_nodeattr(key, self.folding[name].get(key, 1))
        for node in model.get_nodes_by_op_type("LaneTransposer"):
            _follow(model, node)
        for node in model.graph.node:
            if node.op_type.removesuffix("_rtl") in ("Fork", "LastStep"):
                _take_width(model, node, self.multiplier)
        return model, False


def is_recurrent_layer(node: Any) -> bool:
    """Whether a node is a GRU or a dense head of ours, abstract or in RTL."""
    return node.op_type.removesuffix("_rtl") in ("GRU", "DenseHead")


def layer_name(node: Any) -> str:
    """The name of a layer as in the imported model."""
    return getCustomOp(node).get_nodeattr("layer") or str(node.name)


def _follow(model: ModelWrapper, node: Any) -> None:
    """Let a transposer take and give as many codes a transfer as the layer beside it."""
    behind, before = model.find_consumer(node.output[0]), model.find_producer(node.input[0])
    if behind is not None and is_recurrent_layer(behind):
        elements = getCustomOp(behind).get_folded_input_shape()[-1]
    else:
        elements = getCustomOp(before).get_folded_output_shape()[-1]
    getCustomOp(node).set_nodeattr("PE", int(elements))


def _take_width(model: ModelWrapper, node: Any, multiplier: Multiplier) -> None:
    """Let a Fork or LastStep take as many codes a transfer as the layer or Fork before it gives."""
    before = getCustomOp(model.find_producer(node.input[0]))
    op = getCustomOp(node)
    op.set_nodeattr("elements", int(before.get_folded_output_shape()[-1]))
    op.set_nodeattr("multiplier", multiplier.name)


def _folded(op: Any) -> dict[str, tuple[int, str]]:
    """Folding attribute -> the number that it must divide, and what that number is."""
    layer = op.layer
    if op.onnx_node.op_type.startswith("GRU"):
        return {
            "PE": (layer.hidden, "hidden units"),
            "SIMD": (layer.hidden, "hidden units"),
            "InputSIMD": (max(layer.inputs, 1), "inputs"),
        }
    return {"PE": (layer.outputs, "outputs"), "SIMD": (layer.inputs, "inputs")}


def _switches(op: Any) -> tuple[str, ...]:
    """Attributes that are 0 or 1."""
    return ("CellDSP",) if op.onnx_node.op_type.startswith("GRU") else ()


def _problems(name: str, op: Any, folding: LayerFolding) -> list[str]:
    folded = _folded(op)
    switches = _switches(op)
    known = [*folded, *switches]
    problems = [f"{name} has no {key}; choose from {known}" for key in folding if key not in known]
    problems += [
        f"{name}: {key}={folding[key]} must be 0 or 1; choose one of them"
        for key in switches
        if folding.get(key, 1) not in (0, 1)
    ]
    for key, (whole, what) in folded.items():
        value = folding.get(key, 1)
        if value < 1 or whole % value:
            problems.append(
                f"{name}: {key}={value} must divide its {whole} {what}; choose from {divisors(whole)}"
            )
    return problems
