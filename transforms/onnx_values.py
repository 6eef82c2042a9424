# SPDX-License-Identifier: BSD-3-Clause
"""Constants and attributes of ONNX graphs, and small computations by onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import GraphProto, NodeProto, helper, numpy_helper

from finn_flirnn.transforms.conversion_error import ConversionError, label

Array = npt.NDArray[Any]


def attributes_of(node: NodeProto) -> dict[str, Any]:
    """A node's attributes as Python values."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def initialisers_of(graph: GraphProto) -> dict[str, Array]:
    """The initialisers of a graph."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def producers_of(graph: GraphProto) -> dict[str, NodeProto]:
    """For each tensor that a node of the graph makes: the node."""
    return {name: node for node in graph.node for name in node.output if name}


def compute(
    nodes: Sequence[NodeProto], feeds: Mapping[str, Array], outputs: Sequence[str], opset: int
) -> list[Array]:
    """Run some nodes by onnxruntime. Raises ConversionError if it cannot."""
    graph = helper.make_graph(
        nodes,
        "part",
        [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
            for name, value in feeds.items()
        ],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return [np.asarray(value) for value in session.run(list(outputs), dict(feeds))]
    except Exception as error:  # onnxruntime's exceptions have no public common class
        text = str(error).strip().splitlines()[0]
        raise ConversionError(
            label(nodes[-1]), f"onnxruntime cannot evaluate {nodes[-1].op_type}: {text}"
        ) from error
