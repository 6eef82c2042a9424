# SPDX-License-Identifier: BSD-3-Clause
"""What a grid file may set for the study of decays, and which units each setting decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from mashumaro.mixins.dict import DataClassDictMixin

from finn_flirnn.common.schema import one_of, setting, whole
from finn_flirnn.models.losses import LossPlan
from finn_flirnn.physics.presets import PRESETS
from finn_flirnn.study.workload import ANY, TRAINING, Kind

MOST = 1_000_000_000


def _of(kinds: frozenset[Kind], made: Any) -> Any:
    """A field with the kinds of units whose results it decides."""
    made.metadata = dict(made.metadata) | {"kinds": kinds}
    return made


def _share() -> Any:
    return setting("a number from 0 to 1, below 1", lambda v: 0 <= v < 1, 0.0)


CHECKPOINT, REFERENCE = frozenset({Kind.CHECKPOINT}), frozenset({Kind.REFERENCE})
QUANTISED = frozenset({Kind.PTQ, Kind.QAT})


@dataclass(frozen=True)
class DecaySettings(DataClassDictMixin):
    """Numbers are of decays if nothing else is said.

    preset: the simulated instrument. train, test: for each model. start: a checkpoint whose weights float
    models begin with, widened to their size if need be (taken as they are if "steps" is 0).
    channel_weights, lifetime_weight: of all losses (``models.losses``). average, dim_share: of the weights,
    and of the decays, in training (``models.training_plan``). calibration: for PTQ, whose grids QAT takes
    too. shipped: to judge checkpoints. shifted: under each other condition, for checkpoints, float models,
    prior and fits; 0 for none. each_peak: of each group of peak counts, for checkpoints and fits; other
    rows take them from their test. fit, bayes, bayes_counts_alone: for these references. draws: of a
    posterior, for the last two.
    """

    preset: str = _of(ANY, one_of(tuple(PRESETS), "paper135"))
    train: int = _of(TRAINING, whole(32, MOST, 200_000))
    test: int = _of(ANY - {Kind.CHECKPOINT, Kind.IMAGE}, whole(1, MOST, 20_000))
    start: str | None = _of(frozenset({Kind.FLOAT}), setting("a name or path of a checkpoint", bool, None))
    channel_weights: tuple[float, ...] = _of(
        TRAINING, setting("numbers from 0", lambda v: v >= 0, LossPlan.channel_weights)
    )
    lifetime_weight: float = _of(TRAINING, setting("a number from 0", lambda v: v >= 0, 0.0))
    average: float = _of(TRAINING, _share())
    dim_share: float = _of(TRAINING, _share())
    calibration: int = _of(QUANTISED, whole(1, MOST, 512))
    shipped: int = _of(CHECKPOINT, whole(1, MOST, 100_000))
    shifted: int = _of(CHECKPOINT | {Kind.FLOAT, Kind.REFERENCE}, whole(0, MOST, 2_000))
    each_peak: int = _of(CHECKPOINT | REFERENCE, whole(0, MOST, 5_000))
    fit: int = _of(REFERENCE, whole(1, MOST, 5_000))
    bayes: int = _of(REFERENCE, whole(1, MOST, 2_000))
    bayes_counts_alone: int = _of(REFERENCE, whole(1, MOST, 500))
    draws: int = _of(REFERENCE, whole(1, MOST, 4_000))


DEFAULTS: dict[str, Any] = asdict(DecaySettings())
KINDS: Mapping[str, frozenset[Kind]] = {f.name: f.metadata["kinds"] for f in fields(DecaySettings)}
