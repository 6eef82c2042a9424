# SPDX-License-Identifier: BSD-3-Clause
"""Transfers of pixels that may end within a group of lanes."""

from __future__ import annotations

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen import Direction
from finn_flirnn.hwops.lane_transposer import LIVE_DEPTH

LIVE = "live_lanes"


class EndAnywhere(Transformation):  # type: ignore[misc]
    """Give the pixel streams TLAST: a group that it leaves short is filled up and cut off again.

    before: pixels -> gather -> groups -> ... -> groups -> scatter -> pixels
    after:  the same, and gather -> live_lanes -> scatter; both with partial=1

    For a graph of RTL ops with one gatherer and one scatterer; any other stays as it is. FINN's own flow
    cannot do this: its streams have no TLAST.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        nodes = model.get_nodes_by_op_type("LaneTransposer_rtl")
        ops = {Direction(op.get_nodeattr("direction")): op for op in map(getCustomOp, nodes)}
        if len(nodes) != 2 or set(ops) != set(Direction):
            return model, False
        gather, scatter = ops[Direction.GATHER], ops[Direction.SCATTER]
        for op in (gather, scatter):
            op.set_nodeattr("partial", 1)
        gather.onnx_node.output.append(LIVE)
        gather.set_nodeattr("outFIFODepths", [*gather.get_nodeattr("outFIFODepths")[:1], LIVE_DEPTH])
        scatter.onnx_node.input.append(LIVE)
        scatter.set_nodeattr("inFIFODepths", [*scatter.get_nodeattr("inFIFODepths")[:1], LIVE_DEPTH])
        return model, False
