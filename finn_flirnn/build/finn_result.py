# SPDX-License-Identifier: BSD-3-Clause
"""What FINN's flow hands on: layers, connections and steps left out, read from the final graph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.codegen import DenseFolding, GruFolding, Resources, RtlModule

FIFO = "StreamingFIFO_rtl"
CONVERTER = "StreamingDataWidthConverter_rtl"


@dataclass(frozen=True)
class LayerReport:
    """One layer of the accelerator.

    name: as in the imported model; node: as FINN calls it. exp_cycles: for one group of lanes.
    """

    name: str
    node: str
    op_type: str
    folding: GruFolding | DenseFolding | None
    exp_cycles: int
    resources: Resources
    module: RtlModule


@dataclass(frozen=True)
class Fifo:
    """A FIFO of ``depth`` transfers of ``elements`` codes each."""

    depth: int
    elements: int


@dataclass(frozen=True)
class Connection:
    """A stream from a layer's output port to a layer's input port.

    producer, consumer: (layer name, port name), None at the border of the accelerator.
    fifos: on the way, in order; where ``elements`` changes there is a width converter.
    """

    producer: tuple[str, str] | None
    consumer: tuple[str, str] | None
    fifos: tuple[Fifo, ...]

    @property
    def depth(self) -> int:
        """Depth of the first FIFO, in the producer's transfers; 0 without a FIFO."""
        return self.fifos[0].depth if self.fifos else 0


@dataclass(frozen=True)
class SkippedStep:
    """A step that was left out, and why and what to do about it."""

    name: str
    reason: str


@dataclass(frozen=True)
class FinnFlowResult:
    """The end of FINN's flow.

    model_path: the graph of the hardware; layers_path: the same before FINN put FIFOs and converters
    between the layers; parent_path: the graph around it; stages: the graph after every step, in order.
    Paths inside these graphs point to where the flow ran. path_cycles: of the layers that a group passes
    one after the other, on the longest way.
    """

    model_path: Path
    layers_path: Path
    parent_path: Path
    stages: tuple[Path, ...]
    layers: tuple[LayerReport, ...]
    connections: tuple[Connection, ...]
    path_cycles: int
    skipped: tuple[SkippedStep, ...]


def layers_of(model: Any) -> tuple[LayerReport, ...]:
    """The layers of a final graph, in order."""
    from qonnx.custom_op.registry import getCustomOp

    return tuple(
        LayerReport(
            name=_layer_name(node),
            node=node.name,
            op_type=node.op_type,
            folding=getattr(op, "folding", None),  # a router has none
            exp_cycles=op.get_exp_cycles(),
            resources=op.resources(),
            module=op.rtl_module(),
        )
        for node in model.graph.node
        if node.op_type not in (FIFO, CONVERTER)
        for op in (getCustomOp(node),)
    )


def connections_of(model: Any) -> tuple[Connection, ...]:
    """The streams of a final graph: one for every input of a layer, one for every output of the graph."""
    found = []
    for node in model.graph.node:
        if node.op_type not in (FIFO, CONVERTER):
            for index, tensor in enumerate(node.input):
                producer, fifos = _trace_back(model, tensor)
                found.append(Connection(producer, (_layer_name(node), f"in{index}_V"), fifos))
    for output in model.graph.output:
        producer, fifos = _trace_back(model, output.name)
        found.append(Connection(producer, None, fifos))
    return tuple(found)


def path_cycles_of(model: Any) -> int:
    """The cycles of the layers on the longest way through a graph; routers only pass on what they get."""
    from qonnx.custom_op.registry import getCustomOp

    from finn_flirnn.hwops.routing import Routing

    until: dict[str, int] = {}
    for node in model.graph.node:
        op = getCustomOp(node)
        own = 0 if node.op_type in (FIFO, CONVERTER) or isinstance(op, Routing) else op.get_exp_cycles()
        ready = max((until.get(tensor, 0) for tensor in node.input), default=0)
        until |= dict.fromkeys(node.output, ready + own)
    return max(until[output.name] for output in model.graph.output)


def _trace_back(model: Any, tensor: str) -> tuple[tuple[str, str] | None, tuple[Fifo, ...]]:
    from qonnx.custom_op.registry import getCustomOp

    fifos: list[Fifo] = []
    node = model.find_producer(tensor)
    while node is not None and node.op_type in (FIFO, CONVERTER):
        if node.op_type == FIFO:
            op = getCustomOp(node)
            fifos.insert(0, Fifo(op.get_nodeattr("depth"), int(op.get_folded_input_shape()[-1])))
        tensor = node.input[0]
        node = model.find_producer(tensor)
    producer = None if node is None else (_layer_name(node), f"out{list(node.output).index(tensor)}_V")
    return producer, tuple(fifos)


def _layer_name(node: Any) -> str:
    from qonnx.custom_op.registry import getCustomOp

    return getCustomOp(node).get_nodeattr("layer") or str(node.name)
