# SPDX-License-Identifier: BSD-3-Clause
"""Grid files: every problem told at once, units in the right order, keys by content."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.common.errors import ConfigError, UsageError
from finn_flirnn.study.grid import find_grid, grid_names, load_grid, units_of
from finn_flirnn.study.workload import Kind, Unit, load_workload
from tests.fakes.study_workload import NAME

GRID = {
    "name": "small",
    "workload": NAME,
    "hidden": [4, 8],
    "training": {"steps": 3, "rate": 0.1},
    "teacher": {"hidden": [16], "steps": 3, "rate": 0.1},
    "qat": [{"steps": 2, "rate": 0.1, "weight_bits": [8, 4], "losses": ["truth", "blend"]}],
    "ptq": [{"weight_bits": [8], "bias_correction": [True]}],
    "checkpoints": ["shipped"],
    "settings": {"colour": "blue"},
}


def written(folder: Path, tree: dict[str, Any]) -> Path:
    path = folder / "grid.json"
    path.write_text(json.dumps(tree))
    return path


def units(folder: Path, tree: dict[str, Any] = GRID) -> list[Unit]:
    return units_of(*load_grid(written(folder, tree)))


def test_grid_gives_every_combination_after_what_it_needs(tmp_path: Path) -> None:
    found = units(tmp_path)
    kinds = [unit.kind for unit in found]
    # for each of two sizes a float model, two of PTQ, 2 x 2 of QAT
    assert kinds.count(Kind.FLOAT) == 1 + 2 and kinds.count(Kind.PTQ) == 4 and kinds.count(Kind.QAT) == 8
    assert kinds[0] is Kind.CHECKPOINT and kinds[-1] is Kind.REFERENCE
    for place, unit in enumerate(found):
        for parent in (unit.start, unit.teacher):
            assert parent is None or parent in found[:place]
    distilled = [unit for unit in found if unit.choices.get("loss") == "blend"]
    assert len(distilled) == 4
    assert all(unit.teacher is not None and unit.teacher.choices["hidden"] == 16 for unit in distilled)
    assert all(unit.choices["colour"] == "blue" for unit in found)


def test_key_follows_the_content_and_that_of_the_parents(tmp_path: Path) -> None:
    found = units(tmp_path)
    keys = [unit.key("w", 1) for unit in found]
    assert len(set(keys)) == len(keys)
    assert keys == [unit.key("w", 1) for unit in units(tmp_path)]
    qat = next(unit for unit in found if unit.teacher is not None)
    assert qat.start is not None
    assert replace(qat, label="another").key("w", 1) == qat.key("w", 1)
    longer = replace(qat.start, choices=qat.start.choices | {"steps": 4})
    others = [replace(qat, start=longer), replace(qat, choices=qat.choices | {"rate": 0.2})]
    assert len({qat.key("w", 1), qat.key("w", 2), qat.key("x", 1), *(u.key("w", 1) for u in others)}) == 5


def test_a_setting_changes_the_keys_of_those_alone_that_it_decides(tmp_path: Path) -> None:
    def keys(settings: dict[str, Any]) -> dict[str, str]:
        found = units(tmp_path, GRID | {"settings": settings})
        return {u.label + repr(u.choices.get("loss")): u.key("w", 1) for u in found}

    shallow, deep = keys({"depth": 1}), keys({"depth": 2})
    same = {label for label, key in shallow.items() if deep[label] == key}
    assert same == {"shipped" + "None", "nothing" + "None"}  # all others train, or quantise what did


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    wrong = GRID | {
        "hidden": [4, "many"],
        "ptq": [{"weight_bits": 8, "per_channel": [1]}],
        "qat": [{"steps": 0, "rate": 0.1, "losses": ["truth", "guess"]}],
        "training": {"steps": 3},
        "speed": 3,
    }
    with pytest.raises(ConfigError) as raised:
        load_grid(written(tmp_path, wrong))
    paths = {problem.path for problem in raised.value.problems}
    assert paths == {
        "hidden[1]",
        "ptq[0].weight_bits",
        "ptq[0].per_channel[0]",
        "qat[0].steps",
        "qat[0].losses[1]",
        "training.rate",
        "speed",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workload": "nothing:Here"}, 'workload: .*"package.module:ClassName", got .nothing:Here'),
        ({"workload": "json:JSONDecoder"}, "must have the members of study.workload.Workload"),
        ({"hidden": 32}, r"hidden: found 32; accepted: a list of whole numbers"),
        ({"qat": None}, "qat: found null; accepted: a list of objects"),
        ({"settings": {"coluor": 1}}, r"settings: found \['coluor'\]; accepted: colour, file, depth"),
        ({"settings": {"checkpoint": "a"}}, r"settings: found \['checkpoint'\]"),
        ({"settings": {"colour": "grey"}}, "settings.colour: found grey; accepted: a colour"),
        (
            {"training": {"steps": 1, "rate": 0}},
            "training.rate: found 0; accepted: a number above 0, up to 1",
        ),
        ({"name": "two-cores"}, "name: found .two-cores.; accepted: letters, digits and _"),
    ],
)
def test_impossible_grids_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_grid(written(tmp_path, GRID | change))


def test_distillation_without_a_teacher_is_refused(tmp_path: Path) -> None:
    without = {key: value for key, value in GRID.items() if key != "teacher"}
    with pytest.raises(ConfigError, match="teacher: missing, but qat.losses distils"):
        load_grid(written(tmp_path, without))


def test_teacher_is_a_checkpoint_or_trained_and_not_half_of_each(tmp_path: Path) -> None:
    given = units(tmp_path, GRID | {"teacher": {"checkpoint": "teachers/some"}})
    taught = next(unit for unit in given if unit.choices.get("loss") == "blend")
    assert taught.teacher is not None and taught.teacher.choices["checkpoint"] == "teachers/some"
    for half in ({"checkpoint": "a", "steps": 3}, {"hidden": [4], "steps": 3}, {}):
        with pytest.raises(ConfigError, match='teacher: found .*accepted: "checkpoint" alone'):
            load_grid(written(tmp_path, GRID | {"teacher": half}))


def test_stacks_are_sizes_like_others_and_parts_may_name_sizes(tmp_path: Path) -> None:
    tree = GRID | {"stacked": [[6, 3]], "qat": [{"steps": 2, "rate": 0.1, "sizes": ["6x3"]}]}
    found = units(tmp_path, tree)
    assert [u.choices["hidden"] for u in found if u.label.startswith("float")] == [4, 8, [6, 3]]
    assert {u.label for u in found if u.kind is Kind.QAT} == {"QAT 6x3"}
    assert len({u.choices["hidden"] if isinstance(u.choices["hidden"], int) else 0
                for u in found if u.kind is Kind.PTQ}) == 3  # fmt: skip
    with pytest.raises(ConfigError, match=r"qat\[0\].sizes: found \['5'\]; accepted: 4, 8, 6x3"):
        load_grid(written(tmp_path, tree | {"qat": [{"steps": 2, "rate": 0.1, "sizes": ["5"]}]}))


def test_sizes_that_are_trained_already_are_taken_from_their_checkpoint(tmp_path: Path) -> None:
    found = units(tmp_path, GRID | {"trained": {"8": "teachers/some"}})
    floats = {u.label: u for u in found if u.label.startswith("float")}
    assert list(floats) == ["float 4", "float 8", "float 8, teachers/some"]
    given = floats["float 8, teachers/some"]
    assert given.choices["checkpoint"] == "teachers/some" and "steps" not in given.choices
    for label in ("float 4", "float 8"):
        assert floats[label].choices["steps"] == 3 and "checkpoint" not in floats[label].choices
    assert {u.start.label for u in found if u.start is not None} == {"float 4", "float 8, teachers/some"}
    still = units(tmp_path, GRID | {"trained": {"8": "teachers/some"}, "training": {"steps": 0, "rate": 0.1}})
    assert "float 8" not in {u.label for u in still}
    for wrong, message in (
        ({"9": "a"}, r"trained: found \['9'\]; accepted: 4, 8"),
        ({"8": 3}, "trained: found .*accepted: an object such as"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_grid(written(tmp_path, GRID | {"trained": wrong}))


def test_what_two_parts_have_in_common_is_done_once(tmp_path: Path) -> None:
    part = GRID["ptq"][0]
    wider = part | {"weight_bits": [8, 4]}
    once = [u for u in units(tmp_path, GRID | {"ptq": [wider]}) if u.kind is Kind.PTQ]
    assert [u for u in units(tmp_path, GRID | {"ptq": [part, wider]}) if u.kind is Kind.PTQ] == once


def test_key_sees_what_a_file_holds_and_not_its_name(tmp_path: Path) -> None:
    def key(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        first = units(tmp_path, GRID | {"settings": {"file": str(tmp_path / name)}})[0]
        return first.key("w", 1)

    assert key("a", "x") == key("b", "x") != key("a", "y")


@pytest.mark.parametrize("name", grid_names())
def test_grids_of_the_project_are_valid(name: str) -> None:
    grid, workload = load_grid(find_grid(name))
    assert grid.name == name
    assert len(units_of(grid, workload)) > 3


def test_unknown_grid_lists_the_known() -> None:
    with pytest.raises(UsageError, match="choose from .*quick"):
        find_grid("nowhere.json")


def test_workload_of_decays_has_the_protocol() -> None:
    assert [column.key for column in load_workload("fli").columns][0] == "rmse_full"
