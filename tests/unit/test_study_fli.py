# SPDX-License-Identifier: BSD-3-Clause
"""Units of the decay study that take models which are there already, and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.models.checkpoints import load_checkpoint, load_manifest
from finn_flirnn.physics.conditions import CONDITIONS
from finn_flirnn.study.decay_settings import DEFAULTS
from finn_flirnn.study.fli import DSP_BUDGET, Decays
from finn_flirnn.study.judging import REFERENCES
from finn_flirnn.study.workload import AS_TRAINED, Kind, Result, Unit

FEW = {"seed": 1, "batch": 32, "test": 40, "shipped": 40, "shifted": 0, "each_peak": 0, "train": 64}
SHIPPED = "seq2seqlite32_8bit_state9"


def result(kind: Kind, folder: Path, **choices: Any) -> Result:
    return Decays().run(Unit(kind, "unit", FEW | choices), folder, None, None)


def test_shipped_model_has_its_bits_its_hardware_and_all_its_training(tmp_path: Path) -> None:
    found = result(Kind.CHECKPOINT, tmp_path, checkpoint=SHIPPED)
    assert found.bits == (8, 9) and found.note == "40 decays"
    assert found.sizes["dsp"] <= DSP_BUDGET and found.sizes["cycles"] <= 2_600
    assert found.metrics["rmse_full"] < 0.03
    steps = [entry["step"] for entry in found.history]
    training = load_manifest(SHIPPED)["training"]
    first = training["started_from"]["started_from"]
    # the float model was kept before its training ended, and what came next went on from there
    assert first["step"] < first["history"][-1]["step"]
    assert steps == sorted(set(steps)) and first["step"] in steps
    assert steps[-1] == first["step"] + training["started_from"]["step"] + training["history"][-1]["step"]


def test_float_model_of_a_checkpoint_is_taken_as_it_is(tmp_path: Path) -> None:
    found = result(Kind.FLOAT, tmp_path, checkpoint="teachers/float32", hidden=32)
    kept = load_manifest("teachers/float32")["training"]["step"]
    assert found.note == f"trained before, {kept:,} steps" and found.history
    given, taken = (
        load_checkpoint(name).float_weights() for name in ("teachers/float32", tmp_path / "model")
    )
    assert all(np.array_equal(value, taken[name]) for name, value in given.items())


def test_checkpoint_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='teachers/float64 must have 4 units, but has 64; .*"trained"'):
        result(Kind.FLOAT, tmp_path, checkpoint="teachers/float64", hidden=4)


def test_float_models_may_begin_as_a_wider_copy(tmp_path: Path) -> None:
    begun = {"start": "teachers/float32", "rate": 1e-3}
    (tmp_path / "wide").mkdir()
    as_it_is = result(Kind.FLOAT, tmp_path / "wide", hidden=33, steps=0, **begun)
    assert as_it_is.metrics["rmse_full"] < 0.03 and as_it_is.history == []
    (tmp_path / "trained").mkdir()
    trained = result(Kind.FLOAT, tmp_path / "trained", hidden=33, steps=2, **begun)
    assert trained.note == "began with the weights of teachers/float32"
    assert trained.metrics["rmse_full"] < 0.1
    with pytest.raises(ValueError, match='must be trained for some steps, or "start" must be a checkpoint'):
        result(Kind.FLOAT, tmp_path, hidden=31, steps=0, **begun)


def test_references_depend_on_their_own_settings_alone() -> None:
    choices = {name: DEFAULTS[name] for name in ("preset", "fit", "bayes", "draws", "test")} | {"seed": 1}
    by_name = {unit.choices["reference"]: unit.choices for unit in Decays().references(choices)}
    assert by_name.keys() > REFERENCES.keys()
    assert by_name["bayes"].keys() == {"seed", "preset", "bayes", "draws", "reference"}
    assert by_name["fit"].keys() == {"seed", "preset", "fit", "reference"}


def test_settings_are_checked_with_the_accepted_values() -> None:
    workload = Decays()
    assert (
        workload.check({"preset": "paper135", "channel_weights": [4, 1, 1], "start": "teachers/float32"})
        == []
    )
    wrong = {"preset": "nope", "test": "many", "average": 1, "channel_weights": [4, -1]}
    problems = {problem.path: problem for problem in workload.check(wrong)}
    assert problems.keys() == {
        "settings.preset",
        "settings.test",
        "settings.average",
        "settings.channel_weights[1]",
    }
    assert "a whole number from 1" in str(problems["settings.test"])


def test_conditions_are_held_against_the_one_of_the_training() -> None:
    assert next(iter(CONDITIONS)) == AS_TRAINED
