# SPDX-License-Identifier: BSD-3-Clause
"""Building an ONNX graph with QONNX quantisers: names, constants, nodes, value types."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from finn_flirnn.numerics import Format

QUANT_DOMAIN = "qonnx.custom_op.general"
"""QONNX's domain, and the package in which qonnx finds Quant."""


class GraphBuilder:
    """Collects nodes, initialisers and value types of one graph.

    prefix: put before every name, since ONNX wants names of a Scan's body and of the graph around it
    to differ.
    real: numpy type of the numbers computed here, float32 or float64.
    """

    def __init__(self, prefix: str, real: npt.DTypeLike) -> None:
        self.prefix = prefix
        self.real = np.dtype(real)
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []
        self.values: list[ValueInfoProto] = []
        self._constants: dict[str, str] = {}

    def in_type(self, real: npt.DTypeLike) -> GraphBuilder:
        """The same graph, computing in another floating-point type from here on."""
        other = GraphBuilder(self.prefix, real)
        other.nodes, other.initialisers, other.values = self.nodes, self.initialisers, self.values
        other._constants = self._constants
        return other

    def name(self, name: str) -> str:
        """The name with this graph's prefix."""
        return self.prefix + name

    def constant(self, name: str, value: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> str:
        """An initialiser, of type ``real`` unless told otherwise."""
        array = np.asarray(value, dtype=dtype or self.real)
        self.initialisers.append(numpy_helper.from_array(array, self.name(name)))
        return self.name(name)

    def node(self, op_type: str, inputs: list[str], output: str, name: str = "", **attributes: Any) -> str:
        """Append a node with one output; node and output are named alike unless ``name`` is given."""
        self.multi(op_type, inputs, [output], name or output, **attributes)
        return self.name(output)

    def multi(
        self, op_type: str, inputs: list[str], outputs: list[str], name: str, **attributes: Any
    ) -> list[str]:
        """Append a node with several outputs."""
        names = [self.name(output) for output in outputs]
        self.nodes.append(helper.make_node(op_type, inputs, names, name=self.name(name), **attributes))
        return names

    def quant(self, value: str, fmt: Format, output: str, name: str = "") -> str:
        """Append a QONNX Quant node of a format: nearest code, ties to even, saturated."""
        inputs = [
            value,
            self._shared(f"scale_2e{-fmt.frac}_{self.real}", fmt.scale, self.real),
            self._shared(f"zero_point_{self.real}", 0.0, self.real),
            self._shared(f"bits_{fmt.bits}", fmt.bits, np.float32),
        ]
        return self.node(
            "Quant",
            inputs,
            output,
            name,
            domain=QUANT_DOMAIN,
            signed=int(fmt.signed),
            narrow=int(fmt.narrow),
            rounding_mode="ROUND",
        )

    def quantised_constant(self, name: str, codes: npt.NDArray[np.int64], fmt: Format) -> str:
        """A constant of codes' real values, followed by its Quant node."""
        return self.quant(self.constant(f"{name}_float", fmt.dequantise(codes)), fmt, name)

    def cast(self, value: str, dtype: npt.DTypeLike, output: str) -> str:
        """Append a Cast."""
        return self.node("Cast", [value], output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def typed(self, name: str, shape: list[int | str], dtype: npt.DTypeLike = np.float32) -> ValueInfoProto:
        """Type and shape of a value named in full; kept for the graph's value_info."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        info = helper.make_tensor_value_info(name, kind, shape)
        self.values.append(info)
        return info

    def graph(self, name: str, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]) -> GraphProto:
        """The finished graph."""
        borders = {info.name for info in (*inputs, *outputs)}
        inner = [info for info in self.values if info.name not in borders]
        return helper.make_graph(self.nodes, name, inputs, outputs, self.initialisers, value_info=inner)

    def _shared(self, name: str, value: float, dtype: npt.DTypeLike) -> str:
        if name not in self._constants:
            self._constants[name] = self.constant(name, value, dtype)
        return self._constants[name]
