# SPDX-License-Identifier: BSD-3-Clause
"""Losses by hand-computed values: two sequences, one step, three channels."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from finn_flirnn.models.losses import LossKind, LossPlan

EQUAL = (1.0, 1.0, 1.0)


def batch(first: float, second: float) -> Tensor:
    """(1 block, 1 step, 3 channels, 2 lanes): each sequence one value in all channels."""
    return torch.tensor([first, second]).expand(1, 1, 3, 2)


TRUTH, STUDENT, TEACHER = batch(0.0, 0.0), batch(1.0, 2.0), batch(2.0, 1.0)
# square errors: student 1, 4; teacher 4, 1; student against teacher 1, 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("truth", (1 + 4) / 2),
        ("blend", 0.6 * 1 + 0.4 * (1 + 4) / 2),
        # only the second sequence is worse than its teacher
        ("bounded", 0.6 * 4 / 2 + 0.4 * (1 + 4) / 2),
        ("absolute", (1 + 2) / 2),
        # trust: 1 - 4/4 and 1 - 1/4
        ("attentive", 0.6 * 0.75 / 2 + 0.4 * (1 + 4) / 2),
    ],
)
def test_loss_has_the_value_of_its_formula(kind: str, expected: float) -> None:
    loss = LossPlan(LossKind(kind), 0.6, EQUAL)
    assert float(loss(STUDENT, TRUTH, TEACHER)) == pytest.approx(expected)


def test_outputs_without_time_are_weighed_as_a_single_step() -> None:
    prediction = torch.tensor([0.5, -0.25])[None, :, None]  # (1 block, 2 outputs, 1 lane)
    loss = LossPlan(LossKind.ABSOLUTE, channel_weights=(3.0, 1.0))
    assert float(loss(prediction, torch.zeros(1, 2, 1), None)) == pytest.approx((3 * 0.5 + 0.25) / 4)


def test_channels_count_by_their_weights() -> None:
    prediction = torch.tensor([1.0, 2.0, 3.0])[None, None, :, None]
    loss = LossPlan(channel_weights=(4.0, 1.0, 1.0))
    assert float(loss(prediction, torch.zeros(1, 1, 3, 1), None)) == pytest.approx((4 * 1 + 4 + 9) / 6)


def test_lifetime_term_is_the_error_of_the_mean_over_the_first_value() -> None:
    prediction = torch.tensor([2.0, 1.0, 0.0])[None, :, None, None].expand(1, 3, 3, 1)  # mean/first 1/2
    truth = torch.tensor([1.0, 0.5, 0.0])[None, :, None, None].expand(1, 3, 3, 1)  # also 1/2
    shorter = torch.tensor([1.0, 0.2, 0.0])[None, :, None, None].expand(1, 3, 3, 1)  # 0.4
    with_term, without = LossPlan(lifetime_weight=3.0), LossPlan()
    assert float(with_term(prediction, truth, None)) == pytest.approx(float(without(prediction, truth, None)))
    added = float(with_term(shorter, truth, None)) - float(without(shorter, truth, None))
    assert added == pytest.approx(3.0 * 0.1**2)


@pytest.mark.parametrize("kind", [kind for kind in LossKind if kind is not LossKind.TRUTH])
def test_perfect_teacher_of_a_perfect_student_leaves_no_loss(kind: LossKind) -> None:
    loss = LossPlan(kind)(TRUTH, TRUTH, TRUTH)
    assert float(loss) == 0.0


@pytest.mark.parametrize("kind", list(LossKind))
def test_gradient_reaches_the_student_alone(kind: LossKind) -> None:
    student, teacher = STUDENT.clone().requires_grad_(), TEACHER.clone()
    LossPlan(kind)(student, TRUTH, teacher).backward()
    assert student.grad is not None and float(student.grad.abs().sum()) > 0
    assert math.isfinite(float(student.grad.sum()))


def test_missing_teacher_is_named() -> None:
    with pytest.raises(ValueError, match="loss blend needs a teacher's predictions"):
        LossPlan(LossKind.BLEND)(STUDENT, TRUTH, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "other"}, "'other' is not a valid LossKind"),
        ({"teacher_share": 1.1}, "teacher_share must lie in 0 to 1, got 1.1"),
        ({"lifetime_weight": -1.0}, "lifetime_weight must be at least 0, got -1.0"),
        ({"channel_weights": ()}, "not all 0"),
        ({"channel_weights": (0.0, 0.0, 0.0)}, "not all 0"),
        ({"channel_weights": (1.0, -1.0, 1.0)}, "at least 0"),
    ],
)
def test_impossible_losses_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossPlan(**arguments)  # type: ignore[arg-type]


def test_channels_without_a_weight_are_refused() -> None:
    with pytest.raises(ValueError, match="one weight for each of 3 channels"):
        LossPlan(channel_weights=(1.0, 1.0))(STUDENT, TRUTH, None)
