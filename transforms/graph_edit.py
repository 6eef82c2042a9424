# SPDX-License-Identifier: BSD-3-Clause
"""Reading and editing the graph around a layer: formats, constants, layout, hardware nodes.

The graph outside holds real values, batch first: (C, T, features) or (C, features). A hardware layer
takes and gives integer codes as (1, T, C, features) or (1, C, features).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from finn_flirnn.hwops.attributes import (
    dense_attribute_types,
    dense_layer_of,
    format_to_text,
    gru_attribute_types,
    gru_layer_of,
)
from finn_flirnn.numerics import DenseLayer, Format, GruLayer
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.onnx_values import Array, attributes_of, compute
from finn_flirnn.transforms.quantiser import is_quant, quant_format

HARDWARE_DOMAIN = "finn.custom_op.fpgadataflow"
"""FINN's domain of abstract hardware ops; it finds them under this exact name only."""
LEAST_OPSET, GREATEST_OPSET = 13, 19
"""13: Split and Squeeze take their numbers as inputs. 19: FINN's checker."""
_MOVING = ("Transpose", "Squeeze", "Unsqueeze", "Reshape", "Identity", "Cast")
_DEFAULT_DOMAINS = ("", "ai.onnx")


class NodeAttributes:
    """The attributes of a node with the defaults of its op, without FINN's registry."""

    def __init__(self, node: NodeProto, types: dict[str, Any]) -> None:
        self._attributes = attributes_of(node)
        self._types = types

    def get_nodeattr(self, name: str) -> Any:
        """The value of an attribute, or its default."""
        value = self._attributes.get(name, self._types[name][2])
        if isinstance(value, TensorProto):
            return numpy_helper.to_array(value)
        return value.decode() if isinstance(value, bytes) else value


def gru_layer(node: NodeProto) -> GruLayer:
    """The layer of a GRU node."""
    return gru_layer_of(NodeAttributes(node, gru_attribute_types()))


def dense_layer(node: NodeProto) -> DenseLayer:
    """The layer of a DenseHead node."""
    return dense_layer_of(NodeAttributes(node, dense_attribute_types()))


def is_hardware(node: NodeProto | None, op_type: str) -> bool:
    """Whether a node is one of our abstract hardware layers."""
    return node is not None and node.op_type == op_type and node.domain == HARDWARE_DOMAIN


def check_opset(model: ModelWrapper, node: NodeProto) -> int:
    """The model's opset. Raises ConversionError if nodes of it cannot be read and written."""
    versions = [o.version for o in model.model.opset_import if o.domain in _DEFAULT_DOMAINS]
    opset = versions[0] if versions else 0
    if not LEAST_OPSET <= opset <= GREATEST_OPSET:
        raise ConversionError(
            label(node),
            f"the model's opset must lie in {LEAST_OPSET}..{GREATEST_OPSET}, got {opset}; export anew",
        )
    return int(opset)


def format_of(model: ModelWrapper, name: str) -> Format | None:
    """The format of a tensor's real values, followed back to a quantiser or a layer; None if unknown."""
    node = model.find_producer(name)
    if node is None:
        return None
    if is_quant(node):
        return quant_format(node, model.get_initializer)
    if is_hardware(node, "GRU"):
        return replace(gru_layer(node).formats.state, frac=0)
    if is_hardware(node, "DenseHead"):
        return replace(dense_layer(node).output_format, frac=0)
    if any(is_hardware(node, op_type) for op_type in ("Fork", "LastStep")):
        return format_of(model, node.input[0])
    if node.op_type in _MOVING and node.domain in _DEFAULT_DOMAINS:
        return format_of(model, node.input[0])
    if node.op_type == "Mul" and node.domain in _DEFAULT_DOMAINS:
        inner = format_of(model, node.input[0])
        factor = model.get_initializer(node.input[1])
        exponent = None if factor is None else power_of_two(factor)
        if inner is not None and exponent is not None:
            return replace(inner, frac=inner.frac - exponent)
    return None


