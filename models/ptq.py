# SPDX-License-Identifier: BSD-3-Clause
"""Post-training quantisation: a float Seq2SeqLite becomes an integer one without training.

Every weight tensor, or every row of it ("per channel"), gets a power-of-two grid:

    not calibrated   the finest on which no weight saturates
    calibrated       the one with the least error of the products, E |(W - Q) v|^2, v what the weight
                     multiplies in the float model on calibration decays

Rows on grids of their own are exact in one wider format of the tensor, so the result is the same integer
network as after quantisation-aware training. Such a row's codes have ``weight_bits`` significant bits; the
multiplier sees the wider ones.

Bias correction takes the mean error of the products, (Q - W) E v, off the bias. (Nagel et al. 2019; with the
float model's v: to follow the quantised model's own would chase errors around the recurrent loop.)

Brevitas' calibration_mode collects statistics for scales, and its bias_correction_mode hooks its own linear
layers. Here the scales of activations are constants and the products lie in a cell, so neither finds
anything to work on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from finn_flirnn.models.fused import fused_gru, to_blocks
from finn_flirnn.models.quant_gru import SMOOTH, QuantGRU
from finn_flirnn.models.quantisers import BIAS_BITS, MAX_WEIGHT_FRAC
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.numerics import Format, Reset

Array = npt.NDArray[np.float64]

ROW_SPREAD = 4
"""Grids of a tensor's rows differ by at most 2 to this; the multiplier's operand is wider by so many bits."""
FINER_GRIDS = 5
"""Calibration tries grids up to 2 to this finer than the one without saturation."""


@dataclass(frozen=True)
class PtqPlan:
    """Bits and methods; the other choices are the float model's own. *_bits as of ``Seq2SeqLite``."""

    weight_bits: int = 8
    state_bits: int = 8
    gate_bits: int = 8
    preactivation_bits: int = 10
    per_channel: bool = False
    calibrated: bool = True
    bias_correction: bool = False

    def __post_init__(self) -> None:
        if self.weight_bits < 2:
            raise ValueError(f"weight_bits={self.weight_bits} must be at least 2: a sign and a magnitude")


@dataclass(frozen=True)
class Product:
    """A weight of the float model, what it multiplies, and the bias that its products are added to.

    inputs: (samples, columns), for each of ``parts``, slices of rows that cover the weight.
    """

    name: str
    weight: Array
    bias_name: str
    parts: tuple[tuple[slice, Array], ...]


def quantise_after_training(model: Seq2SeqLite, plan: PtqPlan, x: Tensor) -> Seq2SeqLite:
    """The integer model of a float one, in eval mode.

    model: trained without quantisers; it is not changed. x: calibration decays (pixels, T, I), normalised;
    some hundreds are enough. Raises ValueError for calibration decays of another shape.
    """
    inputs = model.encoder.input_size
    if x.ndim != 3 or not len(x) or x.shape[1:] != (model.steps, inputs):
        raise ValueError(
            f"x has shape {tuple(x.shape)}, expected (pixels, {model.steps}, {inputs}) with at least one "
            "pixel; give calibration decays of the model's own length"
        )
    weights = {name: value.astype(np.float64) for name, value in model.float_weights().items()}
    fracs: dict[str, int] = {}
    widths: dict[str, int] = {}
    for product in products(model, x):
        finest = _finest_frac(weights, product.name, plan, model)
        grids = row_fracs(product, plan, finest)
        quantised = _rounded(product.weight, plan.weight_bits, grids[:, None])
        if plan.bias_correction:
            for rows, values in product.parts:
                mean = values.mean(axis=0)
                weights[product.bias_name][rows] -= (quantised[rows] - product.weight[rows]) @ mean
        weights[product.name] = quantised
        fracs[product.name.replace(".", "_") + "_frac"] = int(grids.max())
        widths[product.name] = plan.weight_bits + int(grids.max() - grids.min())
    config = model.config | {
        "weight_bits": max(width for name, width in widths.items() if name != "head.weight"),
        "head_weight_bits": widths["head.weight"],
        "state_bits": plan.state_bits,
        "gate_bits": plan.gate_bits,
        "candidate_bits": plan.gate_bits,
        "preactivation_bits": plan.preactivation_bits,
        **fracs,
    }
    quantised_model = Seq2SeqLite(**config)  # type: ignore[arg-type]
    quantised_model.load_float_weights(weights)
    return quantised_model.eval()


def row_fracs(product: Product, plan: PtqPlan, finest: int = MAX_WEIGHT_FRAC) -> npt.NDArray[np.int64]:
    """Fractional bits of each row of a weight: (rows,), at most ``finest``; all alike unless per channel."""
    bits, weight = plan.weight_bits, product.weight
    groups = [[row] for row in range(len(weight))] if plan.per_channel else [list(range(len(weight)))]
    moments = [(rows, values.T @ values / len(values)) for rows, values in product.parts]
    chosen = np.empty(len(weight), np.int64)
    for group in groups:
        frac = min(_unsaturated_frac(weight[group], bits), finest)
        if plan.calibrated:
            tried = range(frac, min(frac + FINER_GRIDS, finest) + 1)
            frac = min(tried, key=lambda f: _product_error(weight, group, bits, f, moments))
        chosen[group] = frac
    return np.asarray(np.minimum(chosen, chosen.min() + ROW_SPREAD), dtype=np.int64)


