# SPDX-License-Identifier: BSD-3-Clause
"""The GRU cell of docs/numerics.md section 4 as the body of an ONNX Scan.

Weights are float initialisers with Quant nodes inside the body: a body that reads tensors of the graph
around it breaks qonnx's node-by-node execution and does not follow qonnx's renaming.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from onnx import GraphProto

from finn_flirnn.export.graph import GraphBuilder
from finn_flirnn.numerics import Activation, Codes, Format, GruLayer, Reset, activation_table
from finn_flirnn.numerics.magnitude import FLOAT32_EXACT, FLOAT64_EXACT, gru_magnitude


def exact_real(name: str, magnitude: int) -> npt.DTypeLike:
    """The floating-point type that holds all integers up to a magnitude. Raises ValueError if none."""
    if magnitude <= FLOAT32_EXACT:
        return np.float32
    if magnitude <= FLOAT64_EXACT:
        return np.float64
    raise ValueError(
        f"{name} computes integers up to 2^{magnitude.bit_length()}, beyond 2^53 which double precision "
        "holds exactly; use fewer bits"
    )


def cell_body(name: str, layer: GruLayer, batch: int | str) -> GraphProto:
    """One step. Inputs: h (batch, H), then x (batch, I), or a number that is not used if the layer has
    no input. Outputs: the next h, and once more if the layer gives its sequence. float32 outside;
    inside float64 if the layer's sums need it.
    """
    g = GraphBuilder(f"{name}.", exact_real(name, gru_magnitude(layer)))
    state_shape: list[int | str] = [batch, layer.hidden]
    inputs = [
        g.typed(g.name("h"), state_shape),
        g.typed(g.name("x"), [batch, layer.inputs]) if layer.inputs else g.typed(g.name("tick"), []),
    ]
    h = _widened(g, "h")
    gates = _after(g, layer, h) if layer.reset is Reset.AFTER else _before(g, layer, h)
    next_state = _blend(g, layer, h, *gates)
    if g.real != np.float32:
        next_state = g.cast(next_state, np.float32, "h_next_float")
    outputs = [g.typed(next_state, state_shape)]
    if layer.sequence:
        outputs.append(g.typed(g.node("Identity", [next_state], "y"), state_shape))
    return g.graph(name, inputs, outputs)


def table_name(table: Codes, preactivation: Format, output: Format) -> str:
    """The function whose table this is, or "function"."""
    for function in Activation:
        if np.array_equal(table, activation_table(function, preactivation, output)):
            return function.value
    return "function"


def _after(g: GraphBuilder, layer: GruLayer, h: str) -> tuple[str, str]:
    """Reset after the recurrent product: n = f(u_n + r * v_n). Returns z, n."""
    f = layer.formats
    u_rz, u_n = _split(g, "u", _input_products(g, layer), layer.hidden)
    assert layer.bias_hh is not None
    weight = g.quantised_constant("weight_hh", layer.weight_hh, f.weight_hh)
    bias = g.constant("bias_hh", _real_bias(layer, layer.bias_hh))
    v_rz, v_n = _split(g, "v", g.node("Gemm", [h, weight, bias], "v", transB=1), layer.hidden)
    r, z = _gates(g, layer, g.node("Add", [u_rz, v_rz], "a_rz"))
    recurrent = g.quant(v_n, f.preactivation, "v_n_quant")
    a_n = g.node("Add", [u_n, g.node("Mul", [r, recurrent], "rv")], "a_n")
    return z, _candidate(g, layer, a_n)


def _before(g: GraphBuilder, layer: GruLayer, h: str) -> tuple[str, str]:
    """Reset before the recurrent product: n = f(u_n + W_hn (r * h)). Returns z, n."""
    f, size = layer.formats, layer.hidden
    u_rz, u_n = _split(g, "u", _input_products(g, layer), size)
    weight = g.quantised_constant("weight_hh", layer.weight_hh, f.weight_hh)
    parts = g.constant("rows_rz_n", [2 * size, size], np.int64)
    w_rz, w_n = g.multi("Split", [weight, parts], ["weight_hh_rz", "weight_hh_n"], "weight_split", axis=0)
    r, z = _gates(g, layer, g.node("Gemm", [h, w_rz, u_rz], "a_rz", transB=1))
    rh = g.quant(g.node("Mul", [r, h], "rh"), f.state, "rh_quant")
    return z, _candidate(g, layer, g.node("Gemm", [rh, w_n, u_n], "a_n", transB=1))


def _input_products(g: GraphBuilder, layer: GruLayer) -> str:
    """u = W_ih x + b_ih, or b_ih without input."""
    f = layer.formats
    bias = g.constant("bias_ih", _real_bias(layer, layer.bias_ih))
    if layer.weight_ih is None or f.weight_ih is None:
        return bias
    weight = g.quantised_constant("weight_ih", layer.weight_ih, f.weight_ih)
    return g.node("Gemm", [_widened(g, "x"), weight, bias], "u", transB=1)


def _gates(g: GraphBuilder, layer: GruLayer, a_rz: str) -> tuple[str, str]:
    gates = _activation(g, layer, a_rz, "rz", layer.gate_table, layer.formats.gate)
    r, z = g.multi(
        "Split", [gates, g.constant("units_r_z", [layer.hidden] * 2, np.int64)], ["r", "z"], "r_z", axis=-1
    )
    return r, z


def _candidate(g: GraphBuilder, layer: GruLayer, a_n: str) -> str:
    return _activation(g, layer, a_n, "n", layer.candidate_table, layer.formats.candidate)


def _activation(g: GraphBuilder, layer: GruLayer, a: str, output: str, table: Codes, fmt: Format) -> str:
    """Pre-activation quantiser and table; a negative code counts from the table's end."""
    p = layer.formats.preactivation
    function = f"{table_name(table, p, fmt)}_{output}"
    per_code = g.constant(f"codes_per_one_{output}", 2.0**p.frac)
    quantised = g.quant(a, p, f"p_{output}")
    code = g.cast(g.node("Mul", [quantised, per_code], f"code_{output}"), np.int64, f"index_{output}")
    values = g.quantised_constant(f"{function}_table", table, fmt)
    return g.node("Gather", [values, code], output, name=function)


def _blend(g: GraphBuilder, layer: GruLayer, h: str, z: str, n: str) -> str:
    """h' = n + z * (h - n)."""
    difference = g.node("Sub", [h, n], "h_minus_n")
    kept = g.node("Mul", [z, difference], "kept")
    return g.quant(g.node("Add", [n, kept], "blend"), layer.formats.state, "h_next")


def _split(g: GraphBuilder, name: str, value: str, size: int) -> tuple[str, str]:
    parts = g.constant(f"units_rz_n_{name}", [2 * size, size], np.int64)
    rz, n = g.multi("Split", [value, parts], [f"{name}_rz", f"{name}_n"], f"{name}_split", axis=-1)
    return rz, n


def _widened(g: GraphBuilder, name: str) -> str:
    """An input of the body in the body's floating-point type."""
    return g.name(name) if g.real == np.float32 else g.cast(g.name(name), g.real, f"{name}_wide")


def _real_bias(layer: GruLayer, codes: Codes) -> npt.NDArray[np.float64]:
    return np.ldexp(codes.astype(np.float64), -layer.formats.product_frac)
