# SPDX-License-Identifier: BSD-3-Clause
"""Give a model of any batch a fixed one: the lanes of the hardware."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from onnx import AttributeProto, GraphProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation


class FixBatch(Transformation):  # type: ignore[misc]
    """Write a number in the place of the symbolic batch, in the graph and the bodies of its Scans.

    before: x (batch, T, I) -> ... -> y (batch, T, O)
    after:  x (4, T, I)     -> ... -> y (4, T, O)

    A model without symbolic dimensions stays as it is. Raises ValueError if its inputs have several.
    """

    def __init__(self, batch: int) -> None:
        super().__init__()
        if batch < 1:
            raise ValueError(f"batch={batch} must be at least 1")
        self.batch = batch

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """One pass."""
        dims = [dim for value in model.graph.input for dim in value.type.tensor_type.shape.dim]
        symbols = {dim.dim_param for dim in dims if dim.dim_param}
        if len(symbols) > 1:
            raise ValueError(
                f"the inputs have several symbolic dimensions, {sorted(symbols)}; leave open only the batch"
            )
        for dim in _dimensions(model.graph):
            if dim.dim_param in symbols:
                dim.dim_value = self.batch
        return model, False


def _dimensions(graph: GraphProto) -> Iterator[Any]:
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield from value.type.tensor_type.shape.dim
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield from _dimensions(attribute.g)
