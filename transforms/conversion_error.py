# SPDX-License-Identifier: BSD-3-Clause
"""The refusal of a model that cannot be converted exactly."""

from __future__ import annotations

from typing import Any


class ConversionError(ValueError):
    """A node cannot be converted.

    node: the name of the node; reason: the requirement, what was found, what to do.
    """

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(f"node {node or '(without name)'}: {reason}")
        self.node = node
        self.reason = reason


def label(node: Any) -> str:
    """The name of a node, or what else identifies it.

    >>> from onnx import helper
    >>> label(helper.make_node("Add", ["a", "b"], ["c"]))
    'Add -> c'
    """
    return str(node.name) or f"{node.op_type} -> {', '.join(node.output)}"
