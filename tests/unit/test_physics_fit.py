# SPDX-License-Identifier: BSD-3-Clause
"""The Poisson maximum-likelihood reconvolution fit and the IRF estimate."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from finn_flirnn.physics.decays import Decays, expected_shape, simulate
from finn_flirnn.physics.fit import CHUNK, FitOptions, FitResult, fit_decays
from finn_flirnn.physics.irf import EmgIrf, IrfHistogram, MeasuredIrf
from finn_flirnn.physics.irf_estimate import estimate_irf
from finn_flirnn.physics.metrics import lifetime_errors
from finn_flirnn.physics.presets import MFLI176, PAPER135, TCSPC256, Preset
from finn_flirnn.physics.prior import prior_median

BRIGHT_TCSPC = replace(TCSPC256, peak_range=(250.0, 2000.0))


def pixel_irf(decays: Decays, early_ns: float = 0.0) -> EmgIrf:
    position = decays.preset.irf_position_ns + decays.irf_shift_ns - early_ns
    return EmgIrf(position, decays.irf_fwhm_ns, decays.irf_tail_ratio)


def prior_bounds(preset: Preset) -> FitOptions:
    return FitOptions(lifetime_bounds_ns=(preset.tau1_range_ns[0], preset.tau2_range_ns[1]))


def noise_free(preset: Preset, tau1: float, tau2: float, a: float, background: float = 5.0) -> np.ndarray:
    irf = EmgIrf(preset.irf_position_ns, 0.25)
    shape = expected_shape(preset.grid, irf, np.array([tau1]), np.array([tau2]), np.array([a]))
    return 1e4 * shape / shape.max() + background


@pytest.mark.parametrize("preset", [PAPER135, MFLI176, TCSPC256], ids=lambda preset: preset.name)
@pytest.mark.parametrize(("tau1", "tau2", "a"), [(0.3, 1.2, 0.5), (0.5, 1.4, 0.8), (0.25, 0.9, 0.2)])
def test_noise_free_decay_gives_its_parameters_back(preset, tau1: float, tau2: float, a: float) -> None:
    options = FitOptions(max_iterations=200, tolerance=1e-9)
    fit = fit_decays(
        noise_free(preset, tau1, tau2, a), preset.grid, EmgIrf(preset.irf_position_ns, 0.25), options
    )
    found = fit.lifetimes
    got = [found.tau1_ns[0], found.tau2_ns[0], found.amplitude_fraction[0], found.tau_m_ns[0]]
    # The fit's Fourier series is true to 1e-5 of the amplitude.
    assert got == pytest.approx([tau1, tau2, a, a * tau1 + (1 - a) * tau2], rel=1e-3)
    assert fit.background_counts[0] == pytest.approx(5.0, rel=0.05)
    assert fit.converged.all() and fit.deviance[0] < 0.1


def test_fit_of_simulated_decays_has_no_bias_and_a_half_gate_too_early_irf_has() -> None:
    decays = simulate(BRIGHT_TCSPC, 1500, 21)
    options = prior_bounds(TCSPC256)
    right = fit_decays(decays.counts, TCSPC256.grid, pixel_irf(decays), options).lifetimes
    half_gate = TCSPC256.gate_step_ns / 2
    wrong = fit_decays(decays.counts, TCSPC256.grid, pixel_irf(decays, half_gate), options).lifetimes
    bias = np.mean(right.tau_m_ns - decays.tau_m_ns)
    wrong_bias = np.mean(wrong.tau_m_ns - decays.tau_m_ns)
    assert abs(bias) < 0.004
    assert abs(wrong_bias) > 5 * abs(bias) and wrong_bias > 0.01


def test_fit_reaches_the_accuracy_of_a_maximum_likelihood_fit() -> None:
    decays = simulate(BRIGHT_TCSPC, 1500, 22)
    fit = fit_decays(decays.counts, TCSPC256.grid, pixel_irf(decays), prior_bounds(TCSPC256))
    errors, prior = (
        lifetime_errors(fit.lifetimes, decays),
        lifetime_errors(prior_median(TCSPC256, 1500), decays),
    )
    assert errors.tau_m_ns < 0.013 < prior.tau_m_ns / 10
    assert errors.tau1_ns < 0.1 and errors.tau2_ns < 0.11
    assert fit.converged.mean() > 0.97
    # Deviance of a true model: about one per gate, less the parameters.
    assert fit.deviance.mean() == pytest.approx(256 - 5, rel=0.04)


def test_shift_of_the_irf_is_fitted_along() -> None:
    options = FitOptions(max_iterations=200, tolerance=1e-9, shift_bounds_ns=(-0.2, 0.2))
    for shift in (-0.13, 0.0, 0.07):
        irf = EmgIrf(PAPER135.irf_position_ns - shift, 0.25)
        fit = fit_decays(noise_free(PAPER135, 0.3, 1.2, 0.5), PAPER135.grid, irf, options)
        found = fit.lifetimes
        got = [found.tau1_ns[0], found.tau2_ns[0], found.amplitude_fraction[0]]
        # The fit's Fourier series is true to 1e-5 of the amplitude.
        assert got == pytest.approx([0.3, 1.2, 0.5], rel=3e-3)
        assert fit.shift_ns[0] == pytest.approx(shift, abs=3e-4)
        assert fit.converged.all()


def test_fitted_shift_is_a_minimum_of_the_deviance() -> None:
    counts = np.random.default_rng(5).poisson(noise_free(PAPER135, 0.4, 1.8, 0.6) / 10)
    free = FitOptions(tolerance=1e-7, max_iterations=100, shift_bounds_ns=(-0.2, 0.2))
    fit = fit_decays(counts, PAPER135.grid, EmgIrf(PAPER135.irf_position_ns + 0.1, 0.25), free)
    assert fit.converged.all()
    held = FitOptions(tolerance=1e-7, max_iterations=100)
    at = PAPER135.irf_position_ns + 0.1 + fit.shift_ns[0]
    least, before, after = (
        fit_decays(counts, PAPER135.grid, EmgIrf(at + move, 0.25), held).deviance[0]
        for move in (0.0, -0.01, 0.01)
    )
    assert least == pytest.approx(fit.deviance[0], abs=1e-4)
    assert min(before, after) > least + 0.1


def test_fit_that_finds_its_shift_has_no_bias_and_one_that_misses_it_has() -> None:
    decays = simulate(BRIGHT_TCSPC, 600, 25)
    nominal = EmgIrf(TCSPC256.irf_position_ns, decays.irf_fwhm_ns)
    farthest = TCSPC256.irf_shift_gates * TCSPC256.gate_step_ns
    free = replace(prior_bounds(TCSPC256), shift_bounds_ns=(-farthest, farthest))
    found = fit_decays(decays.counts, TCSPC256.grid, nominal, free)
    missed = fit_decays(decays.counts, TCSPC256.grid, nominal, prior_bounds(TCSPC256))
    assert np.median(np.abs(found.shift_ns - decays.irf_shift_ns)) < 0.003
    assert np.all(np.abs(found.shift_ns) <= farthest) and np.all(missed.shift_ns == 0)
    error, wrong = (np.median(np.abs(fit.lifetimes.tau_m_ns - decays.tau_m_ns)) for fit in (found, missed))
    assert error < 0.015 < wrong / 2
    assert abs(np.mean(found.lifetimes.tau_m_ns - decays.tau_m_ns)) < 0.006
    assert found.deviance.mean() == pytest.approx(256 - 6, rel=0.04) and found.converged.mean() > 0.95


def deviance(counts: np.ndarray, expected: np.ndarray) -> float:
    logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / expected), 0)
    return float(2 * np.sum(expected - counts + logs))


def test_result_is_a_minimum_of_the_deviance() -> None:
    counts = np.random.default_rng(5).poisson(noise_free(PAPER135, 0.4, 1.8, 0.6) / 10)
    irf = EmgIrf(PAPER135.irf_position_ns, 0.25)
    fit = fit_decays(counts, PAPER135.grid, irf, FitOptions(tolerance=1e-7, max_iterations=100))
    found = fit.lifetimes
    best = np.array(
        [
            found.tau1_ns[0],
            found.tau2_ns[0],
            found.amplitude_fraction[0],
            fit.amplitude[0],
            fit.background_counts[0],
        ]
    )

    def at(parameters: np.ndarray) -> float:
        tau1, tau2, a, amplitude, background = parameters[:, None]
        return deviance(
            counts[0], amplitude * expected_shape(PAPER135.grid, irf, tau1, tau2, a)[0] + background
        )

    assert at(best) == pytest.approx(fit.deviance[0], abs=0.05)
    for i in range(best.size):
        for factor in (0.98, 1.02):
            moved = best.copy()
            moved[i] *= factor
            assert at(moved) > at(best), i


@pytest.mark.parametrize("pixels", [1, CHUNK - 1, CHUNK, CHUNK + 1])
def test_a_pixel_s_fit_does_not_depend_on_its_neighbours(pixels: int) -> None:
    decays = simulate(BRIGHT_TCSPC, pixels, 23)
    positions = TCSPC256.irf_position_ns + decays.irf_shift_ns
    together = fit_decays(decays.counts, TCSPC256.grid, EmgIrf(positions, 0.25), prior_bounds(TCSPC256))
    alone = fit_decays(decays.counts[-1:], TCSPC256.grid, EmgIrf(positions[-1], 0.25), prior_bounds(TCSPC256))
    assert together.lifetimes.tau_m_ns[-1] == pytest.approx(alone.lifetimes.tau_m_ns[0], rel=1e-6)
    assert together.deviance[-1] == pytest.approx(alone.deviance[0], rel=1e-9)


def test_mono_exponential_fit() -> None:
    counts = np.random.default_rng(1).poisson(np.repeat(noise_free(PAPER135, 1.1, 1.1, 1.0), 50, axis=0) / 10)
    irf = EmgIrf(PAPER135.irf_position_ns, 0.25)
    fit = fit_decays(counts, PAPER135.grid, irf, FitOptions(components=1))
    assert np.array_equal(fit.lifetimes.tau1_ns, fit.lifetimes.tau2_ns)
    assert np.all(fit.lifetimes.amplitude_fraction == 1)
    assert fit.lifetimes.tau_m_ns.mean() == pytest.approx(1.1, abs=0.003)


def test_measured_irf_serves_as_well() -> None:
    times = (np.arange(3000) + 0.5) * 0.001
    sigma = float(EmgIrf(1.8, 0.25).sigma_ns)
    measured = MeasuredIrf(IrfHistogram(np.exp(-0.5 * ((times - 1.8) / sigma) ** 2), 0.001))
    counts = noise_free(PAPER135, 0.4, 1.8, 0.6)
    by_formula, by_histogram = (
        fit_decays(counts, PAPER135.grid, irf, FitOptions(tolerance=1e-8, max_iterations=200)).lifetimes
        for irf in (EmgIrf(1.8, 0.25), measured)
    )
    assert by_histogram.tau_m_ns == pytest.approx(by_formula.tau_m_ns, rel=1e-3)


def test_pixels_without_photons_are_invalid_and_finite() -> None:
    counts = np.zeros((3, 135))
    counts[1] = noise_free(PAPER135, 0.4, 1.8, 0.6)
    fit = fit_decays(counts, PAPER135.grid, EmgIrf(PAPER135.irf_position_ns, 0.25))
    assert fit.lifetimes.valid.tolist() == [False, True, False]
    values: FitResult = fit
    assert np.all(np.isfinite([values.deviance, values.amplitude, values.lifetimes.tau_m_ns]))


@pytest.mark.parametrize("photons", [1, 3, 30, 300])
def test_few_photons_give_finite_lifetimes_within_the_bounds(photons: int) -> None:
    rng = np.random.default_rng(photons)
    shape = noise_free(PAPER135, 0.4, 1.8, 0.6)[0]
    counts = rng.multinomial(photons, shape / shape.sum(), 200)
    fit = fit_decays(counts, PAPER135.grid, EmgIrf(1.8, 0.25), prior_bounds(PAPER135))
    found = fit.lifetimes
    assert found.tau1_ns[found.valid].min() >= 0.05 * (1 - 1e-9) and found.tau2_ns.max() <= 3.0 * (1 + 1e-9)
    assert np.all((found.amplitude_fraction >= 0) & (found.amplitude_fraction <= 1))
    assert np.all(fit.background_counts >= 0) and np.all(np.isfinite(fit.deviance))


def test_dead_gates_do_not_touch_the_fit() -> None:
    counts = np.random.default_rng(2).poisson(noise_free(PAPER135, 0.4, 1.8, 0.6))
    used = np.ones(135, np.bool_)
    used[[0, 1, 133, 134]] = False
    spoilt = counts.copy()
    spoilt[:, ~used] = 50_000
    irf = EmgIrf(1.8, 0.25)
    clean = fit_decays(counts, PAPER135.grid, irf, used_gates=used)
    other = fit_decays(spoilt, PAPER135.grid, irf, used_gates=used)
    assert other.lifetimes.tau_m_ns == pytest.approx(clean.lifetimes.tau_m_ns, rel=1e-9)
    assert other.deviance == pytest.approx(clean.deviance, rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FitOptions(components=3), "components must be 1 or 2"),
        (lambda: FitOptions(lifetime_bounds_ns=(0.0, 1.0)), "0 < low < high"),
        (lambda: FitOptions(shift_bounds_ns=(0.1, 0.1)), "finite with low < high"),
        (lambda: FitOptions(max_iterations=0), "must be positive"),
        (lambda: fit_decays(np.zeros((2, 134)), PAPER135.grid, EmgIrf(1.8, 0.25)), "grid's 135 gates"),
        (lambda: fit_decays(np.full((2, 135), -1.0), PAPER135.grid, EmgIrf(1.8, 0.25)), "negative"),
        (lambda: fit_decays(np.zeros((0, 135)), PAPER135.grid, EmgIrf(1.8, 0.25)), "at least one pixel"),
        (
            lambda: fit_decays(np.ones((2, 135)), PAPER135.grid, EmgIrf(np.full(3, 1.8), 0.25)),
            "IRF for each of the 2 pixels",
        ),
        (
            lambda: fit_decays(np.ones((2, 135)), PAPER135.grid, EmgIrf(1.8, 0.25), None, np.arange(135) < 5),
            "more used gates than parameters",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_fit_takes_two_thousand_pixels_a_second_on_one_core() -> None:
    decays = simulate(BRIGHT_TCSPC, 1024, 24)
    irf = EmgIrf(TCSPC256.irf_position_ns, 0.25)
    best = np.inf
    for _ in range(3):
        started = time.process_time()
        fit_decays(decays.counts, TCSPC256.grid, irf, prior_bounds(TCSPC256))
        best = min(best, time.process_time() - started)
    assert len(decays) / best >= 2000


@pytest.mark.parametrize(("fwhm", "position"), [(0.15, 1.75), (0.25, 1.8), (0.4, 2.2)])
def test_irf_is_estimated_from_a_bright_decay(fwhm: float, position: float) -> None:
    irf = EmgIrf(position, fwhm)
    shape = expected_shape(PAPER135.grid, irf, np.array([0.4]), np.array([2.0]), np.array([0.7]))[0]
    counts = np.random.default_rng(3).poisson(1e6 * shape / shape.sum() + 200)
    found = estimate_irf(counts, PAPER135.grid)
    assert found.irf.position_ns == pytest.approx(position, abs=0.003)
    assert found.irf.fwhm_ns == pytest.approx(fwhm, abs=0.01)
    assert found.lifetimes_ns == pytest.approx([0.4, 2.0], rel=0.03)
    assert found.background_counts == pytest.approx(200, rel=0.1)
    assert found.reduced_chi2 == pytest.approx(1, abs=0.5)
    assert np.allclose(found.expected_counts, 1e6 * shape / shape.sum() + 200, rtol=0.03)


def test_tail_of_an_irf_is_estimated() -> None:
    irf = EmgIrf(1.8, 0.3, 1.0)
    shape = expected_shape(PAPER135.grid, irf, np.array([0.6]), np.array([2.0]), np.array([0.7]))[0]
    counts = np.random.default_rng(4).poisson(1e7 * shape / shape.sum() + 200)
    found = estimate_irf(counts, PAPER135.grid, tail=True)
    assert found.irf.tail_ratio == pytest.approx(1.0, abs=0.2)
    assert found.irf.fwhm_ns == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("counts", "components", "message"),
    [
        (np.ones(135), 2, "at least 10000 photons"),
        (np.full(134, 1000), 2, "135 gates"),
        (np.full(135, 1000), 0, "components must be 1 to 4"),
        (np.full(135, np.nan), 2, "finite"),
    ],
)
def test_impossible_irf_estimates_are_refused(counts: np.ndarray, components: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_irf(counts, PAPER135.grid, components=components)
