# SPDX-License-Identifier: BSD-3-Clause
"""Gate integrals of the periodic decay seen through the instrument."""

from __future__ import annotations

import numpy as np
import pytest

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import EmgIrf, IrfHistogram, MeasuredIrf
from finn_flirnn.physics.presets import PRESETS
from finn_flirnn.physics.response import HarmonicResponse, gate_response

GRID = GateGrid(135, 0.09, 0.09, 12.5)
FINE_NS = 0.0005  # 180 points to a gate of 90 ps
LIFETIMES = np.array([0.05, 0.4, 3.0])


def fine_irf(irf: EmgIrf, period_ns: float) -> Reals:
    """Unit-sum IRF at the centres of the fine grid, around the ring of the period."""
    points = round(period_ns / FINE_NS)
    times = (np.arange(points) + 0.5) * FINE_NS
    distance = (times - float(irf.position_ns) + period_ns / 2) % period_ns - period_ns / 2
    density = np.exp(-0.5 * (distance / float(irf.sigma_ns)) ** 2)
    if irf.tail_ns > 0:
        tail = np.exp(-np.arange(points) * FINE_NS / float(irf.tail_ns))
        tail[0] = 0.5  # trapezium at the jump
        density = np.maximum(np.fft.irfft(np.fft.rfft(density) * np.fft.rfft(tail), points), 0)
    return density / density.sum()


def fine_grid_response(grid: GateGrid, irf: EmgIrf, lifetime: float) -> Reals:
    """The definition, numerically: convolve on the fine grid over the ring, then integrate over gates."""
    density = fine_irf(irf, grid.laser_period_ns)
    edges = np.arange(density.size + 1) * FINE_NS
    pulse = lifetime * -np.diff(np.exp(-edges / lifetime)) / -np.expm1(-grid.laser_period_ns / lifetime)
    collected = np.fft.irfft(np.fft.rfft(density) * np.fft.rfft(pulse), density.size)
    # The IRF's points lie half a fine step after its edges, and so does all that they excite.
    cumulative = np.concatenate([[0.0], np.cumsum(np.tile(collected, 2))])
    at = edges[-1] + grid.starts_ns - FINE_NS / 2
    axis = np.arange(cumulative.size) * FINE_NS
    return np.interp(at + grid.width_ns, axis, cumulative) - np.interp(at, axis, cumulative)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
