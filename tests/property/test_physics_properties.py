# SPDX-License-Identifier: BSD-3-Clause
"""Laws of the physics that hold for every instrument and decay."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finn_flirnn.physics.decays import sample_decays
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.image import resample_matrix
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.lifetimes import lifetimes_from_sfd
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.response import HarmonicResponse, gate_response

lifetimes_ns = st.floats(0.05, 10.0)
irfs = st.builds(EmgIrf, st.floats(-5, 30), st.floats(0.05, 0.5), st.floats(0, 5))


@st.composite
def grids(draw: st.DrawFn, tiling: bool = False) -> GateGrid:
    """Any gates within a laser period; with ``tiling`` such that fill it exactly."""
    period = draw(st.floats(9, 60))
    count = draw(st.integers(16, 300))
    if tiling:
        return GateGrid(count, period / count, period / count, period)
    step = draw(st.floats(0.02, 0.3))
    return GateGrid(count, step, draw(st.floats(0.02, 1.0)), period)


@settings(max_examples=100, deadline=None)
@given(grids(tiling=True), irfs, lifetimes_ns)
def test_a_whole_period_collects_the_lifetime(grid: GateGrid, irf: EmgIrf, lifetime: float) -> None:
    response = gate_response(grid, irf, lifetime)
    assert response.min() >= 0
    assert np.isclose(response.sum(), lifetime, rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(grids(), irfs, lifetimes_ns)
def test_exact_integral_and_fourier_series_agree(grid: GateGrid, irf: EmgIrf, lifetime: float) -> None:
    series = HarmonicResponse.of(grid, irf, tolerance=1e-4).response(np.array([lifetime]))
    assert np.abs(series - gate_response(grid, irf, lifetime)).max() <= 1.1e-4 * grid.width_ns + 1e-9


@settings(max_examples=60, deadline=None)
@given(grids(), irfs, lifetimes_ns)
def test_shifting_the_irf_by_a_period_changes_nothing(grid: GateGrid, irf: EmgIrf, lifetime: float) -> None:
    later = EmgIrf(float(irf.position_ns) + grid.laser_period_ns, irf.fwhm_ns, irf.tail_ratio)
    one, other = gate_response(grid, irf, lifetime), gate_response(grid, later, lifetime)
    assert np.allclose(one, other, rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(20, 300),
    st.floats(0.02, 0.2),
    lifetimes_ns,
    lifetimes_ns,
    st.floats(0.02, 0.98),
    st.floats(0.1, 10),
)
def test_lifetimes_of_noise_free_decays_are_exact(
    gates: int, step: float, tau1: float, tau2: float, a: float, scale: float
) -> None:
    times = np.arange(gates) * step
    short, long = a * np.exp(-times / tau1), (1 - a) * np.exp(-times / tau2)
    found = lifetimes_from_sfd(scale * np.stack([short + long, short, long], axis=1)[None], step)
    longest = gates * step
    expected = sorted(np.clip([tau1, tau2], 0.1 * step, longest))
    assert np.allclose([found.tau1_ns[0], found.tau2_ns[0]], expected, rtol=1e-6)
    fraction = a if tau1 <= tau2 else 1 - a
    if max(tau1, tau2) < longest and tau1 != tau2:
        assert np.isclose(found.amplitude_fraction[0], fraction)
        assert np.isclose(found.tau_m_ns[0], a * tau1 + (1 - a) * tau2, rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(lifetimes_ns, lifetimes_ns, st.floats(0, 1))
def test_sample_decays_fall_from_one(tau1: float, tau2: float, a: float) -> None:
    sfd = sample_decays(np.arange(50) * 0.1, *(np.array([v]) for v in (tau1, tau2, a)))[0]
    assert abs(sfd[0, 0] - 1) < 1e-6
    assert np.all(np.diff(sfd, axis=0) <= 0) and sfd.min() >= 0


@settings(max_examples=100, deadline=None)
@given(arrays(np.uint16, st.tuples(st.integers(1, 5), st.integers(11, 40))), st.integers(1, 5))
def test_normalised_counts_lie_in_zero_to_one_and_forget_the_scale(counts: np.ndarray, factor: int) -> None:
    values = normalise(counts)
    assert values.min() >= 0 and values.max() <= 1
    assert set(values.max(axis=1)) <= {0.0, 1.0}
    assert np.allclose(values, normalise(counts.astype(np.int64) * factor + 7), atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(grids(tiling=True), st.integers(2, 300), st.floats(-100, 100), st.sampled_from([0.0, 0.1, 0.6]))
def test_resampling_conserves_counts(source: GateGrid, gates: int, offset: float, blur: float) -> None:
    step = source.laser_period_ns / gates
    target = GateGrid(gates, step, step, source.laser_period_ns)
    matrix = resample_matrix(source, target, offset, blur)
    assert matrix.min() >= -1e-9
    assert np.allclose(matrix.sum(axis=1), 1)
    # A flat background stays flat.
    assert np.allclose(np.ones(source.count) @ matrix, step / source.step_ns)
