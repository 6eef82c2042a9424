# SPDX-License-Identifier: BSD-3-Clause
"""The choices that decide a training run, and the decays that follow from them."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from finn_flirnn.models.losses import LossPlan
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.presets import Preset, preset_by_name

DIM_STREAM = 3
"""Part of the seed; 0 and 1 are training and validation, 2 the order of the batches."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training: with or without quantisers, a number of steps, the highest learning rate."""

    name: str
    quantised: bool
    steps: int
    learning_rate: float
    final_fraction: float = 0.01
    warmup: int = 200

    def rate(self, step: int) -> float:
        """Learning rate of a step (0 is the first)."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        low = self.learning_rate * self.final_fraction
        return low + 0.5 * (self.learning_rate - low) * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class DecayPlan:
    """What decides the decays of a training run; the fields as of ``TrainingPlan``."""

    preset: str
    seed: int
    train_decays: int
    dim_share: float
    disjoint_irfs: bool

    def simulate(self, pixels: int, stream: int, split: IrfSplit, preset: Preset | None = None) -> Decays:
        """Decays of the plan's preset, or a variant of it; stream: part of the seed."""
        preset = preset or preset_by_name(self.preset)
        return simulate(preset, pixels, (self.seed, stream), split=split if self.disjoint_irfs else None)

    def training(self) -> list[Decays]:
        """The training set, in parts: of the whole range of peaks, and of dim ones alone."""
        dim = round(self.dim_share * self.train_decays)
        parts = [self.simulate(self.train_decays - dim, 0, IrfSplit.TRAIN)]
        if dim:
            preset = preset_by_name(self.preset)
            low, high = preset.peak_range
            tenth = replace(preset, peak_range=(low, low + (high - low) / 10))
            parts.append(self.simulate(dim, DIM_STREAM, IrfSplit.TRAIN, tenth))
        return parts


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides the result of a training run.

    train_decays, validation_decays: simulated once from the seed. batch: sequences a step.
    validate_every: steps between validations; the weights of the best one in the last phase are kept.
    start: a checkpoint (name or path) whose weights to begin with, or None for random ones.
    disjoint_irfs: keep IRFs of validation and test out of the training (``physics.irf_split``).
    dim_share: of the training decays, this share has its peak in the lowest tenth of the preset's range.
    average: share of itself that the moving average of the weights keeps at a step; 0 for none.
    loss: what is minimised. teacher: a checkpoint whose float model teaches, if the loss wants a teacher.
    """

    model: dict[str, Any]
    phases: tuple[Phase, ...]
    preset: str = "paper135"
    seed: int = 1
    train_decays: int = 400_000
    validation_decays: int = 4_096
    batch: int = 256
    gradient_clip: float = 1.0
    validate_every: int = 1_000
    start: str | None = None
    loss: LossPlan = LossPlan()
    teacher: str | None = None
    disjoint_irfs: bool = True
    dim_share: float = 0.0
    average: float = 0.0

    def __post_init__(self) -> None:
        if not self.phases or any(phase.steps < 1 for phase in self.phases):
            raise ValueError("a training plan needs phases of at least one step each")
        if not 1 <= self.batch <= self.train_decays:
            raise ValueError(
                f"batch={self.batch} must lie in 1 to train_decays={self.train_decays}; "
                "choose a smaller batch"
            )
        if not 0 <= self.dim_share < 1:
            raise ValueError(f"dim_share must lie in 0 to 1, and below 1, got {self.dim_share}")
        if self.loss.lifetime_weight and not self.predicts_decays:
            raise ValueError(
                f"lifetime_weight={self.loss.lifetime_weight} is for models of decays, a model of lifetimes "
                "learns them itself; leave it out"
            )
        if not 0 <= self.average < 1:
            raise ValueError(f"average must lie in 0 to 1, and below 1, got {self.average}")
        if self.loss.needs_teacher != (self.teacher is not None):
            raise ValueError(
                f"the loss {self.loss.kind} and teacher={self.teacher} do not fit together; name a teacher "
                "for a loss that distils, and only for such a one"
            )

    @property
    def predicts_decays(self) -> bool:
        """Whether the model has a decoder; if not, it learns lifetimes."""
        return bool(self.model.get("decoder", True))

    @property
    def facts(self) -> dict[str, Any]:
        """Everything, as JSON gives it back."""
        return cast("dict[str, Any]", json.loads(json.dumps(asdict(self))))

    @property
    def data(self) -> DecayPlan:
        """What decides the decays alone."""
        return DecayPlan(self.preset, self.seed, self.train_decays, self.dim_share, self.disjoint_irfs)
