# SPDX-License-Identifier: BSD-3-Clause
"""Images: spatial binning, resampling onto a model's gates, phasor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.physics.decays import expected_shape
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.image import (
    bin_pixels,
    bridge_dead_gates,
    bright_decay,
    missing_width_ns,
    phasor,
    prepare_image,
    resample_matrix,
)
from finn_flirnn.physics.instruments import FlimImage
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import MFLI176, PAPER135, TCSPC256
from finn_flirnn.physics.response import gate_response

INSTRUMENT = GateGrid(133, 0.097, 0.097, 12.82)  # 132.2 bins to a period, as a real one


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_binned_pixels_are_the_sums_of_their_squares(size: int) -> None:
    counts = np.random.default_rng(0).integers(0, 60_000, (7, 8, 5)).astype(np.uint16)
    binned = bin_pixels(counts, size)
    assert binned.shape == (7 // size, 8 // size, 5)
    for row, column in np.ndindex(binned.shape[:2]):
        square = counts[row * size : (row + 1) * size, column * size : (column + 1) * size]
        assert np.array_equal(binned[row, column], square.sum(axis=(0, 1), dtype=np.int64))


@pytest.mark.parametrize("size", [0, -1, 8])
def test_binning_that_leaves_no_pixel_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="binning must lie in 1 to 7"):
        bin_pixels(np.zeros((7, 8, 5), np.uint16), size)


def test_binning_takes_integer_images_only() -> None:
    with pytest.raises(ValueError, match="integers"):
        bin_pixels(np.zeros((7, 8, 5)), 2)


@pytest.mark.parametrize("offset", [0.0, 0.031, 5.0, -3.3, 12.82, 40.0])
def test_gates_that_tile_the_period_take_all_counts(offset: float) -> None:
    target = GateGrid(100, 0.1282, 0.1282, 12.82)
    matrix = resample_matrix(INSTRUMENT, target, offset)
    assert np.allclose(matrix.sum(axis=1), 1)
    assert matrix.min() >= 0


def test_equal_gates_are_left_as_they_are_and_whole_shifts_roll_them() -> None:
    grid = GateGrid(125, 0.1, 0.1, 12.5)
    assert np.allclose(resample_matrix(grid, grid, 0.0), np.eye(125))
    assert np.allclose(resample_matrix(grid, grid, 0.3), np.roll(np.eye(125), -3, axis=1))


def test_half_a_gate_shares_the_counts_equally() -> None:
    grid = GateGrid(125, 0.1, 0.1, 12.5)
    counts = np.zeros(125)
    counts[10] = 8
    assert (counts @ resample_matrix(grid, grid, 0.05))[8:12] == pytest.approx([0, 4, 4, 0])


@pytest.mark.parametrize("preset", [PAPER135, MFLI176, TCSPC256], ids=lambda preset: preset.name)
@pytest.mark.parametrize("position", [1.06, 7.0, 12.0])
def test_resampled_decay_is_the_decay_that_the_model_s_gates_would_see(preset, position: float) -> None:
    lifetimes = np.array([0.4, 2.0])
    fine = GateGrid(1282, 0.01, 0.01, 12.82)
    seen = gate_response(fine, EmgIrf(position, 0.25), lifetimes)
    target = GateGrid(preset.gates, preset.gate_step_ns, preset.gate_width_ns, 12.82)
    expected = gate_response(target, EmgIrf(preset.irf_position_ns, 0.25), lifetimes)
    resampled = seen @ resample_matrix(fine, target, position - preset.irf_position_ns)
    # Linear interpolation within bins of 10 ps is the whole difference.
    assert np.abs(resampled - expected).max() < 1e-3 * expected.max()


@pytest.mark.parametrize("position", [1.0, 0.02, 12.81])
def test_blurred_decay_is_the_decay_of_a_wider_irf(position: float) -> None:
    lifetimes = np.array([0.4, 2.0])
    fine = GateGrid(1282, 0.01, 0.01, 12.82)
    seen = gate_response(fine, EmgIrf(position, 0.15), lifetimes)
    target = GateGrid(135, 0.09, 0.09, 12.82)
    expected = gate_response(target, EmgIrf(1.8, 0.25), lifetimes)
    matrix = resample_matrix(fine, target, position - 1.8, blur_fwhm_ns=0.2)
    assert np.abs(seen @ matrix - expected).max() < 1e-3 * expected.max()


@pytest.mark.parametrize(("fwhm", "widened"), [(0.1, True), (0.199, True), (0.2, False), (0.28, False)])
def test_only_irfs_narrower_than_the_training_are_widened(fwhm: float, widened: bool) -> None:
    missing = missing_width_ns(fwhm, PAPER135)
    assert np.hypot(fwhm, missing) == pytest.approx(0.25 if widened else fwhm)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (GateGrid(50, 0.25, 0.3, 12.5), PAPER135.grid, "contiguous"),
        (GateGrid(100, 0.1, 0.1, 12.5), PAPER135.grid, "whole laser period"),
        (GateGrid(100, 0.1, 0.1, 10.0), PAPER135.grid, "shorter window"),
    ],
)
def test_what_cannot_be_resampled_is_refused(source: GateGrid, target: GateGrid, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resample_matrix(source, target, 0.0)


def test_bridge_leaves_live_bins_and_closes_the_ring() -> None:
    grid = GateGrid(100, 0.125, 0.125, 12.5)
    counts = np.linspace(500.0, 100.0, 100)[None] * np.array([[1.0], [2.0]])
    used = np.ones(100, np.bool_)
    used[[0, 1, 97, 98, 99]] = False
    spoilt = counts.copy()
    spoilt[:, ~used] = 0
    bridged = bridge_dead_gates(spoilt, grid, used)
    assert np.array_equal(bridged[:, used], counts[:, used])
    bridge = bridged[:, [97, 98, 99, 0, 1]]
    low, high = counts[:, 89:97].mean(axis=1), counts[:, 2:10].mean(axis=1)
    assert np.all(np.diff(bridge, axis=1) > 0)
    assert np.all((bridge > low[:, None]) & (bridge < high[:, None]))


def test_bridged_background_stays_flat_even_where_the_period_cuts_a_bin() -> None:
    used = np.ones(133, np.bool_)
    used[130:] = False
    counts = np.where(used, 50.0, 0.0)[None]
    bridged = bridge_dead_gates(counts, INSTRUMENT, used)
    target = GateGrid(135, 0.09, 0.09, 12.5)
    resampled = bridged @ resample_matrix(INSTRUMENT, target, -2.0)
    assert np.allclose(resampled, 50 * 0.09 / 0.097)


def test_bridge_without_dead_bins_changes_nothing() -> None:
    counts = np.random.default_rng(0).poisson(30, (2, 3, 133))
    assert np.array_equal(bridge_dead_gates(counts, INSTRUMENT, np.ones(133, np.bool_)), counts)


def test_holes_inside_the_window_are_refused() -> None:
    used = np.ones(133, np.bool_)
    used[60] = False
    with pytest.raises(ValueError, match="at the ends of the window"):
        bridge_dead_gates(np.zeros((1, 133)), INSTRUMENT, used)
    with pytest.raises(ValueError, match="16 live gates"):
        bridge_dead_gates(np.zeros((1, 133)), INSTRUMENT, np.arange(133) < 10)
    with pytest.raises(ValueError, match="grid's 133 gates"):
        bridge_dead_gates(np.zeros((1, 132)), INSTRUMENT, used)


def simulated_image(position_ns: float) -> FlimImage:
    rng = np.random.default_rng(1)
    rows, columns = 12, 10
    shape = expected_shape(
        INSTRUMENT, EmgIrf(position_ns, 0.22), np.array([0.4]), np.array([2.0]), np.array([0.7])
    )
    bright = np.linspace(50, 600, rows * columns).reshape(rows, columns, 1)
    counts = rng.poisson(bright * shape[0] / shape.max()).astype(np.uint16)
    return FlimImage(counts, 0.097, 12.82, np.ones(133, np.bool_), Path("simulated.ptu"), 0)


def test_prepared_image_has_its_irf_where_the_model_expects_it() -> None:
    image = simulated_image(8.0)
    prepared = prepare_image(image, PAPER135, binning=2, min_photons=15_000)
    assert prepared.counts.shape == (6, 5, 135) and prepared.counts.dtype == np.float32
    assert prepared.irf.irf.position_ns == pytest.approx(8.0, abs=0.01)
    total = prepared.counts.sum(axis=(0, 1))
    # Against the ideal: centre of mass of the rise, within a third of a gate.
    ideal = gate_response(PAPER135.grid, EmgIrf(PAPER135.irf_position_ns, 0.22), np.array([0.4, 2.0]))
    ideal = np.array([0.7, 0.3]) @ ideal
    half = [np.interp(0.5, d[15:22] / d.max(), np.arange(15, 22)) for d in (total, ideal)]
    assert half[0] == pytest.approx(half[1], abs=0.33)
    assert prepared.measured.sum() == image.counts.sum()
    assert prepared.blur_fwhm_ns == 0 and not prepared.irf_is_too_wide
    assert np.array_equal(prepared.photons, prepared.measured.sum(axis=2))
    assert np.array_equal(prepared.mask, prepared.photons >= 15_000) and 0 < prepared.mask.mean() < 1


def test_bright_decay_sums_the_brightest_tenth() -> None:
    counts = np.arange(1, 101).reshape(10, 10, 1) * np.ones((1, 1, 4), np.int64)
    assert bright_decay(counts).tolist() == [sum(range(91, 101))] * 4


@pytest.mark.parametrize("lifetime", [0.3, 1.0, 3.0])
def test_mono_exponential_phasors_lie_on_the_universal_semicircle(lifetime: float) -> None:
    grid = GateGrid(125, 0.1, 0.1, 12.5)
    irf = EmgIrf(1.8, 0.25, 0.5)
    g, s = phasor(gate_response(grid, irf, lifetime), grid, irf)
    omega_tau = 2 * np.pi * lifetime / 12.5
    assert g[0] == pytest.approx(1 / (1 + omega_tau**2), abs=1e-9)
    assert s[0] == pytest.approx(omega_tau / (1 + omega_tau**2), abs=1e-9)


def test_phasor_of_an_empty_pixel_is_nan_and_takes_one_irf() -> None:
    grid = GateGrid(125, 0.1, 0.1, 12.5)
    g, s = phasor(np.zeros((2, 3, 125)), grid, EmgIrf(1.8, 0.25))
    assert g.shape == (2, 3) and np.isnan(g).all() and np.isnan(s).all()
    with pytest.raises(ValueError, match="one IRF"):
        phasor(np.zeros((2, 125)), grid, EmgIrf(np.array([1.8, 1.9]), 0.25))
