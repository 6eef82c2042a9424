# SPDX-License-Identifier: BSD-3-Clause
"""A GRU as others might export it: a product per gate, scalar functions, (1-z)n + zh, time first.

Each of ``Foreign``'s choices turns the accepted form into another accepted or refused one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from finn_flirnn.numerics import Format, GruLayer

DOMAIN = "qonnx.custom_op.general"
LANES, STEPS = 4, 3


@dataclass
class Foreign:
    """The model of a layer with reset after the product, input, zero first state, sequence output.

    replace: tensor name -> value of an initialiser. function: gate name -> nodes' op types applied in
    turn. quant: output name -> attributes or scale that differ. skip: outputs whose Quant is left out.
    """

    layer: GruLayer
    functions: dict[str, list[str]] = field(
        default_factory=lambda: {"r": ["Sigmoid"], "z": ["Sigmoid"], "n": ["Tanh"]}
    )
    formats: dict[str, Format] = field(default_factory=dict)
    scales: dict[str, Any] = field(default_factory=dict)
    zero_points: dict[str, float] = field(default_factory=dict)
    rounding: dict[str, str] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()
    blend: str = "standard"
    first_state: float = 0.0
    bias_shift: float = 0.0
    opset: int = 17
    scan_attributes: dict[str, Any] = field(default_factory=dict)

    def model(self) -> ModelProto:
        """x (T, C, I) -> y (T, C, H), real values."""
        layer, f = self.layer, self.layer.formats
        assert f.input is not None
        outer = _Graph(self)
        x = outer.quant("x", f.input, "x_quant")
        outer.constant("zero", np.full((LANES, layer.hidden), self.first_state))
        scan = helper.make_node(
            "Scan",
            ["zero", x],
            ["last", "y"],
            name="recurrence",
            body=self._body(),
            **{"num_scan_inputs": 1, **self.scan_attributes},
        )
        graph = helper.make_graph(
            [*outer.nodes, scan],
            "foreign",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [STEPS, LANES, layer.inputs])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [STEPS, LANES, layer.hidden])],
            outer.initialisers,
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid(DOMAIN, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def _body(self) -> Any:
        layer, f, size = self.layer, self.layer.formats, self.layer.hidden
        assert layer.weight_ih is not None and f.weight_ih is not None and layer.bias_hh is not None
        g = _Graph(self)
        u, v = {}, {}
        for index, gate in enumerate("rzn"):
            rows = slice(index * size, (index + 1) * size)
            u[gate] = g.product("x_t", layer.weight_ih[rows], f.weight_ih, layer.bias_ih[rows], f"ih_{gate}")
            v[gate] = g.product("h", layer.weight_hh[rows], f.weight_hh, layer.bias_hh[rows], f"hh_{gate}")
        outputs = {"r": f.gate, "z": f.gate, "n": f.candidate}
        for gate in "rz":
            g.activation(g.node("Add", [v[gate], u[gate]], f"a_{gate}"), gate, f.preactivation, outputs[gate])
        recurrent = g.quant(v["n"], f.preactivation, "v_n")
        g.activation(
            g.node("Add", [g.node("Mul", [recurrent, "r"], "rv"), u["n"]], "a_n"),
            "n",
            f.preactivation,
            outputs["n"],
        )
        one = g.constant("one", 1.0)
        rest = g.node("Sub", [one, "z"], "rest")
        weights = (rest, "z") if self.blend == "standard" else ("z", rest)
        parts = [
            g.node("Mul", [weight, value], f"part_{value}")
            for weight, value in zip(weights, "nh", strict=True)
        ]
        if self.blend == "residual":
            parts[1] = g.node("Mul", ["h", "h"], "squared")
        g.quant(g.node("Add", parts, "blend"), f.state, "h_next")
        g.nodes.append(helper.make_node("Identity", ["h_next"], ["y_t"]))
        shapes = {"h": size, "x_t": layer.inputs, "h_next": size, "y_t": size}
        infos = {
            name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [LANES, features])
            for name, features in shapes.items()
        }
        return helper.make_graph(
            g.nodes, "body", [infos["h"], infos["x_t"]], [infos["h_next"], infos["y_t"]], g.initialisers
        )


class _Graph:
    def __init__(self, foreign: Foreign) -> None:
        self.foreign = foreign
        self.nodes: list[Any] = []
        self.initialisers: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        self.initialisers.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def node(self, op_type: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [output], name=output, **attributes))
        return output

    def quant(self, value: str, fmt: Format, output: str) -> str:
        choices = self.foreign
        if output in choices.skip:
            return self.node("Identity", [value], output)
        fmt = choices.formats.get(output, fmt)
        inputs = [
            value,
            self.constant(f"{output}_scale", choices.scales.get(output, fmt.scale)),
            self.constant(f"{output}_zero", choices.zero_points.get(output, 0.0)),
            self.constant(f"{output}_bits", fmt.bits),
        ]
        rounding = choices.rounding.get(output, "ROUND")
        return self.node(
            "Quant",
            inputs,
            output,
            domain=DOMAIN,
            signed=int(fmt.signed),
            narrow=int(fmt.narrow),
            rounding_mode=rounding,
        )

    def product(self, value: str, codes: Any, fmt: Format, bias: Any, name: str) -> str:
        layer = self.foreign.layer
        weight = self.quant(self.constant(f"w_{name}_float", fmt.dequantise(codes.T)), fmt, f"w_{name}")
        real = bias * 2.0**-layer.formats.product_frac + self.foreign.bias_shift
        return self.node(
            "Add", [self.node("MatMul", [value, weight], f"p_{name}"), self.constant(f"b_{name}", real)], name
        )

    def activation(self, value: str, gate: str, preactivation: Format, output: Format) -> None:
        value = self.quant(value, preactivation, f"q_{gate}")
        for position, op_type in enumerate(self.foreign.functions[gate]):
            extra = []
            if op_type == "Clip":
                extra = [self.constant(f"{gate}_least", -1.0), self.constant(f"{gate}_greatest", 1.0)]
            attributes = {"alpha": 0.5, "beta": 0.5} if op_type == "HardSigmoid" else {}
            value = self.node(op_type, [value, *extra], f"f{position}_{gate}", **attributes)
        self.quant(value, output, gate)
