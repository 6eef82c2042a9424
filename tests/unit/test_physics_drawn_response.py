# SPDX-License-Identifier: BSD-3-Clause
"""The quick response of many draws is the exact gate integral."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from finn_flirnn.physics.drawn_response import DrawnResponse
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.physics.response import gate_response


def test_response_of_draws_equals_the_exact_integrals() -> None:
    rng = np.random.default_rng(1)
    lifetimes, amplitudes = rng.uniform(0.05, 3.0, (50, 2)), rng.uniform(0, 1, (50, 2))
    for tail in (0.0, 1.5):
        preset = replace(PAPER135, irf_tail_ratio_range=(0.0, tail))
        irf = EmgIrf(1.8 + rng.uniform(-0.18, 0.18, 50), rng.uniform(0.2, 0.3, 50), tail)
        exact = sum(
            amplitudes[:, c, None] * gate_response(preset.grid, irf, lifetimes[:, c]) for c in range(2)
        )
        found = DrawnResponse.of(preset).response(lifetimes, amplitudes, irf)
        np.testing.assert_allclose(found, exact, atol=2e-6)
