# SPDX-License-Identifier: BSD-3-Clause
"""A FINN graph of our RTL ops becomes one stitched module.

The graph says everything: every node emits its module, every tensor between two nodes is a FIFO as deep
as the nodes state by FINN's rule, the graph's inputs and outputs are the module's streams, in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from onnx import AttributeProto, NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.codegen import (
    Instance,
    Link,
    Resources,
    RtlModule,
    StreamPort,
    WeightSet,
    emit_loadable,
    stitch,
)
from finn_flirnn.codegen.estimate import fifo_resources
from finn_flirnn.hwops.dense_rtl import DenseHead_rtl
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.hwops.gru_rtl import GRU_rtl
from finn_flirnn.hwops.stream_op import LEAST_DEPTH, Stream

_OF_THE_INSTANCE = {"layer", "inFIFODepths", "outFIFODepths", "code_gen_dir_ipgen", "ipgen_path", "ip_path"}
_OF_THE_INSTANCE |= {"gen_top_module", "rtl_sources", "rtl_data", "exec_mode", "partition_id"}
"""Attributes that do not change what a node's module is."""


@dataclass(frozen=True)
class Layer:
    """A node's hardware. Nodes that are equal but for their place in the graph share one module."""

    name: str
    op: GeneratedRtl
    module: RtlModule


@dataclass(frozen=True)
class Design:
    """The hardware of a graph: its layers in order, how they are linked, and the stitched module."""

    layers: tuple[Layer, ...]
    links: tuple[Link, ...]
    top: RtlModule

    @property
    def stream_resources(self) -> Resources:
        """Estimated resources of the FIFOs between the layers."""
        modules = {layer.name: layer.module for layer in self.layers}
        bits = {(name, p.name): p.bits for name, m in modules.items() for p in (*m.inputs, *m.outputs)}
        return sum(
            (fifo_resources(max(bits[link.source], bits[link.target]), link.depth) for link in self.links),
            Resources(),
        )

    @property
    def distinct_layers(self) -> tuple[Layer, ...]:
        """One layer for each module."""
        return tuple({layer.module.top: layer for layer in reversed(self.layers)}.values())[::-1]


def layer_name(node: NodeProto) -> str:
    """The name of a layer as in the imported model, or as the transformation that made it says."""
    return getCustomOp(node).get_nodeattr("layer") or str(node.name)


def weight_sets(design: Design) -> list[WeightSet]:
    """The built-in contents of the writable memories, in the order in which they take an image."""
    return [layer.op.weight_set(layer.op.layer) for layer in writable_layers(design)]


def writable_layers(design: Design) -> list[Layer]:
    """The first layer of each module with writable memories, in the order in which they take an image."""
    first: dict[str, Layer] = {}
    for layer in design.layers:
        if layer.module.idle and isinstance(layer.op, GRU_rtl | DenseHead_rtl):
            first.setdefault(layer.module.top, layer)
    return list(first.values())


def emit_design(model: ModelWrapper, folder: Path, top: str) -> Design:
    """Write the hardware of a graph of RTL ops, its top module called ``top``, into a folder.

    With run-time weights the top has loader and gate too (codegen/loadable.py).
    Raises ValueError for a node that is none of our RTL ops, a tensor that two nodes read, a graph input
    that no node reads, or two nodes of one name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layers: list[Layer] = []
    made: dict[bytes, RtlModule] = {}
    sources: dict[str, _End] = {}
    targets: dict[str, _End] = {}
    for node in model.graph.node:
        name, op = layer_name(node), getCustomOp(node)
        if not isinstance(op, GeneratedRtl):
            raise ValueError(f"{node.name} is a {node.op_type}; only RTL ops of ours can be stitched")
        kind = _kind(node)
        if kind not in made:
            made[kind] = op.emit(folder, name)
        layers.append(Layer(name, op, made[kind]))
        depths = op.get_nodeattr("inFIFODepths")
        for tensor, end in _ends(node.input, made[kind].inputs, name, depths, op.input_streams()):
            if tensor in targets:
                raise ValueError(
                    f"{tensor} goes to {targets[tensor].key[0]} and to {name}; put a Fork between"
                )
            targets[tensor] = end
        depths = op.get_nodeattr("outFIFODepths")
        sources.update(_ends(node.output, made[kind].outputs, name, depths, op.output_streams()))
    links = [_link(source, targets[name]) for name, source in sources.items() if name in targets]
    borders = [[value.name for value in values] for values in (model.graph.input, model.graph.output)]
    for names, ends, side in zip(borders, (targets, sources), ("read", "made"), strict=True):
        for name in names:
            if name not in ends:
                raise ValueError(f"{name}, at the graph's border, is {side} by no node; cut the graph there")
    loadable = any(layer.module.idle for layer in layers)
    module = stitch(
        folder,
        f"{top}_core" if loadable else top,
        [Instance(layer.name, layer.module) for layer in layers],
        links,
        inputs=[targets[name].key for name in borders[0]],
        outputs=[sources[name].key for name in borders[1]],
    )
    design = Design(tuple(layers), tuple(links), module)
    if not loadable:
        return design
    counts = (targets[borders[0][0]].transfers, sources[borders[1][0]].transfers)
    return replace(design, top=emit_loadable(module, folder, top, weight_sets(design), counts))


@dataclass(frozen=True)
class _End:
    """An end of a tensor: instance and port, codes a transfer, the codes that it wants to wait there, and
    the transfers of the whole tensor."""

    key: tuple[str, str]
    elements: int
    codes: int
    transfers: int


def _ends(
    tensors: Sequence[str],
    ports: Sequence[StreamPort],
    name: str,
    depths: Sequence[int],
    streams: Sequence[Stream],
) -> list[tuple[str, _End]]:
    """The tensors on one side of a node with their ends."""
    # as FINN does: the last depth stands for all that follow
    stated = [depths[min(i, len(depths) - 1)] for i in range(len(ports))]
    return [
        (tensor, _End((name, port.name), port.elements, depth * port.elements, stream.transfers))
        for tensor, port, depth, stream in zip(tensors, ports, stated, streams, strict=True)
    ]


def _link(source: _End, target: _End) -> Link:
    """One FIFO, on the wider side, for what both ends want."""
    codes, elements = max(source.codes, target.codes), max(source.elements, target.elements)
    return Link(source.key, target.key, max(LEAST_DEPTH, -(-codes // elements)))


def _kind(node: NodeProto) -> bytes:
    """What a node's module depends on; attributes keep no order."""
    own = sorted((a for a in node.attribute if a.name not in _OF_THE_INSTANCE), key=_name)
    return b"".join([node.op_type.encode(), *(a.SerializeToString(deterministic=True) for a in own)])


def _name(attribute: AttributeProto) -> str:
    return str(attribute.name)
