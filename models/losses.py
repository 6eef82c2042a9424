# SPDX-License-Identifier: BSD-3-Clause
"""Losses of training: against the truth alone, or distilled from a teacher's predictions.

With s the student's prediction, t the teacher's, y the truth, L the channel-weighted mean square error and
a the teacher's share:

    truth      L(s, y)
    blend      a L(s, t) + (1 - a) L(s, y)                       the published loss, a = 0.6
    bounded    a L(s, y) [a sequence counts only where its L(s, y) > L(t, y)] + (1 - a) L(s, y)
    attentive  a w L(s, t) + (1 - a) L(s, y), for each sequence w = 1 - L(t, y) / max over the batch
    absolute   L(s, y) with absolute errors, not squares: the median of what is likely, not the mean

To each a lifetime term may be added, g (m(s) - m(y))^2, with m the mean of the first channel over its first
value: the mean lifetime in lengths of the window. The errors of single gates say little of it, because only
what they have in common counts.

Sources: blend Hinton et al. 2015 and the published Seq2SeqLite; bounded Chen et al. 2017 (teacher-bounded
regression); attentive Saputra et al. 2019 (attentive imitation).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor

LEAST_FIRST_VALUE = 0.1
"""Predictions that start lower are divided by this, so that a bad one does not blow up the gradient."""

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(prediction, truth, teacher's prediction or None), all (blocks, T, channels, lanes), to a scalar.

Of a model without decoder (blocks, channels, lanes)."""


class LossKind(StrEnum):
    """How teacher and truth are weighed; see the module."""

    TRUTH = "truth"
    BLEND = "blend"
    BOUNDED = "bounded"
    ATTENTIVE = "attentive"
    ABSOLUTE = "absolute"


@dataclass(frozen=True)
class LossPlan:
    """A loss by its name and numbers.

    teacher_share: a of the module, 0 to 1; without effect for "truth" and "absolute".
    channel_weights: of full, short, long. The full channel counts most by default: it is the best known, and
    the mean lifetime is read off it. The published loss weighs all alike.
    lifetime_weight: g of the module; 0 leaves the term out.
    """

    kind: LossKind = LossKind.TRUTH
    teacher_share: float = 0.6
    channel_weights: tuple[float, ...] = (4.0, 1.0, 1.0)
    lifetime_weight: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", LossKind(self.kind))
        if not 0 <= self.teacher_share <= 1:
            raise ValueError(f"teacher_share must lie in 0 to 1, got {self.teacher_share}")
        if self.lifetime_weight < 0:
            raise ValueError(f"lifetime_weight must be at least 0, got {self.lifetime_weight}")
        if min(self.channel_weights, default=0.0) < 0 or not sum(self.channel_weights) > 0:
            raise ValueError(
                f"channel_weights must be at least 0 and not all 0, got {self.channel_weights}; "
                "give one weight a channel"
            )

    @property
    def needs_teacher(self) -> bool:
        """Whether the loss looks at a teacher's predictions."""
        return self.kind not in (LossKind.TRUTH, LossKind.ABSOLUTE)

    def __call__(self, prediction: Tensor, truth: Tensor, teacher: Tensor | None) -> Tensor:
        """The loss of a batch; see ``Loss``. Raises ValueError if a teacher is needed and there is none."""
        if prediction.ndim == 3:  # a model without decoder: as a sequence of one step
            prediction, truth = prediction[:, None], truth[:, None]
            teacher = None if teacher is None else teacher[:, None]
        loss = self._of_decays(prediction, truth, teacher)
        if self.lifetime_weight:
            error = _relative_mean(prediction[:, :, 0]) - _relative_mean(truth[:, :, 0])
            loss = loss + self.lifetime_weight * error.square().mean()
        return loss

    def _of_decays(self, prediction: Tensor, truth: Tensor, teacher: Tensor | None) -> Tensor:
        of_truth = self._errors(prediction, truth)
        if not self.needs_teacher:
            return of_truth.mean()
        if teacher is None:
            raise ValueError(f"the loss {self.kind} needs a teacher's predictions; name a teacher")
        share = self.teacher_share
        if self.kind is LossKind.BLEND:
            return (share * self._errors(prediction, teacher) + (1 - share) * of_truth).mean()
        teachers_own = self._errors(teacher, truth)
        if self.kind is LossKind.BOUNDED:
            behind = (of_truth > teachers_own).to(of_truth.dtype)
            return (of_truth * (share * behind + (1 - share))).mean()
        greatest = teachers_own.max().clamp_min(torch.finfo(teachers_own.dtype).tiny)
        trust = 1 - teachers_own / greatest
        return (share * trust * self._errors(prediction, teacher) + (1 - share) * of_truth).mean()

    def _errors(self, first: Tensor, second: Tensor) -> Tensor:
        """Channel-weighted mean square (or absolute) error of each sequence: (blocks, lanes)."""
        channels = first.shape[2]
        if channels != len(self.channel_weights):
            raise ValueError(
                f"channel_weights={self.channel_weights} must hold one weight for each of {channels} channels"
            )
        weights = torch.tensor(self.channel_weights, dtype=first.dtype)
        difference = first - second
        errors = difference.abs() if self.kind is LossKind.ABSOLUTE else difference.square()
        return torch.einsum("bcl,c->bl", errors.mean(dim=1), weights / weights.sum())


def _relative_mean(decays: Tensor) -> Tensor:
    """Mean over the gates, relative to the first: (blocks, T, lanes) -> (blocks, lanes)."""
    return decays.mean(dim=1) / decays[:, 0].clamp_min(LEAST_FIRST_VALUE)