def products(model: Seq2SeqLite, x: Tensor) -> list[Product]:
    """Every weight with what it multiplies in the float model, on decays (pixels, T, I)."""
    before = model.quantised
    model.quantised = False
    try:
        with torch.no_grad():
            return _products(model, x)
    finally:
        model.quantised = before


def _products(model: Seq2SeqLite, x: Tensor) -> list[Product]:
    names = {layer: name for name, layer in model.recurrent.items()}
    weights = {name: value.astype(np.float64) for name, value in model.float_weights().items()}
    found: list[Product] = []

    def rows(value: Tensor) -> Tensor:
        """(blocks, ..., F, lanes) -> (samples, F), without what fills up the last block."""
        return value.movedim(-1, 1).flatten(0, 1)[: len(x)].flatten(0, -2)

    def whole(layer: str, weight: str, bias: str, values: Tensor) -> Product:
        parts = ((slice(None), _array(values)),)
        return Product(f"{layer}.{weight}", weights[f"{layer}.{weight}"], f"{layer}.{bias}", parts)

    def run(layer: QuantGRU, value: Tensor | None, first: Tensor | None) -> Tensor:
        name, sequence = names[layer], layer.sequence
        layer.sequence = True
        try:
            states = fused_gru(layer, value, first, model.steps, blocks)
        finally:
            layer.sequence = sequence
        start = torch.zeros_like(states[:, :1]) if first is None else first[:, None]
        before = rows(torch.cat([start, states[:, :-1]], dim=1))
        inputs = None if value is None else rows(value)
        if inputs is not None:
            found.append(whole(name, "weight_ih", "bias_ih", inputs))
        if layer.reset is Reset.AFTER:
            found.append(whole(name, "weight_hh", "bias_hh", before))
        else:
            after_reset = _reset_gate(layer, before, inputs) * before
            gates, candidates = slice(0, 2 * layer.hidden_size), slice(2 * layer.hidden_size, None)
            parts = ((gates, _array(before)), (candidates, _array(after_reset)))
            found.append(Product(f"{name}.weight_hh", weights[f"{name}.weight_hh"], f"{name}.bias_ih", parts))
        return states if sequence else states[:, -1]

    whole_blocks = to_blocks(x)
    blocks = len(whole_blocks)
    head_states = model.head_states(whole_blocks, run)
    return [*found, whole("head", "weight", "bias", rows(head_states))]


def _reset_gate(layer: QuantGRU, states: Tensor, x: Tensor | None) -> Tensor:
    """r of every step at once, from the states before it; reset before the product."""
    size = layer.hidden_size
    sums = states @ layer.weight_hh[:size].T + layer.bias_ih[:size]
    if x is not None and layer.weight_ih is not None:
        sums = sums + x @ layer.weight_ih[:size].T
    return SMOOTH[layer.gate](sums)


def _product_error(
    weight: Array, group: list[int], bits: int, frac: int, moments: list[tuple[slice, Array]]
) -> float:
    difference = np.zeros_like(weight)
    difference[group] = weight[group] - _rounded(weight[group], bits, np.int64(frac))
    return sum(float(np.einsum("rj,jk,rk->", difference[r], m, difference[r])) for r, m in moments)


def _rounded(weight: Array, bits: int, frac: npt.NDArray[np.int64] | np.int64) -> Array:
    """Weights rounded and saturated on grids of ``bits``; frac is broadcast."""
    greatest = Format(bits, 0, narrow=True).max_code
    codes = np.clip(np.rint(np.ldexp(weight, frac)), -greatest, greatest)
    return np.asarray(np.ldexp(codes, -frac))


def _unsaturated_frac(weight: Array, bits: int) -> int:
    greatest = float(np.abs(weight).max())
    if greatest == 0.0:
        return bits - 1
    frac = min(bits - 1 - int(np.frexp(greatest)[1]), MAX_WEIGHT_FRAC)
    return frac - int(np.rint(greatest * 2.0**frac) > Format(bits, 0, narrow=True).max_code)


def _finest_frac(weights: dict[str, Array], name: str, plan: PtqPlan, model: Seq2SeqLite) -> int:
    """Fractional bits of a weight at which the layer's biases, on the grid of its sums, keep a spare bit."""
    layer = name.split(".")[0]
    greatest = max(float(np.abs(v).max()) for n, v in weights.items() if n.startswith(f"{layer}.bias"))
    integer_bits = max(0, int(np.frexp(greatest)[1])) + 1
    operand = model.encoder.quantisation.input.frac if name == "encoder.weight_ih" else plan.state_bits - 1
    return min(MAX_WEIGHT_FRAC, BIAS_BITS - 1 - integer_bits - operand)


def _array(tensor: Tensor) -> Array:
    return np.asarray(tensor.double().numpy())
