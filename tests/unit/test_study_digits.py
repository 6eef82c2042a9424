# SPDX-License-Identifier: BSD-3-Clause
"""The digits: a model that is not ours to know goes through the units of a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from finn_flirnn.study.digits import Digits, RowReader, images
from finn_flirnn.study.workload import Kind, Result, Unit, Workload

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

SHARED = {"seed": 1, "batch": 64, "hidden": 12, "rate": 0.02, "steps": 120}
BITS = {"weight_bits": 4, "state_bits": 8}


def done(folder: Path, kind: Kind, choices: dict[str, Any], **parents: Path | None) -> tuple[Path, Result]:
    folder.mkdir()
    places = {"start": None, "teacher": None} | parents
    return folder, Digits().run(Unit(kind, str(kind), SHARED | choices), folder, **places)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    return done(tmp_path_factory.mktemp("digits") / "float", Kind.FLOAT, {})


def test_workload_has_the_protocol() -> None:
    assert isinstance(Digits(), Workload)


def test_trained_model_reads_digits_better_than_the_most_frequent(
    trained: tuple[Path, Result], tmp_path: Path
) -> None:
    guess = done(tmp_path / "guess", Kind.REFERENCE, {})[1]
    assert guess.metrics["error_rate"] > 0.85
    assert trained[1].metrics["error_rate"] < 0.5
    assert trained[1].sizes["mac"] == 8 * (36 * 8 + 36 * 12) + 120


def test_training_with_quantisers_mends_what_two_bits_break(
    trained: tuple[Path, Result], tmp_path: Path
) -> None:
    two = BITS | {"weight_bits": 2}
    after = done(tmp_path / "ptq", Kind.PTQ, two, start=trained[0])[1]
    aware = done(tmp_path / "qat", Kind.QAT, two | {"steps": 30}, start=trained[0])[1]
    assert aware.metrics["cross_entropy"] < after.metrics["cross_entropy"]


def test_teacher_changes_the_student(trained: tuple[Path, Result], tmp_path: Path) -> None:
    short = BITS | {"steps": 3}
    alone = done(tmp_path / "alone", Kind.QAT, short, start=trained[0])[1]
    taught = done(
        tmp_path / "taught", Kind.QAT, short | {"loss": "blend"}, start=trained[0], teacher=trained[0]
    )[1]
    again = done(tmp_path / "again", Kind.QAT, short, start=trained[0])[1]
    assert alone.metrics == again.metrics != taught.metrics


def test_integer_oracle_is_the_model_in_eval_mode() -> None:
    torch.manual_seed(0)
    model = RowReader(5, 4, 6).eval()
    _, (x, _) = images(seed=3, test=40)
    with torch.no_grad():
        assert np.array_equal(model(torch.from_numpy(x)).double().numpy(), model.predict_integer(x))


def test_training_and_test_images_are_different_ones() -> None:
    (train, train_digits), (test, _) = images(seed=2, test=300)
    assert len(train) == len(train_digits) == 1497 and len(test) == 300
    shared = {image.tobytes() for image in train} & {image.tobytes() for image in test}
    assert not shared


def test_settings_have_their_range() -> None:
    assert Digits().check({"test": 500}) == []
    assert "settings.test" in str(Digits().check({"test": 1797})[0])


@pytest.mark.parametrize(
    ("kind", "choices", "message"),
    [
        (Kind.PTQ, {"per_channel": True}, "asks for .'per_channel'."),
        (Kind.QAT, {"loss": "bounded"}, "asks for bounded"),
        (Kind.FLOAT, {"hidden": [4, 4]}, "must have one layer, got .4, 4.; leave out stacks"),
        (Kind.FLOAT, {"batch": 2_000}, "batch=2000 must be at most the 1297 images"),
    ],
)
def test_choices_that_it_has_not_are_refused(
    tmp_path: Path, kind: Kind, choices: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        done(tmp_path / "unit", kind, BITS | choices)
