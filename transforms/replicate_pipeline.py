# SPDX-License-Identifier: BSD-3-Clause
"""Copy the whole pipeline, to work on several groups of pixels side by side."""

from __future__ import annotations

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen.types import divisors
from finn_flirnn.hwops.routing import LANES
from finn_flirnn.hwops.stream_op import Stream
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.folding import layer_name
from finn_flirnn.transforms.graph_edit import HARDWARE_DOMAIN
from finn_flirnn.transforms.routing_nodes import (
    annotate,
    elements_in_time,
    has_split_lanes,
    routing_node,
    tensor_attributes,
)


class ReplicatePipeline(Transformation):  # type: ignore[misc]
    """One pipeline for groups of n C pixels -> n pipelines for C pixels each.

    before: x (1, T, n C, I) -> layers of n C lanes -> y (1, T, n C, O)
    after:  x -> Deal -> layers of C lanes ----------> Collect -> y
                   '---> copies of these layers -------'
    Deal hands the lanes out, C pixels to each copy in turn at every time step, so the copies run side
    by side with little between them to buffer, and Collect restores the pixels' order. Shapes at the
    pipeline's ends stay, so whatever is around it does not notice.

    Raises ValueError if there is no layer, ConversionError if ``copies`` does not divide the lanes.
    """

    def __init__(self, copies: int) -> None:
        super().__init__()
        if copies < 1:
            raise ValueError(f"copies={copies} must be at least 1")
        self.copies = copies

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        layers = [node for node in model.graph.node if node.domain.startswith(HARDWARE_DOMAIN)]
        if not layers:
            raise ValueError("the model has no hardware layer; apply InferRecurrentLayer first")
        if self.copies == 1:
            return model, False
        for node in layers:
            if has_split_lanes(getCustomOp(node)):
                raise ConversionError(
                    label(node),
                    "its groups change their lanes; copy the pipeline before SplitLanes, or do not",
                )
            lanes = getCustomOp(node).lanes
            if lanes % self.copies:
                raise ConversionError(
                    label(node),
                    f"its lanes={lanes} must be a multiple of copies={self.copies}; "
                    f"choose copies from {divisors(lanes)}",
                )
        into, out_of = _ends(model, layers)
        position = min(model.get_node_index(node) for node in layers)
        copied = [[_copy(node, k, self.copies) for node in layers] for k in range(self.copies)]
        cycles = max(getCustomOp(node).get_exp_cycles() for node in copied[0])
        deals = [
            self._route("Deal", layers[0], i, name, s, cycles) for i, (name, s) in enumerate(into.items())
        ]
        collects = [
            self._route("Collect", layers[0], i, name, s, cycles)
            for i, (name, s) in enumerate(out_of.items())
        ]
        for node in layers:
            model.graph.node.remove(node)
        nodes = [*deals, *(node for copy in copied for node in copy), *collects]
        for offset, node in enumerate(nodes):
            model.graph.node.insert(position + offset, node)
            annotate(model, node)
        inner = {name for node in layers for name in node.output} - set(out_of)
        kept = [value for value in model.graph.value_info if value.name not in inner]
        del model.graph.value_info[:]
        model.graph.value_info.extend(kept)
        return model, False

    def _route(
        self, op_type: str, like: NodeProto, index: int, tensor: str, stream: Stream, cycles: int
    ) -> NodeProto:
        """Deal or Collect for one tensor at the border."""
        parts = [_renamed(tensor, k) for k in range(self.copies)]
        whole = tensor_attributes(stream, elements_in_time(stream, cycles))
        ends = ([tensor], parts) if op_type == "Deal" else (parts, [tensor])
        name = f"{op_type.lower()}{index}"
        return routing_node(like, op_type, name, *ends, parts=self.copies, axis=LANES, **whole)


def _ends(model: ModelWrapper, layers: list[NodeProto]) -> tuple[dict[str, Stream], dict[str, Stream]]:
    """The tensors that enter the pipeline and those that leave it, as streams of all lanes."""
    into: dict[str, Stream] = {}
    out_of: dict[str, Stream] = {}
    made = {name for node in layers for name in node.output}
    read = {name for node in layers for name in node.input}
    for node in layers:
        op = getCustomOp(node)
        into |= {n: s for n, s in zip(node.input, op.input_streams(), strict=True) if n not in made}
        out_of |= {n: s for n, s in zip(node.output, op.output_streams(), strict=True) if n not in read}
    return into, out_of


def _copy(node: NodeProto, number: int, copies: int) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    op = getCustomOp(copy)
    op.set_nodeattr("layer", _renamed(layer_name(node), number) if number else layer_name(node))
    op.set_nodeattr("lanes", op.lanes // copies)
    copy.name = _renamed(node.name, number)
    for names in (copy.input, copy.output):
        names[:] = [_renamed(name, number) for name in names]
    return copy


def _renamed(name: str, number: int) -> str:
    return f"{name}_copy{number}"
