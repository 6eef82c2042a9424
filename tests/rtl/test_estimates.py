# SPDX-License-Identifier: BSD-3-Clause
"""Estimates before synthesis are near what Yosys finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import GruFolding, estimate_gru
from finn_flirnn.numerics import Reset
from finn_flirnn.synth import synthesise
from tests.rtl.layers import GruCase


@pytest.mark.parametrize(
    "case",
    [
        GruCase(32, GruFolding(8, 8, 1, 4), steps=135, sequence=False),
        GruCase(16, GruFolding(4, 4, 1, 4), steps=135, reset=Reset.BEFORE, inputs=0, initial_state=True),
        GruCase(8, GruFolding(4, 4, 1, 4, runtime_weights=True), steps=135, sequence=False),
    ],
    ids=["encoder of 32 units", "decoder of 16 units, reset before", "encoder of 8 units, loadable"],
)
def test_estimate_is_within_15_percent_of_synthesis(tmp_path: Path, case: GruCase) -> None:
    layer = case.layer(np.random.default_rng(3))
    found = synthesise(case.emit(layer, tmp_path), "xcup")
    estimate = estimate_gru(layer, case.steps, case.folding)
    assert (estimate.dsp, estimate.bram36, estimate.uram) == (found.dsp, found.bram36, found.uram)
    assert abs(estimate.lut / found.lut - 1) < 0.15
    assert abs(estimate.ff / found.ff - 1) < 0.15
