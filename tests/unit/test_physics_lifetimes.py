# SPDX-License-Identifier: BSD-3-Clause
"""Lifetimes read off sample decays, and the metrics."""

from __future__ import annotations

import numpy as np
import pytest

from finn_flirnn.physics.decays import sample_decays, simulate
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import PEAK_BINS, lifetime_errors, mean_r2, peak_groups, pooled_r2, rmse
from finn_flirnn.physics.presets import PAPER135, PRESETS
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_lifetimes_read_off_the_true_sample_decays_are_the_truth(preset) -> None:
    truth = simulate(preset, 2000, 1)
    found = lifetimes_from_sfd(truth.sfd, preset.gate_step_ns)
    errors = lifetime_errors(found, truth)
    # float32 of the sample decays is all that is between them
    assert max(errors.tau1_ns, errors.tau2_ns, errors.tau_m_ns, errors.tau_i_ns) < 1e-6
    assert max(errors.amplitude_fraction, errors.photon_fraction) < 1e-7
    assert found.valid.all()


def test_plain_integral_would_be_wrong_by_half_a_gate() -> None:
    truth = simulate(PAPER135, 500, 1)
    plain = 0.09 * truth.sfd[:, :, 0].sum(axis=1)
    assert np.mean(plain - truth.tau_m_ns) == pytest.approx(0.045, abs=0.01)


def test_absent_component_takes_the_other_s_lifetime() -> None:
    t = np.arange(135) * 0.09
    for a in (0.0, 1.0):
        sfd = sample_decays(t, np.array([0.5]), np.array([2.0]), np.array([a]))
        found = lifetimes_from_sfd(sfd, 0.09)
        assert found.tau1_ns[0] == pytest.approx(found.tau2_ns[0]) == pytest.approx(0.5 if a else 2.0)
        assert found.tau_m_ns[0] == pytest.approx(0.5 if a else 2.0, rel=1e-6)


def test_swapped_channels_are_sorted_with_their_fraction() -> None:
    sfd = sample_decays(np.arange(135) * 0.09, np.array([0.5]), np.array([2.0]), np.array([0.2]))
    plain, swapped = lifetimes_from_sfd(sfd, 0.09), lifetimes_from_sfd(sfd[:, :, [0, 2, 1]], 0.09)
    for name in ("tau1_ns", "tau2_ns", "amplitude_fraction", "tau_m_ns", "tau_i_ns"):
        assert getattr(swapped, name) == pytest.approx(getattr(plain, name)), name


def test_noise_of_the_prediction_does_not_bias_the_lifetimes() -> None:
    rng = np.random.default_rng(0)
    n = 4000
    sfd = sample_decays(np.arange(135) * 0.09, np.full(n, 0.5), np.full(n, 2.0), np.full(n, 0.5))
    found = lifetimes_from_sfd(sfd + rng.normal(0, 0.005, sfd.shape), 0.09)
    assert found.tau_m_ns.mean() == pytest.approx(1.25, abs=0.003)
    assert found.tau1_ns.mean() == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize("value", [0.0, -0.3])
def test_pixels_without_a_decay_are_invalid_and_zero(value: float) -> None:
    found = lifetimes_from_sfd(np.full((2, 135, 3), value), 0.09)
    assert not found.valid.any()
    assert not np.any(
        [found.tau1_ns, found.tau2_ns, found.amplitude_fraction, found.tau_m_ns, found.tau_i_ns]
    )


def test_lifetimes_are_clipped_to_what_the_gates_resolve() -> None:
    spike = np.zeros((1, 135, 3))
    spike[:, 0] = 1, 0.5, 0.5
    flat = np.ones((1, 135, 3))
    assert lifetimes_from_sfd(spike, 0.09).tau1_ns == pytest.approx(0.009)
    assert lifetimes_from_sfd(flat, 0.09).tau2_ns == pytest.approx(135 * 0.09)


