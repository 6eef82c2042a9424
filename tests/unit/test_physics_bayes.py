# SPDX-License-Identifier: BSD-3-Clause
"""The Bayes floor: below every other method, and right in its limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.bayes import (
    BestEstimates,
    best_estimates,
    estimates_from_counts_alone,
    known_irf,
    log_peak_integral,
)
from finn_flirnn.physics.decays import Decays, expected_shape, simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.physics.prior import prior_median

PRESET = replace(known_irf(PAPER135), peak_range=(60.0, 150.0))


def test_floor_lies_below_the_fit_and_the_prior() -> None:
    decays = simulate(PRESET, 30, seed=3)
    found = best_estimates(decays, draws=1_000)
    floor = np.abs(found.tau_m_ns - decays.tau_m_ns).mean()
    irf = EmgIrf(PRESET.irf_position_ns, PRESET.irf_fwhm_range_ns[0], 0.0)
    fit = fit_decays(decays.counts, PRESET.grid, irf, FitOptions(lifetime_bounds_ns=(0.05, 3.0))).lifetimes
    assert floor <= np.abs(fit.tau_m_ns - decays.tau_m_ns).mean()
    assert floor < 0.3 * np.abs(prior_median(PRESET, 30).tau_m_ns - decays.tau_m_ns).mean()


@pytest.mark.parametrize("mono", [0.0, 0.15, 1.0])
def test_means_are_those_of_many_draws_of_the_prior(mono: float) -> None:
    preset = replace(PRESET, peak_range=(40.0, 60.0), mono_fraction=mono)
    decays = simulate(preset, 4, seed=5)
    found = best_estimates(decays)
    drawn = simulate(replace(preset, peak_range=(1.0, 1.0)), 40_000, seed=6)
    irf = EmgIrf(preset.irf_position_ns, preset.irf_fwhm_range_ns[0], 0.0)
    shapes = expected_shape(preset.grid, irf, drawn.tau1_ns, drawn.tau2_ns, drawn.amplitude_fraction)
    shapes /= shapes.max(axis=1, keepdims=True)

    def at_the_known_peak(pixel: int) -> Reals:
        return shapes * decays.peak_counts[pixel] + decays.background_counts[pixel]

    assert_estimates_of_the_prior(found, decays, drawn, at_the_known_peak)


def assert_estimates_of_the_prior(
    found: BestEstimates, decays: Decays, drawn: Decays, expected_counts: Callable[[int], Reals]
) -> None:
    """As by weighted draws of the prior; expected_counts: of a pixel, (draws, gates)."""
    for pixel in range(len(decays)):
        expected = expected_counts(pixel)
        logarithm = np.log(expected) @ decays.counts[pixel] - expected.sum(axis=1)
        weights = np.exp(logarithm - logarithm.max())
        weights /= weights.sum()
        few = 1 / np.square(weights).sum()
        truth = drawn.sfd[:, 10].T
        mean = truth @ weights
        spread = np.sqrt(np.square(truth - mean[:, None]) @ weights)
        # four standard errors of both estimates together
        error = 4 * np.sqrt(1 / few + 1 / found.effective_draws[pixel])
        assert np.all(np.abs(found.sfd[pixel, 10] - mean) <= error * spread)
        for values, median in (
            (drawn.tau_m_ns, found.tau_m_ns[pixel]),
            (drawn.amplitude_fraction, found.amplitude_fraction[pixel]),
        ):
            assert weights[values < median].sum() - 0.5 * error < 0.5
            assert weights[values <= median].sum() + 0.5 * error > 0.5


def test_bright_decays_have_effective_draws_and_one_answer() -> None:
    decays = simulate(replace(PRESET, peak_range=(1500.0, 2000.0)), 12, seed=4)
    first, second = best_estimates(decays), best_estimates(decays, seed=8)
    assert min(first.effective_draws.min(), second.effective_draws.min()) > 100
    error = np.sqrt(np.mean((first.sfd - decays.sfd) ** 2, axis=(0, 1)))
    apart = np.sqrt(np.mean((first.sfd - second.sfd) ** 2, axis=(0, 1)))
    assert np.all(apart < 0.2 * error)


def test_decay_of_one_component_is_recognised() -> None:
    bright = replace(PRESET, mono_fraction=1.0, peak_range=(1500.0, 2000.0))
    decays = simulate(bright, 6, seed=2)
    alone = best_estimates(decays)
    # which of the two components it is, the prior alone can say: both have the same lifetime
    shared = alone.sfd[:, :1, 1] * alone.sfd[:, :, 0]
    np.testing.assert_allclose(alone.sfd[:, :, 1], shared, atol=0.01)
    assert np.all(np.abs(alone.tau_m_ns - decays.tau_m_ns) < 0.05 * decays.tau_m_ns)


def test_decay_without_photons_gives_the_median_of_the_prior() -> None:
    decays = simulate(replace(PRESET, peak_range=(1e-9, 1e-9)), 1, seed=1)
    found = best_estimates(decays)
    # the error of about a thousand effective draws of a uniform fraction is 0.01
    assert found.amplitude_fraction[0] == pytest.approx(0.5, abs=0.04)
    assert found.tau_m_ns[0] == pytest.approx(1.525, abs=0.1)


def test_mean_decays_belong_to_one_mixture() -> None:
    decays = simulate(PRESET, 5, seed=2)
    found = best_estimates(decays, draws=500)
    np.testing.assert_allclose(found.sfd[:, 0, 0], 1.0, atol=1e-5)
    np.testing.assert_allclose(found.sfd[:, :, 0], found.sfd[:, :, 1:].sum(axis=2), atol=1e-5)


def test_decays_of_many_irfs_are_refused() -> None:
    with pytest.raises(ValueError, match="paper135 must have one IRF for all pixels"):
        best_estimates(simulate(PAPER135, 2, seed=0), draws=10)


@pytest.mark.parametrize("photons", [0, 1, 730, 80_000])
@pytest.mark.parametrize("peak_of_counts", [2.0, 38.0, 51.0, 700.0, 1995.0, 2600.0])
def test_integral_over_peaks_is_that_of_quadrature(photons: int, peak_of_counts: float) -> None:
    low, high = 50.0, 2000.0
    total = max(photons, 1) / peak_of_counts
    top = float(np.clip(photons / total, low, high))

    def integrand(peak: float) -> float:
        return math.exp(photons * math.log(peak / top) - (peak - top) * total)

    # where the integrand is: around its maximum, and from there as far as an exponential reaches
    reach = 12 * max(math.sqrt(photons + 1), 3) / total
    bounds = max(low, top - reach), min(high, top + reach)
    area, _ = quad(integrand, *bounds, epsabs=0, epsrel=1e-9, limit=500, points=[top])
    expected = math.log(area) + photons * math.log(top) - top * total
    (found,) = log_peak_integral(photons, np.array([total]), (low, high))
    # far from the range the tail is taken for an exponential, good to a part in a thousand
    assert found == pytest.approx(expected, abs=1e-3)


def test_from_counts_alone_means_are_those_of_many_draws_of_the_prior() -> None:
    preset = replace(PAPER135, peak_range=(10.0, 25.0), background_fraction_range=(0.0, 0.1))
    decays = simulate(preset, 3, seed=5)
    found = estimates_from_counts_alone(decays)
    drawn = simulate(preset, 60_000, seed=6)
    irf = EmgIrf(preset.irf_position_ns + drawn.irf_shift_ns, drawn.irf_fwhm_ns, 0.0)
    shapes = expected_shape(preset.grid, irf, drawn.tau1_ns, drawn.tau2_ns, drawn.amplitude_fraction)
    shapes *= (drawn.peak_counts / shapes.max(axis=1))[:, None]
    shapes += drawn.background_counts[:, None]
    assert_estimates_of_the_prior(found, decays, drawn, lambda pixel: shapes)


def test_counts_alone_tell_as_much_where_nothing_else_varies() -> None:
    fixed = replace(PRESET, peak_range=(350.0, 350.0), background_fraction_range=(0.01, 0.01))
    (fwhm, _) = fixed.irf_fwhm_range_ns
    varied = replace(
        fixed,
        irf_fwhm_range_ns=(fwhm, fwhm * 1.0001),
        irf_shift_gates=1e-4,
        irf_width_jitter=1e-4,
        peak_range=(350.0, 350.01),
        background_fraction_range=(0.01, 0.010001),
    )
    decays = simulate(fixed, 4, seed=9)
    known, alone = best_estimates(decays), estimates_from_counts_alone(replace(decays, preset=varied))
    np.testing.assert_allclose(alone.tau_m_ns, known.tau_m_ns, rtol=0.01)
    np.testing.assert_allclose(alone.sfd[:, :, 0], known.sfd[:, :, 0], atol=0.004)


def test_from_counts_alone_bright_decays_have_effective_draws_and_less_is_known() -> None:
    bright = replace(PAPER135, peak_range=(1500.0, 2000.0))
    one_irf = known_irf(bright)
    decays = simulate(one_irf, 12, seed=4)
    known, alone = best_estimates(decays), estimates_from_counts_alone(replace(decays, preset=bright))
    assert alone.effective_draws.min() > 100
    errors = [np.square(found.sfd - decays.sfd)[:, :, 0].mean() for found in (known, alone)]
    assert errors[0] < errors[1]


def test_short_decay_with_a_long_tail_keeps_effective_draws() -> None:
    # its posterior is a thin ridge at the ends of four ranges, where kernels of one width were stuck
    decays = simulate(PAPER135, 100, (1, 0, 9001, 0), split=IrfSplit.TEST).of_pixels(slice(71, 72))
    assert estimates_from_counts_alone(decays).effective_draws[0] > 100


def test_from_counts_alone_the_truth_is_not_looked_at() -> None:
    decays = simulate(PAPER135, 2, seed=1)
    hidden = {f.name: np.full(2, np.nan) for f in fields(decays) if f.name not in ("preset", "counts", "sfd")}
    blind = replace(decays, sfd=np.full_like(decays.sfd, np.nan), **hidden)
    first, second = (estimates_from_counts_alone(given, draws=200) for given in (decays, blind))
    np.testing.assert_array_equal(first.sfd, second.sfd)


def test_from_counts_alone_a_decay_without_photons_has_an_answer() -> None:
    dark = simulate(replace(PAPER135, peak_range=(1e-9, 1e-8)), 1, seed=1)
    found = estimates_from_counts_alone(dark)
    assert found.tau_m_ns[0] == pytest.approx(1.525, abs=0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"irf_shift_gates": 0.0},
        {"irf_tail_ratio_range": (0.0, 1.0)},
        {"peak_range": (500.0, 500.0)},
        {"background_fraction_range": (0.0, 0.0)},
        {"read_noise_counts": 1.0},
    ],
)
def test_presets_whose_prior_the_floor_cannot_draw_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the IRFs of paper135 must vary in shift"):
        estimates_from_counts_alone(simulate(replace(PAPER135, **change), 2, seed=0), draws=10)
