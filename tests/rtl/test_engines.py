# SPDX-License-Identifier: BSD-3-Clause
"""The engines equal the oracle, code by code, in every folding and format, under stalls and resets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier, emit_dense, gru_cycles
from finn_flirnn.numerics import Activation, Format, Reset
from finn_flirnn.sim import build_model, simulate
from tests.rtl.harness import STALLS
from tests.rtl.layers import GruCase, random_dense

CASES = {
    "one unit, one step": GruCase(1, GruFolding(), steps=1),
    "one lane": GruCase(8, GruFolding(4, 4, 1, 1)),
    "cell in look-up tables": GruCase(8, GruFolding(4, 4, 1, 2, cell_dsp=False)),
    "before, cell in look-up tables": GruCase(6, GruFolding(3, 2, 1, 3, cell_dsp=False), reset=Reset.BEFORE,
                                              gate_bits=5, state_bits=10),
    "before, three lanes": GruCase(8, GruFolding(4, 4, 1, 3), reset=Reset.BEFORE),
    "no input, given state": GruCase(6, GruFolding(3, 2, 1, 3), inputs=0, initial_state=True),
    "before, last state, wide": GruCase(
        6, GruFolding(6, 6, 2, 5), inputs=4, input_signed=True, initial_state=True, sequence=False,
        reset=Reset.BEFORE, weight_bits=5, state_bits=11,
    ),
    "16-bit state, one product a multiplier": GruCase(8, GruFolding(2, 8, 1, 2), state_bits=16, gate_bits=9),
    "odd sizes": GruCase(33, GruFolding(11, 3, 1, 2), weight_bits=2, state_bits=4, gate_bits=4,
                         candidate_bits=5, preactivation_bits=6),
    "17 units in parallel": GruCase(17, GruFolding(17, 17, 3, 6), inputs=3, weight_bits=4, state_bits=12,
                                    gate=Activation.HARD_SIGMOID, candidate=Activation.HARD_TANH),
    "before, no input": GruCase(16, GruFolding(4, 8, 1, 7), inputs=0, reset=Reset.BEFORE,
                                gate=Activation.HARD_SIGMOID, candidate=Activation.HARD_TANH),
    "7-series packing": GruCase(12, GruFolding(6, 4, 1, 4), multiplier=Multiplier.DSP48E1),
    "no packing": GruCase(12, GruFolding(6, 4, 1, 4), multiplier=Multiplier.MULT18),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_engine_equals_oracle_under_stalls_and_back_to_back(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    rng = np.random.default_rng(11)
    layer = case.layer(rng)
    model = build_model(case.emit(layer, tmp_path))
    inputs, expected = case.data(layer, groups=4, rng=rng)
    for seed, stalls in enumerate(STALLS):
        if isinstance(stalls, Mapping):  # some layers have no input
            stalls = {name: p for name, p in stalls.items() if name in {*inputs, "out0_V"}}
        # a layer with neither input nor initial state is a source that never ends
        given = simulate(
            model, inputs, {"out0_V": len(expected)}, stalls=stalls, seed=seed, exact=bool(inputs)
        )
        assert (given.outputs["out0_V"] == expected).all()


@pytest.mark.parametrize("reset", list(Reset))
def test_reset_in_mid_sequence_leaves_nothing_behind(tmp_path: Path, reset: Reset) -> None:
    case = GruCase(8, GruFolding(4, 4, 1, 3), initial_state=True, reset=reset)
    rng = np.random.default_rng(5)
    layer = case.layer(rng)
    model = build_model(case.emit(layer, tmp_path))
    inputs, expected = case.data(layer, groups=4, rng=rng)
    for reset_at in (1, 17, 60, 143, 400):
        given = simulate(model, inputs, {"out0_V": len(expected)}, stalls=0.3, seed=2, reset_at=reset_at)
        assert (given.outputs["out0_V"] == expected).all()


@pytest.mark.parametrize(
    ("outputs", "inputs", "folding"),
    [
        (3, 32, DenseFolding(3, 2)),
        (3, 32, DenseFolding(1, 8)),
        (1, 1, DenseFolding(1, 1)),
        (4, 6, DenseFolding(2, 3)),
    ],
)
def test_dense_head_equals_oracle_under_stalls(
    tmp_path: Path, outputs: int, inputs: int, folding: DenseFolding
) -> None:
    rng = np.random.default_rng(3)
    state = Format(8, 7, narrow=True)
    layer = random_dense(rng, inputs, outputs, state)
    model = build_model(emit_dense(layer, folding, tmp_path, "head"))
    x = rng.integers(-127, 128, (200, inputs))
    expected = layer.run(x).reshape(-1, folding.pe)
    for seed, stalls in enumerate(STALLS):
        given = simulate(
            model,
            {"in0_V": x.reshape(-1, folding.simd)},
            {"out0_V": len(expected)},
            stalls=stalls,
            seed=seed,
        )
        assert (given.outputs["out0_V"] == expected).all()


@pytest.mark.parametrize(
    ("case", "tolerance"),
    [
        (GruCase(32, GruFolding(8, 8, 1, 4), steps=20, sequence=False), 0.0),
        (GruCase(32, GruFolding(8, 8, 1, 4), steps=20, inputs=0, initial_state=True), 0.0),
        (GruCase(16, GruFolding(4, 4, 1, 8), steps=20, reset=Reset.BEFORE, initial_state=True), 0.0),
        (GruCase(16, GruFolding(4, 4, 1, 1), steps=20), 0.05),
        (GruCase(16, GruFolding(4, 4, 1, 1), steps=20, reset=Reset.BEFORE), 0.05),
    ],
)
def test_estimated_cycles_are_those_of_the_simulation(
    tmp_path: Path, case: GruCase, tolerance: float
) -> None:
    rng = np.random.default_rng(1)
    layer = case.layer(rng)
    model = build_model(case.emit(layer, tmp_path))
    inputs, expected = case.data(layer, groups=5, rng=rng)
    result = simulate(model, inputs, {"out0_V": len(expected)})
    simulated = result.steady_cycles("out0_V", len(expected) // 5, skip=1)
    estimated = gru_cycles(layer, case.steps, case.folding)
    assert abs(estimated / simulated - 1) <= tolerance
