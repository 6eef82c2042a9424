# SPDX-License-Identifier: BSD-3-Clause
"""Fewer lanes behind a layer that gives its last state than in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.codegen.types import divisors
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.graph_edit import is_hardware
from finn_flirnn.transforms.onnx_values import attributes_of

LAYERS = ("GRU", "DenseHead")


class SplitLanes(Transformation):  # type: ignore[misc]
    """Let the layers behind a last state work on groups of ``lanes`` pixels, one group after the other.

    before: x (1, T, C, I) -> GRU(C) -> (1, C, H) -> GRU(C) -> (1, T, C, H) -> DenseHead(C) -> (1, T, C, O)
              -> Transpose -> Squeeze -> (C, T, O)
    after:  x (1, T, C, I) -> GRU(C, out_lanes=m) -> (C/m, m, H) -> GRU(m, groups=C/m) -> (C/m, T, m, H)
              -> DenseHead(m, groups=C/m) -> (C/m, T, m, O) -> Transpose -> Reshape -> (C, T, O)

    The order in the stream stays: pixel after pixel. Apply it to a converted model, before FINN's steps.
    Raises ConversionError if ``lanes`` does not divide C.
    """

    def __init__(self, lanes: int) -> None:
        super().__init__()
        self.lanes = lanes

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass from every layer that gives its last state and feeds another layer."""
        for node in list(model.graph.node):
            if is_hardware(node, "GRU") and not attributes_of(node)["sequence"]:
                behind = model.find_consumer(node.output[0])
                if behind is not None and is_hardware(behind, "GRU"):
                    self._split(model, node)
        return model, False

    def _split(self, model: ModelWrapper, node: NodeProto) -> None:
        whole = int(attributes_of(node)["lanes"])
        if whole % self.lanes:
            raise ConversionError(
                label(node),
                f"its lanes={whole} must be a multiple of the {self.lanes} lanes behind it; "
                f"choose from {divisors(whole)}",
            )
        if whole == self.lanes:
            return
        groups = whole // self.lanes
        _set(node, out_lanes=self.lanes)
        tensor = node.output[0]
        _reshape(model, tensor, groups)
        behind = model.find_consumer(tensor)
        while behind is not None and any(is_hardware(behind, op) for op in LAYERS):
            _set(behind, lanes=self.lanes, groups=groups)
            tensor = behind.output[0]
            _reshape(model, tensor, groups)
            behind = model.find_consumer(tensor)
        if behind is not None:
            _reshape_on_the_host(model, behind, groups)


def _set(node: NodeProto, **values: int) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in values]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(k, v) for k, v in values.items())])


def _reshape(model: ModelWrapper, tensor: str, groups: int) -> None:
    """(1, C, H) -> (groups, C / groups, H); (1, T, C, F) -> (groups, T, C / groups, F)."""
    shape = list(model.get_tensor_shape(tensor))
    model.set_tensor_shape(tensor, [groups, *shape[1:-2], shape[-2] // groups, shape[-1]])


def _reshape_on_the_host(model: ModelWrapper, transpose: NodeProto, groups: int) -> None:
    """Transpose -> Squeeze becomes Transpose -> Reshape."""
    squeeze = model.find_consumer(transpose.output[0])
    if transpose.op_type != "Transpose" or squeeze is None or squeeze.op_type != "Squeeze":
        raise ConversionError(
            label(transpose), "must be the Transpose and Squeeze that conversion puts behind the last layer"
        )
    swapped = list(model.get_tensor_shape(transpose.output[0]))  # (1, C, T, O)
    rows: list[Any] = [swapped[1], *swapped[2:]]
    model.set_tensor_shape(transpose.output[0], [groups, swapped[1] // groups, *swapped[2:]])
    name = f"{squeeze.output[0]}_rows"
    model.set_initializer(name, np.array(rows, dtype=np.int64))
    position = model.get_node_index(squeeze)
    model.graph.node.remove(squeeze)
    node = helper.make_node("Reshape", [transpose.output[0], name], [squeeze.output[0]], name=squeeze.name)
    model.graph.node.insert(position, node)
