# SPDX-License-Identifier: BSD-3-Clause
"""Rounding, saturation and tables follow docs/numerics.md."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn_flirnn.numerics import Activation, Format, activation_table, align, requantise, shift_round


def _half_even(value: Fraction) -> int:
    return round(value)  # Python rounds fractions to nearest, ties to even


@given(st.integers(-(1 << 40), 1 << 40), st.integers(-8, 24))
def test_shift_round_is_exact_rational_rounding(code: int, shift: int) -> None:
    expected = _half_even(Fraction(code) / Fraction(2) ** shift)
    assert shift_round(np.array([code]), shift)[0] == expected


@pytest.mark.parametrize(
    ("form", "least", "greatest"),
    [
        (Format(8, 0), -128, 127),
        (Format(8, 0, narrow=True), -127, 127),
        (Format(8, 0, signed=False), 0, 255),
        (Format(2, 0, narrow=True), -1, 1),
        (Format(1, 0, signed=False), 0, 1),
    ],
)
def test_formats_saturate_at_their_ends(form: Format, least: int, greatest: int) -> None:
    assert (form.min_code, form.max_code) == (least, greatest)
    assert requantise(np.array([-1000, 1000]), 0, form).tolist() == [least, greatest]


@pytest.mark.parametrize("arguments", [(0, 0), (1, 0), (33, 0)])
def test_impossible_widths_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        Format(*arguments)


def test_an_unsigned_format_has_no_narrow_range() -> None:
    with pytest.raises(ValueError, match="narrow"):
        Format(8, 0, signed=False, narrow=True)


def test_nan_is_refused_and_infinity_saturates() -> None:
    with pytest.raises(ValueError, match="NaN"):
        Format(8, 7).quantise([0.0, np.nan])
    assert Format(8, 7).quantise([np.inf, -np.inf]).tolist() == [127, -128]


def test_alignment_never_drops_bits() -> None:
    with pytest.raises(ValueError, match="at least"):
        align(np.array([1]), 4, 3)


@pytest.mark.parametrize("activation", list(Activation))
def test_tables_are_monotone_and_indexed_by_negative_codes(activation: Activation) -> None:
    pre, out = Format(10, 6), Format(8, 7, signed=activation.value.endswith("tanh"))
    table = activation_table(activation, pre, out)
    ordered = table[np.arange(pre.min_code, pre.max_code + 1)]
    assert (np.diff(ordered) >= 0).all()
    assert ordered[-1] == (127 if out.signed else 128)
    assert table[0] == (0 if out.signed else 64)


def test_hard_activations_clip_where_the_published_model_does() -> None:
    pre = Format(8, 5)
    values = pre.dequantise(pre.all_codes())
    gate = activation_table(Activation.HARD_SIGMOID, pre, Format(8, 7, signed=False))
    assert (gate == np.rint(np.clip(0.5 * values + 0.5, 0, 1) * 128)).all()
