# SPDX-License-Identifier: BSD-3-Clause
"""Activation functions as tables from the pre-activation code to the output code.

Normative text: docs/numerics.md, section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from finn_flirnn.numerics.fixed_point import Codes, Format, Reals


class Activation(StrEnum):
    """Named activation functions; a table may also hold any other function."""

    SIGMOID = "sigmoid"
    HARD_SIGMOID = "hard_sigmoid"
    TANH = "tanh"
    HARD_TANH = "hard_tanh"


def _sigmoid(a: Reals) -> Reals:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * a)), dtype=np.float64)


def _hard_sigmoid(a: Reals) -> Reals:
    return np.clip(0.5 * a + 0.5, 0.0, 1.0)


def _hard_tanh(a: Reals) -> Reals:
    return np.clip(a, -1.0, 1.0)


FUNCTIONS: dict[Activation, Callable[[Reals], Reals]] = {
    Activation.SIGMOID: _sigmoid,
    Activation.HARD_SIGMOID: _hard_sigmoid,
    Activation.TANH: np.tanh,
    Activation.HARD_TANH: _hard_tanh,
}
"""sigmoid(a) = 1/(1+exp(-a)); hard_sigmoid(a) = clip(a/2 + 1/2, 0, 1); hard_tanh(a) = clip(a, -1, 1)."""


def activation_table(
    function: Activation | Callable[[Reals], Reals], preactivation: Format, output: Format
) -> Codes:
    """Output code for every bit pattern of a pre-activation code.

    Shape ``(2**preactivation.bits,)``, in two's-complement order, so that ``table[code]`` with a
    negative code is right both here (an index counted from the end) and in hardware (the code's
    bit pattern is the address).

    >>> table = activation_table(Activation.HARD_TANH, Format(3, 1), Format(3, 2, narrow=True))
    >>> table.tolist()
    [0, 2, 3, 3, -3, -3, -3, -2]
    """
    f = FUNCTIONS[function] if isinstance(function, Activation) else function
    return output.quantise(f(preactivation.dequantise(preactivation.all_codes())))
