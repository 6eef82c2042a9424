# SPDX-License-Identifier: BSD-3-Clause
"""Last states that wait in the layer that made them."""

from __future__ import annotations

from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.transforms.graph_edit import is_hardware
from finn_flirnn.transforms.onnx_values import attributes_of


class ParkStates(Transformation):  # type: ignore[misc]
    """Let every layer that gives its last state keep it in its ring until it is taken.

    before: GRU(sequence=0) -> (1, C, H)
    after:  GRU(sequence=0, park=1) -> (1, C, H)

    So a frame's last gate is taken in at full rate, however slowly the layer behind takes the states.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        for node in model.graph.node:
            attributes = attributes_of(node)
            if is_hardware(node, "GRU") and not attributes["sequence"] and "park" not in attributes:
                node.attribute.append(helper.make_attribute("park", 1))
        return model, False