@pytest.mark.parametrize("tail", [0.0, 1.0])
@pytest.mark.parametrize("lifetime", LIFETIMES)
def test_gate_integral_equals_a_convolution_on_a_finer_grid(preset, tail: float, lifetime: float) -> None:
    grid = GateGrid(preset.gates // 2, preset.gate_step_ns, preset.gate_width_ns, preset.laser_period_ns)
    irf = EmgIrf(preset.irf_position_ns, 0.25, tail)
    exact = gate_response(grid, irf, lifetime)[0]
    # The reference's own error: (fine step / sigma)^2 / 24 = 1e-6, more at the tail's jump.
    assert np.abs(fine_grid_response(grid, irf, lifetime) - exact).max() < 5e-6 * exact.max()


@pytest.mark.parametrize("tail", [0.0, 1.0])
def test_slope_by_the_irf_s_shift_is_that_of_small_shifts(tail: float) -> None:
    series = HarmonicResponse.of(GRID, EmgIrf(1.8, 0.25, tail), tolerance=1e-5)
    small = np.array([1e-5])
    apart = series.shifted(small).response(LIFETIMES) - series.shifted(-small).response(LIFETIMES)
    slope = series.response(LIFETIMES) / LIFETIMES[:, None] - series.irf()
    np.testing.assert_allclose(slope, apart / (2 * small), atol=1e-7)
    later = HarmonicResponse.of(GRID, EmgIrf(np.array([1.9, 1.6, 1.8]), 0.25, tail), tolerance=1e-5)
    by_hand = series.shifted(np.array([0.1, -0.2, 0.0])).response(LIFETIMES)
    np.testing.assert_allclose(by_hand, later.response(LIFETIMES), atol=1e-12)


@pytest.mark.parametrize("tail", [0.0, 1.0])
def test_gates_that_tile_the_period_collect_the_whole_decay(tail: float) -> None:
    grid = GateGrid(100, 0.125, 0.125, 12.5)
    assert gate_response(grid, EmgIrf(3.3, 0.25, tail), LIFETIMES).sum(axis=1) == pytest.approx(LIFETIMES)


def test_earlier_pulses_fill_the_gates_before_the_rise() -> None:
    slow, fast = GateGrid(135, 0.09, 0.09, 1000.0), GateGrid(135, 0.09, 0.09, 12.5)
    before = slice(0, 5)
    irf = EmgIrf(1.8, 0.25)
    assert gate_response(slow, irf, 3.0)[0, before].max() < 1e-12
    remaining = np.exp(-(12.5 - 1.8 + 0.045) / 3.0) / (1 - np.exp(-12.5 / 3.0))
    assert gate_response(fast, irf, 3.0)[0, 0] == pytest.approx(0.09 * remaining, rel=2e-3)


def test_a_binned_irf_with_gate_integrated_exponentials_is_half_a_gate_early() -> None:
    irf, lifetime = EmgIrf(1.8, 0.25), 0.6
    fine = fine_irf(irf, 12.5)
    per_gate = round(GRID.step_ns / FINE_NS)
    binned = fine[: GRID.count * per_gate].reshape(GRID.count, per_gate).sum(axis=1)
    exponential = lifetime * -np.diff(np.exp(-np.arange(GRID.count + 1) * GRID.step_ns / lifetime))
    naive = np.convolve(binned, exponential)[: GRID.count]
    exact = gate_response(GRID, irf, lifetime)[0]
    early = gate_response(GRID, EmgIrf(1.8 - GRID.step_ns / 2, 0.25), lifetime)[0]
    assert np.abs(naive - early).max() < 0.02 * exact.max()
    assert np.abs(naive - exact).max() > 0.1 * exact.max()


@pytest.mark.parametrize("irf", [EmgIrf(1.8, 0.25), EmgIrf(1.8, 0.2, 0.7)])
def test_fourier_series_equals_the_exact_integral(irf: EmgIrf) -> None:
    for grid in (preset.grid for preset in PRESETS.values()):
        series = HarmonicResponse.of(grid, irf, tolerance=1e-5).response(LIFETIMES)
        assert np.abs(series - gate_response(grid, irf, LIFETIMES)).max() < 1e-5 * grid.width_ns


def test_slope_of_the_series_is_the_derivative_by_log_lifetime() -> None:
    series = HarmonicResponse.of(GRID, EmgIrf(1.8, 0.25))
    step = 1e-5
    up, down = (series.response(LIFETIMES * np.exp(sign * step)) for sign in (1, -1))
    _, slope = series.response_and_slope(LIFETIMES)
    assert np.allclose(slope, (up - down) / (2 * step), atol=1e-8)


def test_every_pixel_may_have_its_own_irf() -> None:
    positions, widths, tails = (
        np.array([1.7, 1.8, 1.9]),
        np.array([0.2, 0.25, 0.3]),
        np.array([0.0, 0.5, 1.0]),
    )
    together = gate_response(GRID, EmgIrf(positions, widths, tails), LIFETIMES)
    for i, lifetime in enumerate(LIFETIMES):
        alone = gate_response(GRID, EmgIrf(positions[i], widths[i], tails[i]), lifetime)
        assert np.allclose(together[i], alone[0], rtol=1e-12, atol=1e-15)


def test_lifetime_equal_to_the_tail_is_no_pole() -> None:
    irf = EmgIrf(1.8, 0.25, 1.0)
    tail = float(irf.tail_ns)
    at, beside = gate_response(GRID, irf, np.array([tail, tail * 1.0001]))
    assert np.abs(at - beside).max() < 2e-4 * at.max()


def test_finely_measured_irf_gives_what_its_formula_gives() -> None:
    irf = EmgIrf(1.8, 0.25, 1.0)
    per_bin = 8
    fine = fine_irf(irf, 12.5)[:8000]
    measured = MeasuredIrf(IrfHistogram(fine.reshape(-1, per_bin).sum(axis=1), per_bin * FINE_NS))
    exact = gate_response(GRID, irf, LIFETIMES)
    assert np.abs(gate_response(GRID, measured, LIFETIMES) - exact).max() < 2e-4 * exact.max()


def test_measured_irf_is_shifted_and_stretched_about_its_mean() -> None:
    fine = fine_irf(EmgIrf(1.8, 0.25), 12.5)[:8000].reshape(-1, 8).sum(axis=1)
    histogram = IrfHistogram(fine, 8 * FINE_NS)
    moved = MeasuredIrf(histogram, shift_ns=np.array([0.0, 0.1]), stretch=np.array([1.2, 0.8]))
    exact = gate_response(GRID, EmgIrf(np.array([1.8, 1.9]), np.array([0.3, 0.2])), np.array([0.4, 0.4]))
    assert np.abs(gate_response(GRID, moved, np.array([0.4, 0.4])) - exact).max() < 1e-3 * exact.max()


@pytest.mark.parametrize("tail", [0.0, 0.04, 0.3, 1.0, 4.0, 10.0])
def test_fwhm_is_that_of_the_whole_irf(tail: float) -> None:
    density = fine_irf(EmgIrf(5.0, 0.25, tail), 12.5)
    above = np.flatnonzero(density >= density.max() / 2) * FINE_NS
    assert above[-1] - above[0] == pytest.approx(0.25, abs=0.002)
    assert IrfHistogram(density, FINE_NS).fwhm_ns == pytest.approx(0.25, abs=0.002)


@pytest.mark.parametrize(
    ("lifetime", "message"), [(0.0, "positive"), (-1.0, "positive"), (np.nan, "positive"), (0.003, "1/25")]
)
def test_impossible_lifetimes_are_refused(lifetime: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gate_response(GRID, EmgIrf(1.8, 0.25), lifetime)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GateGrid(1, 0.09, 0.09, 12.5), "at least 2 gates"),
        (lambda: GateGrid(135, 0.0, 0.09, 12.5), "step_ns must be positive"),
        (lambda: GateGrid(135, 0.09, np.nan, 12.5), "width_ns must be positive"),
        (lambda: GateGrid(135, 0.09, 13.0, 12.5), "must not exceed the laser period"),
        (lambda: EmgIrf(np.nan, 0.25), "position_ns must be finite"),
        (lambda: EmgIrf(1.8, 0.0), "fwhm_ns must be positive"),
        (lambda: EmgIrf(1.8, 0.25, -0.1), "tail_ratio must lie in 0 to 10"),
        (lambda: gate_response(GRID, EmgIrf(1.8, 3.0), 1.0), "1/16 of the laser period"),
        (lambda: IrfHistogram(np.array([1.0, -1.0]), 0.01), "without negative values"),
        (lambda: IrfHistogram(np.array([1.0, np.nan]), 0.01), "finite"),
        (lambda: IrfHistogram(np.zeros(4), 0.01), "must hold counts"),
        (lambda: IrfHistogram(np.ones(4), 0.0), "bin_ns must be positive"),
        (lambda: MeasuredIrf(IrfHistogram(np.ones(4), 0.1), stretch=0.0), "stretch must be positive"),
        (lambda: MeasuredIrf(IrfHistogram(np.ones(4), 0.1), shift_ns=np.inf), "shift_ns must be finite"),
    ],
)
def test_impossible_instruments_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