def shape_of(model: ModelWrapper, name: str) -> list[int] | None:
    """The shape of a tensor, followed back through nodes that keep it; None if unknown."""
    shape: list[int] | None = model.get_tensor_shape(name)
    node = model.find_producer(name)
    if shape is None and node is not None and (is_quant(node) or node.op_type in ("Identity", "Cast")):
        return shape_of(model, node.input[0])
    return shape


def power_of_two(factor: Array) -> int | None:
    """The exponent if a constant is one power of two."""
    if factor.size != 1:
        return None
    mantissa, exponent = math.frexp(float(factor.item()))
    return exponent - 1 if mantissa == 0.5 else None


def constant_of(model: ModelWrapper, name: str, opset: int) -> tuple[Array, Format | None] | None:
    """The value of a constant tensor, and the format of its quantiser; None if it is not constant."""
    array = model.get_initializer(name)
    if array is not None:
        return array, None
    node = model.find_producer(name)
    if node is None or not node.input:
        return None
    source = constant_of(model, node.input[0], opset)
    if source is None:
        return None
    if is_quant(node):
        fmt = quant_format(node, model.get_initializer)
        return fmt.dequantise(fmt.quantise(source[0])), fmt
    if node.op_type not in _MOVING or node.domain not in _DEFAULT_DOMAINS:
        return None
    feeds = {node.input[0]: source[0]} | {n: model.get_initializer(n) for n in node.input[1:]}
    return compute([node], feeds, [node.output[0]], opset)[0], source[1]


