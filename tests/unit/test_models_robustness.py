# SPDX-License-Identifier: BSD-3-Clause
"""The commands that judge checkpoints: what they compare, and what they say of a wrong request."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

from finn_flirnn.models import evaluation, robustness
from finn_flirnn.models.robustness import FIGURES, beside_the_floor
from finn_flirnn.physics.decays import Decays
from finn_flirnn.physics.fresh_test import Prediction
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median


def guess(decays: Decays) -> Prediction:
    sfd = np.broadcast_to(prior_mean_sfd(decays.preset), decays.sfd.shape)
    return sfd, prior_median(decays.preset, len(decays))


def know(decays: Decays) -> Prediction:
    return decays.sfd, None


def test_floor_stands_between_a_guess_and_the_truth_on_the_same_decays() -> None:
    title, heading, *lines = beside_the_floor({"guess": guess, "know": know}, "paper135", 6, seed=1)
    assert "same 6" in title and heading.split() == list(FIGURES)
    errors = {line.rsplit(maxsplit=len(FIGURES))[0]: float(line.split()[-len(FIGURES)]) for line in lines}
    assert list(errors) == ["Bayes floor, counts alone", "guess", "know"]
    assert errors["know"] < 1e-6 < errors["Bayes floor, counts alone"] < 0.5 * errors["guess"]


@pytest.mark.parametrize("module", [evaluation, robustness])
def test_checkpoint_that_is_not_there_is_told_without_a_traceback(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [module.__name__, "nosuch"])
    with pytest.raises(SystemExit, match="error: .*nosuch"):
        module.main()