@pytest.mark.parametrize(
    ("sfd", "step", "message"),
    [
        (np.zeros((2, 135)), 0.09, "full, short, long"),
        (np.zeros((2, 135, 2)), 0.09, "full, short, long"),
        (np.full((2, 135, 3), np.nan), 0.09, "finite"),
        (np.ones((2, 135, 3)), 0.0, "gate_step_ns must be positive"),
    ],
)
def test_what_is_no_sample_decay_is_refused(sfd: np.ndarray, step: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lifetimes_from_sfd(sfd, step)


def test_rmse_and_r2_are_those_of_a_hand_calculation() -> None:
    truth = np.zeros((1, 4, 3))
    truth[0, :, 0] = 1, 0.5, 0.25, 0.25  # mean 0.5, total 0.375
    predicted = truth.copy()
    predicted[0, 1, 0] += 0.2
    assert rmse(predicted, truth) == pytest.approx([0.1, 0, 0])
    r2 = mean_r2(predicted, truth)
    assert r2[0] == pytest.approx(1 - 0.04 / 0.375)
    assert np.isnan(r2[1:]).all()


def test_pooled_r2_is_one_less_squared_error_over_variance() -> None:
    truth = simulate(PAPER135, 300, 4).sfd.astype(np.float64)
    predicted = truth + np.random.default_rng(0).normal(0, 0.05, truth.shape)
    variance = truth.var(axis=(0, 1))
    assert pooled_r2(predicted, truth) == pytest.approx(1 - rmse(predicted, truth) ** 2 / variance)
    guess = np.broadcast_to(truth.mean(axis=(0, 1)), truth.shape)
    assert pooled_r2(guess, truth) == pytest.approx([0, 0, 0], abs=1e-9)
    assert np.isnan(pooled_r2(np.ones((2, 3, 3)), np.ones((2, 3, 3)))).all()


def test_mean_decay_of_the_prior_has_an_r2_that_means_nothing() -> None:
    truth = simulate(PAPER135, 4000, 3).sfd
    guess = np.broadcast_to(prior_mean_sfd(PAPER135), truth.shape)
    assert rmse(guess, truth)[0] == pytest.approx(0.0875, abs=0.003)
    assert mean_r2(guess, truth)[0] == pytest.approx(0.67, abs=0.05)  # a heavy-tailed mean


def test_component_errors_leave_out_components_that_are_hardly_there() -> None:
    truth = Lifetimes.from_components(np.array([0.5, 0.5]), np.array([2.0, 2.0]), np.array([0.05, 0.5]))
    found = Lifetimes.from_components(np.array([1.5, 0.6]), np.array([2.1, 2.3]), np.array([0.05, 0.5]))
    errors = lifetime_errors(found, truth)
    assert errors.tau1_ns == pytest.approx(0.1) and errors.tau2_ns == pytest.approx(0.2)


def test_peak_groups_take_every_pixel_once() -> None:
    peaks = np.array([50.0, 99.9, 100.0, 1000.0, 2000.0])
    groups = peak_groups(peaks)
    assert [bounds for bounds, _ in groups] == list(zip(PEAK_BINS[:-1], PEAK_BINS[1:], strict=True))
    assert [pixels.tolist() for _, pixels in groups] == [[0, 1], [2], [], [3, 4]]


def test_metrics_refuse_different_pixels() -> None:
    with pytest.raises(ValueError, match="same decays"):
        rmse(np.zeros((2, 5, 3)), np.zeros((3, 5, 3)))
    with pytest.raises(ValueError, match="same pixels"):
        lifetime_errors(prior_median(PAPER135, 2), prior_median(PAPER135, 3))


def test_outputs_of_a_model_of_lifetimes_are_read_back_and_clipped() -> None:
    truth = simulate(PAPER135, 50, 8)
    outputs = MeanLifetimes(truth.tau_m_ns, truth.amplitude_fraction).as_outputs(135, 0.09)
    found = MeanLifetimes.from_outputs(outputs, 135, 0.09)
    # outputs are float32
    np.testing.assert_allclose(found.tau_m_ns, truth.tau_m_ns, rtol=1e-6)
    np.testing.assert_allclose(found.amplitude_fraction, truth.amplitude_fraction, atol=1e-7)
    beyond = MeanLifetimes.from_outputs(np.array([[-1.0, -1.0], [2.0, 2.0]]), 135, 0.09)
    assert beyond.tau_m_ns.tolist() == pytest.approx([0.009, 135 * 0.09])
    assert beyond.amplitude_fraction.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"outputs must be \(pixels, 2\)"):
        MeanLifetimes.from_outputs(np.zeros((3, 5, 3)), 135, 0.09)