class LayerWriter:
    """Puts a hardware layer in the place of node ``old``, with the layout changes around it."""

    def __init__(self, model: ModelWrapper, old: NodeProto) -> None:
        self.model = model
        self.name = label(old)
        self.nodes: list[NodeProto] = []
        self._taken = {name for node in model.graph.node for name in (*node.input, *node.output)}

    def codes(self, tensor: str, fmt: Format, *, swap: bool, role: str) -> str:
        """Real values -> integer codes with a leading 1; ``swap``: (C, T, .) -> (1, T, C, .)."""
        shape = shape_of(self.model, tensor)
        if shape is None:
            raise ConversionError(
                self.name, f"the shape of {tensor} must be known; apply qonnx's InferShapes"
            )
        value = self._scaled(tensor, shape, 2.0**fmt.frac, f"{role}_codes", fmt)
        value = self._axis("Unsqueeze", value, [1, *shape], f"{role}_group", fmt)
        return self._swapped(value, [1, *shape], f"{role}_steps", fmt) if swap else value

    def layer(
        self, op_type: str, inputs: list[str], shape: list[int], fmt: Format, attributes: dict[str, Any]
    ) -> str:
        """The hardware node; returns its output, codes of the shape."""
        output = self._tensor("hardware", shape, fmt)
        node = helper.make_node(op_type, inputs, [output], name=self.name, domain=HARDWARE_DOMAIN)
        # not as keywords of make_node: the attribute "inputs" would meet its parameter
        for key, value in {"backend": "fpgadataflow", **attributes}.items():
            plain = numpy_helper.from_array(value, key) if isinstance(value, np.ndarray) else value
            node.attribute.append(helper.make_attribute(key, plain))
        self.nodes.append(node)
        return output

    def fork(self, states: str, shape: list[int], fmt: Format) -> tuple[str, str]:
        """States (1, T, C, H) of a layer, twice."""
        ends = self._tensor("forked", shape, fmt), self._tensor("ending", shape, fmt)
        self._route("Fork", states, list(ends), shape, fmt, parts=len(ends))
        return ends

    def last_step(self, states: str, shape: list[int], fmt: Format) -> str:
        """The last of states (1, T, C, H): (1, C, H)."""
        last = self._tensor("last", [shape[0], *shape[2:]], fmt)
        self._route("LastStep", states, [last], shape, fmt)
        return last

    def reals(
        self, tensor: str, shape: list[int], fmt: Format, output: str, *, swap: bool, role: str = "output"
    ) -> None:
        """Codes of a layer -> real values as tensor ``output``, the inverse of ``codes``."""
        if swap:
            tensor = self._swapped(tensor, shape, "rows", fmt)
            shape = [shape[0], shape[2], shape[1], shape[3]]
        tensor = self._axis("Squeeze", tensor, shape[1:], "batch", fmt)
        factor = self._constant(f"{role}_scale", np.float32(fmt.scale))
        self.nodes.append(
            helper.make_node("Mul", [tensor, factor], [output], name=f"{self.name}_{role}_scale")
        )

    def replace(self, old: NodeProto, also: list[NodeProto]) -> None:
        """Insert the new nodes where ``old`` was; remove it, ``also``, and what only fed them."""
        position = self.model.get_node_index(old)
        for node in (old, *also):
            self.model.graph.node.remove(node)
        for offset, node in enumerate(self.nodes):
            self.model.graph.node.insert(min(position, len(self.model.graph.node)) + offset, node)
        remove_dead_nodes(self.model)
        used = {domain.domain for domain in self.model.model.opset_import}
        if HARDWARE_DOMAIN not in used:
            self.model.model.opset_import.append(helper.make_opsetid(HARDWARE_DOMAIN, 1))

    def _route(
        self, op_type: str, tensor: str, outputs: list[str], shape: list[int], fmt: Format, **more: int
    ) -> None:
        """A routing op for states; SetRecurrentFolding gives its streams their width."""
        _, steps, lanes, features = shape
        name = f"{self.name}_{op_type.lower()}"
        sizes = {"steps": steps, "lanes": lanes, "features": features, "elements": 1, **more}
        node = helper.make_node(
            op_type, [tensor], outputs, name=name, domain=HARDWARE_DOMAIN, backend="fpgadataflow",
            layer=name, fmt=format_to_text(fmt), **sizes,
        )  # fmt: skip
        self.nodes.append(node)

    def _scaled(self, tensor: str, shape: list[int], factor: float, role: str, fmt: Format) -> str:
        output = self._tensor(role, shape, fmt)
        constant = self._constant(f"{role}_factor", np.float32(factor))
        self.nodes.append(helper.make_node("Mul", [tensor, constant], [output], name=output))
        return output

    def _axis(self, op_type: str, tensor: str, shape: list[int], role: str, fmt: Format) -> str:
        output = self._tensor(role, shape, fmt)
        axes = self._constant(f"{role}_axes", np.array([0], dtype=np.int64))
        self.nodes.append(helper.make_node(op_type, [tensor, axes], [output], name=output))
        return output

    def _swapped(self, tensor: str, shape: list[int], role: str, fmt: Format) -> str:
        output = self._tensor(role, [shape[0], shape[2], shape[1], shape[3]], fmt)
        self.nodes.append(helper.make_node("Transpose", [tensor], [output], name=output, perm=[0, 2, 1, 3]))
        return output

    def _tensor(self, role: str, shape: list[int], fmt: Format) -> str:
        name = self._new_name(role)
        self.model.set_tensor_shape(name, shape)
        self.model.set_tensor_datatype(name, DataType[f"{'INT' if fmt.signed else 'UINT'}{fmt.bits}"])
        return name

    def _constant(self, role: str, value: Any) -> str:
        name = self._new_name(role)
        self.model.set_initializer(name, np.asarray(value))
        return name

    def _new_name(self, role: str) -> str:
        name = f"{self.name}_{role}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def remove_dead_nodes(model: ModelWrapper) -> None:
    """Remove nodes whose outputs nobody reads."""
    borders = {output.name for output in model.graph.output}
    while True:
        read = {name for node in model.graph.node for name in node.input} | borders
        dead = [node for node in model.graph.node if not read & set(node.output)]
        if not dead:
            return
        for node in dead:
            model.graph.node.remove(node)
