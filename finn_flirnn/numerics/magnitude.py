# SPDX-License-Identifier: BSD-3-Clause
"""How large the integers of a layer can become: which floating-point type computes it exactly.

A sum of numbers that are all integers times one power of two is exact in float32, in any order, while
the sum of their magnitudes stays within 2**24 such units (float64: 2**53).
"""

from __future__ import annotations

import numpy as np

from finn_flirnn.numerics.dense import DenseLayer
from finn_flirnn.numerics.fixed_point import Codes, Format
from finn_flirnn.numerics.gru import GruLayer, Reset

FLOAT32_EXACT = 1 << 24
"""float32 holds every integer up to this magnitude."""
FLOAT64_EXACT = 1 << 53
"""float64 holds every integer up to this magnitude."""


def format_magnitude(fmt: Format) -> int:
    """Greatest magnitude of a format's codes.

    >>> format_magnitude(Format(bits=8, frac=7))
    128
    """
    return max(-fmt.min_code, fmt.max_code)


def dense_magnitude(layer: DenseLayer) -> int:
    """Bound of every integer, partial sums included, that a dense layer computes."""
    sums = _row_sums(layer.weight) * format_magnitude(layer.input_format) + np.abs(layer.bias)
    return int(sums.max())


def gru_magnitude(layer: GruLayer) -> int:
    """Bound of every integer, partial sums included, that a step of a GRU layer computes."""
    f, size, frac = layer.formats, layer.hidden, layer.formats.product_frac
    state = format_magnitude(f.state)
    gate = int(np.abs(layer.gate_table).max())
    candidate = int(np.abs(layer.candidate_table).max())
    v = (_row_sums(layer.weight_hh) * state) << (frac - f.weight_hh.frac - f.state.frac)
    u = np.abs(layer.bias_ih)
    if layer.weight_ih is not None and f.weight_ih is not None and f.input is not None:
        products = _row_sums(layer.weight_ih) * format_magnitude(f.input)
        u = u + (products << (frac - f.weight_ih.frac - f.input.frac))
    bounds = [u.max(), v.max()]
    if layer.reset is Reset.AFTER:
        assert layer.bias_hh is not None
        v = v + np.abs(layer.bias_hh)
        reset_frac = f.gate.frac + f.preactivation.frac
        wide = max(frac, reset_frac)
        reset = gate * format_magnitude(f.preactivation) << (wide - reset_frac)
        bounds += [(u + v)[: 2 * size].max(), v.max(), (u[2 * size :].max() << (wide - frac)) + reset]
    else:
        bounds += [(u + v).max(), gate * state]
    common = max(f.state.frac, f.candidate.frac)
    candidate <<= common - f.candidate.frac
    state <<= common - f.state.frac
    bounds.append((candidate << f.gate.frac) + gate * (state + candidate))
    return int(max(bounds))


def _row_sums(weight: Codes) -> Codes:
    return np.asarray(np.abs(weight).sum(axis=1))
