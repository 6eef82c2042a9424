# SPDX-License-Identifier: BSD-3-Clause
"""Nodes that route streams, made beside the layers that they serve."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.codegen.types import divisors
from finn_flirnn.hwops.attributes import format_to_text
from finn_flirnn.hwops.stream_op import Stream, StreamOp


def routing_node(
    like: NodeProto, op_type: str, name: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any
) -> NodeProto:
    """A routing node of the same kind as ``like``: abstract, or RTL."""
    suffix = "_rtl" if like.op_type.endswith("_rtl") else ""
    node = helper.make_node(
        op_type + suffix, list(inputs), list(outputs), name=name, domain=like.domain, backend="fpgadataflow"
    )
    for key, value in {"layer": name, "multiplier": getCustomOp(like).multiplier.name, **attributes}.items():
        node.attribute.append(helper.make_attribute(key, value))
    return node


def tensor_attributes(stream: Stream, elements: int) -> dict[str, Any]:
    """The attributes of a routing node for a tensor, at so many codes a transfer."""
    *times, lanes, features = stream.shape[1:]
    return {
        "steps": times[0] if times else 0,
        "lanes": lanes,
        "features": features,
        "elements": elements,
        "fmt": format_to_text(stream.format),
    }


def elements_in_time(stream: Stream, cycles: int) -> int:
    """The fewest codes a transfer with which a tensor passes in so many cycles; all features if none do.

    Wider streams cost area, narrower ones would hold up what they join.
    """
    features = stream.shape[-1]
    vectors = prod(stream.shape[:-1])
    return next((e for e in divisors(features) if vectors * (features // e) <= cycles), features)


def annotate(model: ModelWrapper, node: NodeProto) -> None:
    """Note shapes and datatypes of a node's outputs, as its op tells them."""
    for stream, name in zip(getCustomOp(node).output_streams(), node.output, strict=True):
        if name not in {value.name for value in model.graph.output}:
            model.set_tensor_shape(name, list(stream.shape), TensorProto.FLOAT)
        model.set_tensor_datatype(name, stream.datatype)


def has_split_lanes(op: StreamOp) -> bool:
    """Whether an op works, after SplitLanes, on another number of lanes than its neighbours."""
    values = [op.get_nodeattr(name) for name in ("groups", "out_lanes") if name in op.get_nodeattr_types()]
    return any(value > 1 for value in values)
