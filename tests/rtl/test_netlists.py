# SPDX-License-Identifier: BSD-3-Clause
"""The engines after synthesis still equal the oracle (7 series: its cells have simulation models)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier, emit_dense
from finn_flirnn.numerics import Format, Reset
from finn_flirnn.sim import build_model, simulate
from finn_flirnn.synth import netlist
from tests.rtl.layers import GruCase, random_dense


@pytest.mark.parametrize("reset", list(Reset))
def test_gru_netlist_with_packed_multipliers_equals_oracle(tmp_path: Path, reset: Reset) -> None:
    case = GruCase(
        8, GruFolding(4, 4, 1, 3), reset=reset, initial_state=True, preactivation_bits=7,
        multiplier=Multiplier.DSP48E1,
    )  # fmt: skip
    rng = np.random.default_rng(8)
    layer = case.layer(rng)
    module = netlist(case.emit(layer, tmp_path), "xc7", tmp_path / "netlist")
    model = build_model(module, lint=False, optimisation=0)
    inputs, expected = case.data(layer, groups=6, rng=rng)
    given = simulate(model, inputs, {"out0_V": len(expected)}, stalls=0.3)
    assert (given.outputs["out0_V"] == expected).all()


def test_head_netlist_equals_oracle(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    layer = random_dense(rng, 8, 3, Format(8, 7, narrow=True))
    module = emit_dense(layer, DenseFolding(3, 2), tmp_path, "head", Multiplier.DSP48E1)
    model = build_model(netlist(module, "xc7", tmp_path / "netlist"), lint=False, optimisation=0)
    x = rng.integers(-127, 128, (100, 8))
    given = simulate(model, {"in0_V": x.reshape(-1, 2)}, {"out0_V": 100}, stalls=0.3)
    assert (given.outputs["out0_V"] == layer.run(x)).all()
