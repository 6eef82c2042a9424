# SPDX-License-Identifier: BSD-3-Clause
"""The Bayes floor: below every other method, and right in its limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.bayes import PosteriorMeans, known_irf, posterior_means, posterior_means_irf_unknown
from finn_flirnn.physics.decays import Decays, expected_shape, simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.physics.prior import prior_median

PRESET = replace(known_irf(PAPER135), peak_range=(60.0, 150.0))


def test_floor_lies_below_the_fit_and_the_prior() -> None:
    decays = simulate(PRESET, 30, seed=3)
    found = posterior_means(decays, draws=1_000)
    floor = np.abs(found.tau_m_ns - decays.tau_m_ns).mean()
    irf = EmgIrf(PRESET.irf_position_ns, PRESET.irf_fwhm_range_ns[0], 0.0)
    fit = fit_decays(decays.counts, PRESET.grid, irf, FitOptions(lifetime_bounds_ns=(0.05, 3.0))).lifetimes
    assert floor <= np.abs(fit.tau_m_ns - decays.tau_m_ns).mean()
    assert floor < 0.3 * np.abs(prior_median(PRESET, 30).tau_m_ns - decays.tau_m_ns).mean()


@pytest.mark.parametrize("mono", [0.0, 0.15, 1.0])
def test_means_are_those_of_many_draws_of_the_prior(mono: float) -> None:
    preset = replace(PRESET, peak_range=(40.0, 60.0), mono_fraction=mono)
    decays = simulate(preset, 4, seed=5)
    found = posterior_means(decays)
    drawn = simulate(replace(preset, peak_range=(1.0, 1.0)), 40_000, seed=6)
    irf = EmgIrf(preset.irf_position_ns, preset.irf_fwhm_range_ns[0], 0.0)
    shapes = expected_shape(preset.grid, irf, drawn.tau1_ns, drawn.tau2_ns, drawn.amplitude_fraction)
    assert_means_of_the_prior(found, decays, drawn, shapes)


def assert_means_of_the_prior(found: PosteriorMeans, decays: Decays, drawn: Decays, shapes: Reals) -> None:
    """Means are those of weighted draws of the prior; scales their noise-free ``shapes`` (draws, gates)."""
    shapes /= shapes.max(axis=1, keepdims=True)
    for pixel in range(len(decays)):
        expected = shapes * decays.peak_counts[pixel] + decays.background_counts[pixel]
        logarithm = np.log(expected) @ decays.counts[pixel] - expected.sum(axis=1)
        weights = np.exp(logarithm - logarithm.max())
        weights /= weights.sum()
        few = 1 / np.square(weights).sum()
        truth = np.array([drawn.tau_m_ns, drawn.amplitude_fraction, *drawn.sfd[:, 10].T])
        mean = truth @ weights
        spread = np.sqrt(np.square(truth - mean[:, None]) @ weights)
        ours = [found.tau_m_ns[pixel], found.amplitude_fraction[pixel], *found.sfd[pixel, 10]]
        # four standard errors of both estimates together
        error = 4 * spread * np.sqrt(1 / few + 1 / found.effective_draws[pixel])
        assert np.all(np.abs(ours - mean) <= error)


def test_bright_decays_have_effective_draws_and_one_answer() -> None:
    decays = simulate(replace(PRESET, peak_range=(1500.0, 2000.0)), 12, seed=4)
    first, second = posterior_means(decays), posterior_means(decays, seed=8)
    assert min(first.effective_draws.min(), second.effective_draws.min()) > 100
    error = np.sqrt(np.mean((first.sfd - decays.sfd) ** 2, axis=(0, 1)))
    apart = np.sqrt(np.mean((first.sfd - second.sfd) ** 2, axis=(0, 1)))
    assert np.all(apart < 0.2 * error)


def test_decay_of_one_component_is_recognised() -> None:
    bright = replace(PRESET, mono_fraction=1.0, peak_range=(1500.0, 2000.0))
    decays = simulate(bright, 6, seed=2)
    alone = posterior_means(decays)
    # which of the two components it is, the prior alone can say: both have the same lifetime
    shared = alone.amplitude_fraction[:, None] * alone.sfd[:, :, 0]
    np.testing.assert_allclose(alone.sfd[:, :, 1], shared, atol=0.01)
    assert np.all(np.abs(alone.tau_m_ns - decays.tau_m_ns) < 0.05 * decays.tau_m_ns)


def test_decay_without_photons_gives_the_mean_of_the_prior() -> None:
    decays = simulate(replace(PRESET, peak_range=(1e-9, 1e-9)), 1, seed=1)
    found = posterior_means(decays)
    # the error of about a thousand effective draws of a uniform fraction is 0.01
    assert found.amplitude_fraction[0] == pytest.approx(0.5, abs=0.04)
    assert found.tau_m_ns[0] == pytest.approx(1.525, abs=0.1)


def test_means_belong_to_one_mixture() -> None:
    decays = simulate(PRESET, 5, seed=2)
    found = posterior_means(decays, draws=500)
    np.testing.assert_allclose(found.sfd[:, 0, 1], found.amplitude_fraction, atol=1e-5)
    np.testing.assert_allclose(found.sfd[:, :, 0], found.sfd[:, :, 1:].sum(axis=2), atol=1e-5)


def test_decays_of_many_irfs_are_refused() -> None:
    with pytest.raises(ValueError, match="paper135 must have one IRF for all pixels"):
        posterior_means(simulate(PAPER135, 2, seed=0), draws=10)


def test_without_the_irf_means_are_those_of_many_draws_of_the_prior() -> None:
    preset = replace(PAPER135, peak_range=(15.0, 20.0))
    decays = simulate(preset, 3, seed=5)
    found = posterior_means_irf_unknown(decays)
    drawn = simulate(replace(preset, peak_range=(1.0, 1.0)), 60_000, seed=6)
    irf = EmgIrf(preset.irf_position_ns + drawn.irf_shift_ns, drawn.irf_fwhm_ns, 0.0)
    shapes = expected_shape(preset.grid, irf, drawn.tau1_ns, drawn.tau2_ns, drawn.amplitude_fraction)
    assert_means_of_the_prior(found, decays, drawn, shapes)


def test_without_the_irf_nothing_changes_if_it_hardly_varies() -> None:
    fixed = replace(PRESET, peak_range=(300.0, 400.0))
    (low, _) = fixed.irf_fwhm_range_ns
    varied = replace(
        fixed, irf_fwhm_range_ns=(low, low * 1.0001), irf_shift_gates=1e-4, irf_width_jitter=1e-4
    )
    decays = simulate(fixed, 4, seed=9)
    known, unknown = posterior_means(decays), posterior_means_irf_unknown(replace(decays, preset=varied))
    np.testing.assert_allclose(unknown.tau_m_ns, known.tau_m_ns, rtol=0.01)
    np.testing.assert_allclose(unknown.sfd[:, :, 0], known.sfd[:, :, 0], atol=0.004)


def test_without_the_irf_bright_decays_have_effective_draws_and_less_is_known() -> None:
    bright = replace(PAPER135, peak_range=(1500.0, 2000.0))
    one_irf = known_irf(bright)
    decays = simulate(one_irf, 12, seed=4)
    known, unknown = posterior_means(decays), posterior_means_irf_unknown(replace(decays, preset=bright))
    assert unknown.effective_draws.min() > 100
    errors = [np.square(found.sfd - decays.sfd)[:, :, 0].mean() for found in (known, unknown)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("change", [{"irf_shift_gates": 0.0}, {"irf_tail_ratio_range": (0.0, 1.0)}])
def test_irfs_that_the_floor_does_not_know_how_to_vary_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the IRFs of paper135 must vary in shift"):
        posterior_means_irf_unknown(simulate(replace(PAPER135, **change), 2, seed=0), draws=10)
