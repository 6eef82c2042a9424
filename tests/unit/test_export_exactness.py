# SPDX-License-Identifier: BSD-3-Clause
"""The bound that chooses float32 or double: reached by the worst case, and float32 is exact below it."""

from dataclasses import replace

import numpy as np
import pytest

from finn_flirnn.export import QonnxExecutor, build_qonnx, codes_of
from finn_flirnn.numerics import DenseLayer, Format, GruLayer, Reset
from finn_flirnn.numerics.magnitude import FLOAT32_EXACT, dense_magnitude, gru_magnitude
from tests.fakes.random_layers import OUTPUT, random_gru


def test_dense_bound_is_reached_by_the_worst_input() -> None:
    fmt = Format(8, 7, narrow=True)
    weight, bias = np.array([[127, -127, 5], [1, 0, 0]]), np.array([1000, 0])
    layer = DenseLayer(fmt, fmt, OUTPUT, weight, bias)
    assert dense_magnitude(layer) == 127 * (127 + 127 + 5) + 1000
    assert int((weight @ np.array([127, -127, 127]) + bias).max()) == dense_magnitude(layer)


def test_gru_bound_grows_with_the_bias() -> None:
    layer = random_gru()
    shifted = replace(layer, bias_ih=layer.bias_ih + (1 << 30))
    assert gru_magnitude(layer) < FLOAT32_EXACT < 1 << 30 < gru_magnitude(shifted)


def nearly_too_large(reset: Reset, state_bits: int) -> GruLayer:
    """A layer of extreme weights whose bias fills what float32 can hold."""
    layer = random_gru(reset=reset, hidden=31, state_bits=state_bits, inputs=2)
    extreme = layer.formats.weight_hh.max_code
    layer = replace(layer, weight_hh=np.where(layer.weight_hh < 0, -extreme, extreme))
    room = FLOAT32_EXACT - gru_magnitude(layer)
    assert room > 0
    return replace(layer, bias_ih=layer.bias_ih + np.where(layer.bias_ih < 0, -room, room) * 9 // 10)


@pytest.mark.parametrize("reset", list(Reset))
def test_float32_body_is_exact_up_to_the_bound(reset: Reset) -> None:
    layer = nearly_too_large(reset, state_bits=8)
    assert FLOAT32_EXACT // 2 < gru_magnitude(layer) <= FLOAT32_EXACT
    f = layer.formats
    assert f.input is not None
    rng = np.random.default_rng(0)
    x = rng.choice([f.input.min_code, f.input.max_code - 1, f.input.max_code], (64, 6, 2))
    y = QonnxExecutor(build_qonnx(layer, steps=6), threads=1).run(f.input.dequantise(x))
    assert np.array_equal(codes_of(y, f.state), layer.run(x, 6))
