# SPDX-License-Identifier: BSD-3-Clause
"""The host's change of order at the accelerator's borders -> hardware op LaneTransposer."""

from __future__ import annotations

from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen import Direction, Transposer
from finn_flirnn.hwops.lane_transposer import transposer_attributes
from finn_flirnn.numerics import Format
from finn_flirnn.transforms.graph_edit import HARDWARE_DOMAIN, dense_layer, gru_layer, is_hardware
from finn_flirnn.transforms.onnx_values import attributes_of

SWAP = [0, 2, 1, 3]


class InferTransposers(Transformation):  # type: ignore[misc]
    """Convert every Transpose between the host and a hardware layer.

    before: (1, C, T, I) -> Transpose -> (1, T, C, I) -> GRU -> ... -> DenseHead -> (1, T, C, O)
              -> Transpose -> (1, C, T, O)
    after:  (1, C, T, I) -> LaneTransposer(gather) -> GRU -> ... -> DenseHead -> LaneTransposer(scatter)
              -> (1, C, T, O)

    Apply it to a converted model. A model without such Transposes stays as it is.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        for node in list(model.graph.node):
            if node.op_type == "Transpose" and list(attributes_of(node)["perm"]) == SWAP:
                behind, before = model.find_consumer(node.output[0]), model.find_producer(node.input[0])
                if is_hardware(behind, "GRU") and node.output[0] == behind.input[0]:
                    fmt = gru_layer(behind).formats.input
                    assert fmt is not None  # a first input of this rank is x
                    _convert(model, node, Direction.GATHER, fmt)
                elif is_hardware(before, "DenseHead"):
                    _convert(model, node, Direction.SCATTER, dense_layer(before).output_format)
                elif is_hardware(before, "GRU"):
                    _convert(model, node, Direction.SCATTER, gru_layer(before).formats.state)
        return model, False


def _convert(model: ModelWrapper, node: NodeProto, direction: Direction, fmt: Format) -> None:
    pixels = node.input[0] if direction is Direction.GATHER else node.output[0]
    groups, lanes, steps, features = model.get_tensor_shape(pixels)
    transposer = Transposer(direction, steps, lanes, features, 1, fmt)
    name = str(direction)
    hardware = helper.make_node(
        "LaneTransposer", list(node.input), list(node.output), name=name, domain=HARDWARE_DOMAIN,
        backend="fpgadataflow", layer=name, groups=groups, **transposer_attributes(transposer),
    )  # fmt: skip
    position = model.get_node_index(node)
    model.graph.node.remove(node)
    model.graph.node.insert(position, hardware)
