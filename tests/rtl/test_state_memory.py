# SPDX-License-Identifier: BSD-3-Clause
"""The states of many lanes in banks of memory, and last states that wait in the ring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import GruFolding, Multiplier, StreamPort, gru_cycles
from finn_flirnn.codegen.gru import gru_state_memory
from finn_flirnn.codegen.types import RamStyle
from finn_flirnn.numerics import Reset
from finn_flirnn.sim import build_model, simulate
from tests.rtl.harness import STALLS, raw, run, stream_model
from tests.rtl.layers import GruCase


@pytest.mark.parametrize(
    ("depth", "bank", "row"), [(1, 4, 1), (4, 4, 2), (9, 4, 3), (17, 1, 1), (70, 4, 2), (64, 4, 1)]
)
def test_banks_keep_order_at_any_depth(tmp_path: Path, depth: int, bank: int, row: int) -> None:
    port = StreamPort("in0_V", 1, raw(7))
    parameters = {"WIDTH": 7, "DEPTH": depth * row, "MEMORY": 2, "ROW": row, "BANK": bank}
    model = stream_model(tmp_path, "state_fifo", parameters, port, StreamPort("out0_V", 1, raw(7)))
    words = np.random.default_rng(1).integers(0, 128, (600 - 600 % row, 1))
    for stalls in STALLS:
        assert (run(model, words, len(words), stalls) == words).all()
    result = simulate(model, {"in0_V": words}, {"out0_V": len(words)})
    if depth * row > 20:  # more than the words under way: then nothing waits
        assert result.steady_cycles("out0_V", 1, skip=40) == 1.0
    held = simulate(
        model, {"in0_V": words}, {"out0_V": len(words)}, stalls={"out0_V": 0.99}, seed=3, max_cycles=400_000
    )
    taken, given = held.stamps["in0_V"], held.stamps["out0_V"]
    full = max(int(np.searchsorted(taken, stamp)) - i for i, stamp in enumerate(given))
    assert full >= depth * row


PARKED = [
    GruCase(8, GruFolding(4, 4, 1, 70, park=True), steps=3, sequence=False),
    GruCase(6, GruFolding(3, 2, 1, 5, RamStyle.ULTRA, park=True), steps=1, sequence=False),
    GruCase(8, GruFolding(2, 4, 1, 33, park=True), steps=4, sequence=False, reset=Reset.BEFORE),
]


@pytest.mark.parametrize("case", PARKED, ids=["banks", "one step", "before"])
def test_parked_states_equal_the_oracle_under_stalls(tmp_path: Path, case: GruCase) -> None:
    rng = np.random.default_rng(4)
    layer = case.layer(rng)
    model = build_model(case.emit(layer, tmp_path))
    inputs, expected = case.data(layer, groups=4, rng=rng)
    for seed, stalls in enumerate(STALLS):
        for reset_at in (None, 101):
            found = simulate(
                model, inputs, {"out0_V": len(expected)}, stalls=stalls, seed=seed, reset_at=reset_at
            )
            assert (found.outputs["out0_V"] == expected).all()


def test_the_last_gate_enters_at_full_rate_while_nobody_takes_its_states(tmp_path: Path) -> None:
    case = PARKED[0]
    layer = case.layer(np.random.default_rng(4))
    inputs, expected = case.data(layer, groups=1, rng=np.random.default_rng(5))
    lanes = case.folding.lanes
    gate = gru_cycles(layer, 1, case.folding)
    taken = {}
    for park in (True, False):
        folding = GruFolding(4, 4, 1, lanes, park=park)
        slow = GruCase(8, folding, steps=3, sequence=False)
        model = build_model(slow.emit(layer, tmp_path / str(park)))
        result = simulate(model, inputs, {"out0_V": len(expected)}, stalls={"out0_V": 0.95}, seed=7)
        taken[park] = result.stamps["in0_V"]
    last = taken[True][-lanes:]
    assert last[-1] - last[0] <= gate
    assert taken[False][-1] - taken[False][-lanes] > 2 * gate  # without it the states stop the gate


def test_memory_follows_the_size_of_the_states() -> None:
    layer = GruCase(32, GruFolding()).layer(np.random.default_rng(1))

    def found(
        lanes: int, simd: int, multiplier: Multiplier, style: RamStyle = RamStyle.AUTO
    ) -> tuple[float, ...]:
        memory = gru_state_memory(layer, GruFolding(8, simd, 1, lanes, style), multiplier)
        return memory.memory, memory.blocks.bram36, memory.blocks.uram

    e2, e1 = Multiplier.DSP48E2, Multiplier.DSP48E1
    assert found(4, 8, e2) == (0, 0, 0)
    assert found(64, 8, e2) == (1, 1.0, 0)
    assert found(4096, 8, e2) == (2, 0, 4)
    assert found(65536, 8, e2) == (2, 0, 64)
    assert found(65536, 4, e2) == (2, 0, 64)  # two words a row
    assert found(65536, 32, e2) == (2, 0, 64)  # four memories side by side
    assert found(4096, 8, e1) == (1, 32.0, 0)
    assert found(4096, 8, e2, RamStyle.BLOCK) == (1, 32.0, 0)
