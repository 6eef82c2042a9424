# SPDX-License-Identifier: BSD-3-Clause
"""The simulator: truth, noise and prior of the decays."""

from __future__ import annotations

import time
from dataclasses import fields, replace

import numpy as np
import pytest

from finn_flirnn.physics.decays import CHUNK, Decays, expected_shape, sample_decays, simulate
from finn_flirnn.physics.irf import EmgIrf, IrfHistogram
from finn_flirnn.physics.preprocess import DARK_GATES
from finn_flirnn.physics.presets import MFLI176, PAPER135, PRESETS, TCSPC256, Preset, preset_by_name
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median

ALL = pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)


def arrays(decays: Decays) -> dict[str, np.ndarray]:
    return {f.name: getattr(decays, f.name) for f in fields(decays) if f.name != "preset"}


def expectation(decays: Decays) -> np.ndarray:
    """Expected counts by the truth that the decays state."""
    preset = decays.preset
    irf = EmgIrf(preset.irf_position_ns + decays.irf_shift_ns, decays.irf_fwhm_ns, decays.irf_tail_ratio)
    shape = expected_shape(preset.grid, irf, decays.tau1_ns, decays.tau2_ns, decays.amplitude_fraction)
    return (
        shape / shape.max(axis=1, keepdims=True) * decays.peak_counts[:, None]
        + decays.background_counts[:, None]
    )


def test_presets_are_those_of_the_instruments() -> None:
    geometry = {p.name: (p.gates, p.gate_step_ns, p.tau1_range_ns, p.tau2_range_ns) for p in PRESETS.values()}
    assert geometry == {
        "paper135": (135, 0.09, (0.05, 3.0), (0.05, 3.0)),
        "mfli176": (176, 0.04, (0.2, 0.8), (0.8, 1.5)),
        "tcspc256": (256, 0.0488, (0.2, 0.8), (0.8, 1.5)),
    }
    assert all(p.peak_range == (50, 2000) and p.irf_fwhm_range_ns == (0.2, 0.3) for p in PRESETS.values())


@ALL
def test_same_seed_gives_the_same_decays_and_another_seed_others(preset: Preset) -> None:
    first, again, other = simulate(preset, 65, 7), simulate(preset, 65, 7), simulate(preset, 65, (7, 0, 1))
    for name, values in arrays(first).items():
        assert np.array_equal(values, getattr(again, name)), name
    assert not np.array_equal(first.counts, other.counts)


@ALL
def test_shapes_and_types(preset: Preset) -> None:
    decays = simulate(preset, 3, 0)
    assert decays.counts.shape == (3, preset.gates) and decays.counts.dtype == np.uint16
    assert decays.sfd.shape == (3, preset.gates, 3) and decays.sfd.dtype == np.float32
    assert len(decays) == 3
    per_pixel = {n: v for n, v in arrays(decays).items() if n not in ("counts", "sfd")}
    assert all(v.shape == (3,) and v.dtype == np.float64 for v in per_pixel.values())


@pytest.mark.parametrize("pixels", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1])
def test_counts_are_poisson_draws_about_the_stated_truth(pixels: int) -> None:
    decays = simulate(PAPER135, pixels, 11)
    expected = expectation(decays)
    deviation = (decays.counts - expected) / np.sqrt(np.maximum(expected, 0.1))
    bright = expected > 5
    tolerance = 5 / np.sqrt(bright.sum())
    assert abs(deviation[bright].mean()) < tolerance
    assert abs(deviation[bright].var() - 1) < 3 * tolerance


@ALL
def test_counts_match_their_truth_in_every_preset(preset: Preset) -> None:
    decays = simulate(replace(preset, irf_tail_ratio_range=(0.0, 1.0)), 1000, 3)
    expected = expectation(decays)
    chi2 = ((decays.counts - expected) ** 2 / np.maximum(expected, 1e-9))[expected > 1]
    assert chi2.mean() == pytest.approx(1, abs=6 * np.sqrt(3 / chi2.size))


@ALL
def test_full_decay_starts_at_one_and_is_the_sum_of_its_components(preset: Preset) -> None:
    sfd = simulate(preset, 500, 1).sfd
    assert np.abs(sfd[:, 0, 0] - 1).max() < 1e-6
    assert np.abs(sfd[:, :, 0] - sfd[:, :, 1] - sfd[:, :, 2]).max() < 1e-6


def test_sample_decays_are_taken_at_the_gate_starts() -> None:
    decays = simulate(PAPER135, 50, 1)
    k = 7
    short = decays.amplitude_fraction * np.exp(-k * 0.09 / decays.tau1_ns)
    long = (1 - decays.amplitude_fraction) * np.exp(-k * 0.09 / decays.tau2_ns)
    assert np.allclose(decays.sfd[:, k], np.stack([short + long, short, long], axis=1), atol=1e-6)
    again = sample_decays(PAPER135.grid.starts_ns, decays.tau1_ns, decays.tau2_ns, decays.amplitude_fraction)
    assert np.array_equal(decays.sfd, again)


