# SPDX-License-Identifier: BSD-3-Clause
"""The Bayes floor: below every other method, and right in its limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from finn_flirnn.physics.bayes import known_irf, posterior_means
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.physics.prior import prior_median

PRESET = replace(known_irf(PAPER135), peak_range=(60.0, 150.0))


def test_floor_lies_below_the_fit_and_the_prior() -> None:
    decays = simulate(PRESET, 60, seed=3)
    found = posterior_means(decays, draws=6_000)
    floor = np.abs(found.tau_m_ns - decays.tau_m_ns).mean()
    irf = EmgIrf(PRESET.irf_position_ns, PRESET.irf_fwhm_range_ns[0], 0.0)
    fit = fit_decays(decays.counts, PRESET.grid, irf, FitOptions(lifetime_bounds_ns=(0.05, 3.0))).lifetimes
    assert floor <= np.abs(fit.tau_m_ns - decays.tau_m_ns).mean()
    assert floor < 0.3 * np.abs(prior_median(PRESET, 60).tau_m_ns - decays.tau_m_ns).mean()
    assert np.median(found.effective_draws) > 20


def test_decay_without_photons_gives_the_mean_of_the_prior() -> None:
    decays = simulate(replace(PRESET, peak_range=(1e-9, 1e-9)), 1, seed=1)
    found = posterior_means(decays, draws=4_000)
    # of 4,000 draws of a uniform fraction; the standard deviation of their mean is 0.005
    assert found.amplitude_fraction[0] == pytest.approx(0.5, abs=0.02)
    assert found.effective_draws[0] == pytest.approx(4_000, rel=1e-3)


def test_means_belong_to_one_mixture() -> None:
    decays = simulate(PRESET, 5, seed=2)
    found = posterior_means(decays, draws=2_000)
    np.testing.assert_allclose(found.sfd[:, 0, 1], found.amplitude_fraction, atol=1e-5)
    np.testing.assert_allclose(found.sfd[:, :, 0], found.sfd[:, :, 1:].sum(axis=2), atol=1e-5)


def test_decays_of_many_irfs_are_refused() -> None:
    with pytest.raises(ValueError, match="paper135 must have one IRF for all pixels"):
        posterior_means(simulate(PAPER135, 2, seed=0), draws=10)
