# SPDX-License-Identifier: BSD-3-Clause
"""Agreement with the fit: equal lifetimes agree, and the truth describes its own decays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finn_flirnn.physics.agreement import Agreement, agreement_by_pixels, residual_deviance
from finn_flirnn.physics.bayes import known_irf
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.fit import fit_decays
from finn_flirnn.physics.image import PreparedImage
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.irf_estimate import IrfEstimate
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.presets import PAPER135

PRESET = replace(known_irf(PAPER135), peak_range=(200.0, 400.0))
IRF = EmgIrf(PRESET.irf_position_ns, 0.25, 0.0)


def image_of(decays: Decays) -> PreparedImage:
    """Decays as one row of pixels; the first is masked out, the last two bins are dead."""
    counts = decays.counts.astype(np.int64)[None]
    used = np.ones(135, np.bool_)
    used[-2:] = False
    mask = np.ones(counts.shape[:2], np.bool_)
    mask[0, 0] = False
    nothing = IrfEstimate(IRF, np.ones(1), np.ones(1), 0.0, 1.0, np.ones(135))
    return PreparedImage(
        counts.astype(np.float32), counts, PRESET.grid, used, nothing, 0.0, False, counts.sum(axis=2), mask
    )


@pytest.fixture(scope="module")
def decays() -> Decays:
    return simulate(PRESET, 61, seed=4)


def truth_of(decays: Decays) -> Lifetimes:
    return Lifetimes.from_components(decays.tau1_ns[1:], decays.tau2_ns[1:], decays.amplitude_fraction[1:])


def test_true_lifetimes_leave_only_noise_and_wrong_ones_more(decays: Decays) -> None:
    prepared, truth = image_of(decays), truth_of(decays)
    of_truth = residual_deviance(prepared, truth)
    # of 133 gates; the standard deviation of the mean of 60 pixels is 2
    assert of_truth.mean() == pytest.approx(133, abs=10)
    wrong = Lifetimes.from_components(1.3 * truth.tau1_ns, 1.3 * truth.tau2_ns, truth.amplitude_fraction)
    assert np.mean(residual_deviance(prepared, wrong) > of_truth) > 0.95
    nothing = Lifetimes.from_components(*np.zeros((3, 60)), np.zeros(60, np.bool_))
    assert np.isfinite(residual_deviance(prepared, nothing)).all()


def test_fit_describes_decays_no_worse_than_the_truth_does(decays: Decays) -> None:
    prepared = image_of(decays)
    counts = prepared.measured[prepared.mask]
    fit = fit_decays(counts, prepared.grid, IRF, used_gates=prepared.used_gates)
    # the fit's own lifetimes, scaled anew, give the fit's own deviance
    np.testing.assert_allclose(residual_deviance(prepared, fit.lifetimes), fit.deviance, rtol=0.02)
    groups = agreement_by_pixels(prepared, fit.lifetimes, fit)
    whole, of_model, of_fit = groups["all"]
    assert whole.pixels == 60 and whole.mean_absolute_difference_ns == 0 and whole.within_100_ps == 1
    assert of_model == pytest.approx(of_fit, rel=0.02)
    thirds = [found.pixels for name, (found, _, _) in groups.items() if "photons" in name]
    assert sum(thirds) == 60 and min(thirds) >= 18


def test_agreement_of_what_does_not_vary_has_no_correlation() -> None:
    found = Agreement.of(np.ones(3), np.array([1.0, 1.05, 2.0]))
    assert found.correlation == 0 and found.within_100_ps == pytest.approx(2 / 3)