@ALL
def test_the_two_fractions_and_the_two_means_are_not_mixed(preset: Preset) -> None:
    d = simulate(preset, 2000, 2)
    a, t1, t2 = d.amplitude_fraction, d.tau1_ns, d.tau2_ns
    assert np.all(t1 <= t2)
    assert np.allclose(d.tau_m_ns, a * t1 + (1 - a) * t2)
    assert np.allclose(d.photon_fraction, a * t1 / d.tau_m_ns)
    assert np.allclose(d.tau_i_ns, d.photon_fraction * t1 + (1 - d.photon_fraction) * t2)
    assert np.all(d.tau_i_ns >= d.tau_m_ns - 1e-12)


def test_amplitude_fraction_is_uniform_and_the_stated_share_is_mono_exponential() -> None:
    decays = simulate(TCSPC256, 20_000, 5)
    a = decays.amplitude_fraction
    mono = (a == 0) | (a == 1)
    assert mono.mean() == pytest.approx(0.15, abs=0.01)
    assert (a[mono] == 1).mean() == pytest.approx(0.5, abs=0.04)
    histogram, _ = np.histogram(a[~mono], bins=10, range=(0, 1))
    assert np.abs(histogram / histogram.mean() - 1).max() < 0.1


@ALL
def test_draws_stay_within_the_preset_s_ranges(preset: Preset) -> None:
    d = simulate(preset, 2000, 4)
    assert 50 <= d.peak_counts.min() < 100 and 1900 < d.peak_counts.max() <= 2000
    assert preset.tau1_range_ns[0] <= d.tau1_ns.min() and d.tau2_ns.max() <= preset.tau2_range_ns[1]
    assert np.abs(d.irf_shift_ns).max() <= 2 * preset.gate_step_ns
    assert d.irf_fwhm_ns.min() > 0.195 and d.irf_fwhm_ns.max() < 0.307
    assert np.all(d.background_counts <= 0.02 * d.peak_counts)


@ALL
def test_first_ten_gates_hold_nothing_of_their_own_pulse(preset: Preset) -> None:
    # A laser so slow that earlier pulses have decayed leaves only the gates' own pulse.
    slow = replace(preset, laser_period_ns=1000.0, background_fraction_range=(0.0, 0.0))
    shape = expectation(simulate(slow, 2000, 6))
    assert (shape[:, :DARK_GATES] / shape.max(axis=1, keepdims=True)).max() < 3e-3


def test_measured_irf_takes_the_place_of_the_gaussian() -> None:
    times = (np.arange(400) + 0.5) * 0.01
    histogram = IrfHistogram(np.exp(-0.5 * ((times - 1.8) / 0.106) ** 2), 0.01)
    preset = replace(PAPER135, irf_shift_gates=1.0)
    decays = simulate(preset, 500, 8, irf=histogram)
    assert np.abs(decays.irf_fwhm_ns / 0.25 - 1).max() < 0.025
    expected = expectation(decays)
    chi2 = ((decays.counts - expected) ** 2 / np.maximum(expected, 1e-9))[expected > 1]
    assert chi2.mean() == pytest.approx(1, abs=0.03)


def test_camera_read_noise_comes_after_the_poisson_draw() -> None:
    quiet, noisy = simulate(MFLI176, 200, 9), simulate(replace(MFLI176, read_noise_counts=4.0), 200, 9)
    assert noisy.counts.dtype == np.float32 and noisy.counts.min() >= 0
    bright = quiet.counts[:CHUNK] > 100
    difference = (noisy.counts - quiet.counts)[bright]
    assert difference.std() == pytest.approx(4.0, rel=0.05) and abs(difference.mean()) < 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"peak_range": (2000.0, 50.0)}, "peak_range must be"),
        ({"peak_range": (50.0, 70_000.0)}, "16-bit"),
        ({"tau1_range_ns": (0.0, 1.0)}, "tau1_range_ns must lie above 0"),
        ({"mono_fraction": 1.5}, "mono_fraction must lie in 0 to 1"),
        ({"irf_width_jitter": 0.9}, "irf_width_jitter must lie in 0 to 0.5"),
        ({"irf_shift_gates": -1.0}, "irf_shift_gates must be finite"),
        ({"irf_position_ns": 1.0}, "must leave 10 dark gates"),
        ({"irf_position_ns": 12.3}, "lie in the window"),
        ({"gate_step_ns": 0.0}, "step_ns must be positive"),
        ({"background_fraction_range": (0.0, float("nan"))}, "background_fraction_range must be"),
    ],
)
def test_impossible_presets_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PAPER135, **change)


def test_unknown_preset_and_no_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match="paper135, mfli176, tcspc256"):
        preset_by_name("paper")
    assert preset_by_name("paper135") is PAPER135
    with pytest.raises(ValueError, match="pixels must be at least 1"):
        simulate(PAPER135, 0, 0)


def test_prior_is_the_best_constant_guess() -> None:
    truth = simulate(PAPER135, 5000, 12)
    guess = prior_median(PAPER135, len(truth))
    error = np.abs(guess.tau_m_ns - truth.tau_m_ns).mean()
    for shift in (-0.2, 0.2):
        assert error < np.abs(guess.tau_m_ns + shift - truth.tau_m_ns).mean()
    assert np.allclose(prior_mean_sfd(PAPER135), truth.sfd.mean(axis=0), atol=0.015)


def test_simulator_draws_ten_thousand_decays_a_second_on_one_core() -> None:
    simulate(PAPER135, 100, 0)
    best = np.inf
    for _ in range(3):
        started = time.process_time()
        simulate(PAPER135, 4000, 1)
        best = min(best, time.process_time() - started)
    assert 4000 / best >= 10_000
