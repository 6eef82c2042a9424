# SPDX-License-Identifier: BSD-3-Clause
"""Remove neighbouring nodes that undo each other."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from finn_flirnn.transforms.graph_edit import power_of_two, remove_dead_nodes
from finn_flirnn.transforms.onnx_values import attributes_of


class CancelInversePairs(Transformation):  # type: ignore[misc]
    """Remove pairs of Transpose, Squeeze and Unsqueeze, or Mul by powers of two that are inverse.

    before: GRU -> Transpose -> Squeeze -> Mul(2^-7) -> Mul(2^7) -> Unsqueeze -> Transpose -> DenseHead
    after:  GRU -> DenseHead

    A pair whose result is an output of the graph stays, since its tensor keeps its name.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Remove the first pair; True as long as there was one."""
        borders = {output.name for output in model.graph.output}
        for second in model.graph.node:
            first = model.find_producer(second.input[0]) if second.input else None
            if first is None or second.output[0] in borders or not _are_inverse(model, first, second):
                continue
            for consumer in model.find_consumers(second.output[0]):
                for position, name in enumerate(consumer.input):
                    if name == second.output[0]:
                        consumer.input[position] = first.input[0]
            remove_dead_nodes(model)
            return model, True
        return model, False


def _are_inverse(model: ModelWrapper, first: NodeProto, second: NodeProto) -> bool:
    if first.domain or second.domain:
        return False
    match first.op_type, second.op_type:
        case "Transpose", "Transpose":
            there, back = (attributes_of(node).get("perm") for node in (first, second))
            return there is not None and back is not None and [there[i] for i in back] == sorted(there)
        case ("Squeeze", "Unsqueeze") | ("Unsqueeze", "Squeeze"):
            there, back = (
                model.get_initializer(node.input[1]) if len(node.input) > 1 else None
                for node in (first, second)
            )
            return there is not None and back is not None and np.array_equal(there, back)
        case "Mul", "Mul":
            exponents = [
                None if factor is None else power_of_two(factor)
                for factor in (model.get_initializer(node.input[1]) for node in (first, second))
            ]
            return None not in exponents and sum(e for e in exponents if e is not None) == 0
    return False
