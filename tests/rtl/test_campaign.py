# SPDX-License-Identifier: BSD-3-Clause
"""The seeded random campaign: every design equals the oracle, whatever its streams do.

A case alone: ``pytest -m campaign -k case_017``.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.sim import build_model, simulate
from tests.rtl.campaign import CASES, Case, draw, part, traits

ENDS = ("1", "between", "all")
REQUIRED = {
    *(f"design {name}" for name in ("GruDesign", "NetworkCase", "HeadCase")),
    *(f"hidden {n}" for n in (1, 2, 3, 4, 7, 16, 33, 64)),
    *(f"inputs {n}" for n in range(5)),
    *(f"steps {n}" for n in (1, 2, 3, 200)),
    *(f"lanes {n}" for n in (1, 2, 3, 64)),
    *(f"weight_hh {n} bits" for n in range(2, 9)),
    *(f"weight_ih {n} bits" for n in range(2, 9)),
    *(f"state {n} bits" for n in range(4, 17)),
    *(f"gate {n} bits" for n in range(2, 11)),
    *(f"candidate {n} bits" for n in range(2, 13)),
    *(f"preactivation {n} bits" for n in range(4, 13)),
    *(f"input {n} bits" for n in range(1, 13)),
    *(f"head weight {n} bits" for n in range(2, 9)),
    *(f"{name} {kind}" for name in ("weight_hh", "weight_ih", "state") for kind in ("narrow", "signed")),
    *(f"{name} {kind}" for name in ("input", "head input") for kind in ("narrow", "signed", "unsigned")),
    *(f"head output {kind}" for kind in ("narrow", "signed", "unsigned")),
    *(f"pe {pe}, simd {simd}" for pe, simd in product(ENDS, ENDS)),
    *(f"{name} {end}" for name in ("input_simd", "head pe", "head simd") for end in ENDS),
    *(f"reset {reset}" for reset in ("after", "before")),
    *(
        f"multiplier {name}, {codes} codes"
        for name, codes in product(("DSP48E2", "DSP48E1", "MULT18"), ("random", "extreme"))
    ),
    *(f"head multiplier {name}" for name in ("DSP48E2", "DSP48E1", "MULT18")),
    *(f"{out}, {start} state" for out, start in product(("sequence", "last state"), ("given", "zero"))),
    *(f"gate {f}" for f in ("sigmoid", "hard_sigmoid", None)),
    *(f"candidate {f}" for f in ("tanh", "hard_tanh", None)),
    *(f"{name} of both layers not the same" for name in ("reset", "folding")),
    "reset of both layers the same",
    *(f"depth {depth}" for depth in (1, 2, 64)),
    *(f"streams {name}" for name in ("none", "light", "heavy", "bursts", "starved", "blocked")),
    *(f"reset in tenth {n}" for n in range(10)),
    *(f"last group {text}" for text in ("partial", "full")),
    "no input at all",
    *(f"states in {style}" for style in ("auto", "block", "ultra")),
    *(f"cell in {cells}" for cells in ("DSPs", "LUTs")),
    *(f"last states {text}" for text in ("parked", "not parked")),
    *(f"order of {things}" for things in ("pixels", "groups")),
    "fewer lanes in the decoder",
    "last transfer within a group",
}
"""What must occur, written out apart from the draw: a draw that tries less fails."""

IN_PART = {
    *(f"design {name}" for name in ("GruDesign", "NetworkCase", "HeadCase")),
    *(f"reset {reset}" for reset in ("after", "before")),
    *(f"streams {name}" for name in ("light", "heavy", "bursts", "starved", "blocked")),
    *(f"head multiplier {name}" for name in ("DSP48E2", "DSP48E1", "MULT18")),
    "last group partial",
    *(f"order of {things}" for things in ("pixels", "groups")),
    *(f"cell in {cells}" for cells in ("DSPs", "LUTs")),
}

ALL = [draw(index) for index in range(CASES)]
PART = part(ALL, count=12, wanted=IN_PART)


def check(case: Case, directory: Path) -> None:
    """Run a case twice: undisturbed by resets, then with one in the middle. Both must be exact."""
    prepared = case.design.prepare(
        np.random.default_rng((case.index, 1)), directory, case.groups, case.missing
    )
    model = build_model(prepared.module, optimisation=0)
    pressure, count = case.pressure, len(prepared.expected)
    last = np.arange(len(prepared.inputs["in0_V"])) if prepared.tlast else None
    ends = {} if last is None else {"in0_V": last == last[-1]}
    reset_at: int | None = None
    for _ in range(2):
        given = simulate(
            model,
            prepared.inputs,
            {"out0_V": count},
            ends=ends,
            stalls=pressure.stalls,
            pause=pressure.pause,
            seed=pressure.seed,
            reset_at=reset_at,
            exact=bool(prepared.inputs),  # a layer with neither input nor initial state never ends
        )
        wrong = np.argwhere(given.outputs["out0_V"] != prepared.expected)
        assert not len(wrong), f"reset_at={reset_at}: {len(wrong)} codes differ, first at {wrong[0]}"
        if prepared.tlast:
            assert np.flatnonzero(given.ends["out0_V"]).tolist() == [count - 1]
        reset_at = int(pressure.reset * given.cycles)


def check_and_tell(case: Case, directory: Path) -> None:
    """``check``, whose failures hold the whole case."""
    try:
        check(case, directory)
    except Exception as error:
        error.add_note(str(case))
        raise


def name(case: Case) -> str:
    return f"case_{case.index:03d}"


def test_the_campaign_tries_all_that_it_should() -> None:
    assert len(ALL) >= 200
    assert REQUIRED - set().union(*map(traits, ALL)) == set()


def test_a_case_depends_on_its_index_alone() -> None:
    assert draw(17) == ALL[17] != draw(18)


def test_a_failure_holds_the_whole_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise AssertionError("codes differ")

    monkeypatch.setattr("tests.rtl.test_campaign.check", fails)
    with pytest.raises(AssertionError) as failure:
        check_and_tell(ALL[3], tmp_path)
    assert failure.value.__notes__ == [str(ALL[3])]


def test_the_part_tries_each_kind() -> None:
    assert IN_PART - set().union(*map(traits, PART)) == set()


@pytest.mark.parametrize("case", PART, ids=name)
def test_part_of_the_campaign(tmp_path: Path, case: Case) -> None:
    check_and_tell(case, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("case", ALL, ids=name)
def test_whole_campaign(tmp_path: Path, case: Case) -> None:
    check_and_tell(case, tmp_path)
