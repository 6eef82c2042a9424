# SPDX-License-Identifier: BSD-3-Clause
"""Photons that every gate collects of a periodic exponential decay seen through the instrument.

``gate_response(grid, irf, lifetime_ns)`` is the integral over every gate of the periodic steady state:
the sum over all laser pulses of exp(-t / lifetime), t >= 0, convolved with the unit-area IRF. The IRF is
never binned, so there is no half-gate shift: an IRF at position p excites at p.

For a Gaussian of sigma s, with z = (s / tau - u / s) / sqrt(2) and u the time since the nearest pulse,

    R(u) = exp(s^2 / (2 tau^2) - u / tau) (1/2 erfc(z) + q / (1 - q)),  q = exp(-period / tau)
    integral of R = tau (pulses passed + Phi(u / s) - R(u))

which is exact. The tail of the exponentially modified Gaussian follows by partial fractions. A measured
IRF, and the fits, use the Fourier series over the laser period (``HarmonicResponse``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import erfc

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import MAX_SIGMA_PER_LIFETIME, EmgIrf, Irf, MeasuredIrf, Spectrum

MAX_HARMONICS = 4096


def gate_response(grid: GateGrid, irf: Irf, lifetime_ns: npt.ArrayLike) -> Reals:
    """Photons that every gate collects of a decay of unit amplitude: (pixels, gates).

    lifetime_ns: (pixels,) or a number; positive. The IRF's parameters broadcast against it. Over a
    whole laser period of contiguous gates the response sums to the lifetime.

    Raises ValueError for lifetimes that are not positive, or below 1/25 of the IRF's sigma (such a
    component cannot be told from scattered laser light).
    """
    lifetime = np.atleast_1d(np.asarray(lifetime_ns, dtype=np.float64))
    if lifetime.ndim != 1 or not np.all(np.isfinite(lifetime)) or lifetime.size and lifetime.min() <= 0:
        raise ValueError(f"lifetime_ns must be (pixels,) positive numbers, got shape {lifetime.shape}")
    if isinstance(irf, MeasuredIrf):
        return np.maximum(HarmonicResponse.of(grid, irf).response(lifetime), 0.0)
    sigma = np.broadcast_to(irf.sigma_ns, np.broadcast_shapes(lifetime.shape, irf.sigma_ns.shape))
    if lifetime.size and np.max(sigma / lifetime) > MAX_SIGMA_PER_LIFETIME:
        raise ValueError(
            f"lifetime {lifetime.min():.4g} ns must be at least 1/{MAX_SIGMA_PER_LIFETIME:g} of the IRF's "
            f"sigma {sigma.max():.4g} ns; raise the lower bound of the lifetimes"
        )
    timing = _GaussianTiming.of(grid, irf)
    response = timing.response(lifetime)
    tail = irf.tail_ns
    if not np.any(tail):
        return np.maximum(response, 0.0)  # rounding may leave -1e-17 in dark gates
    # The tail's own exponential: g = tau / (tau - k) (h_tau - h_k); the removable pole is stepped over.
    tail = np.broadcast_to(tail, sigma.shape)
    close = np.abs(tail - lifetime) < 1e-6 * lifetime
    has_tail = tail > 0
    tail = np.where(has_tail, np.where(close, lifetime * (1 + 1e-6), tail), 2 * lifetime)
    modified = (lifetime / (lifetime - tail))[:, None] * (response - timing.response(tail))
    return np.maximum(np.where(has_tail[:, None], modified, response), 0.0)


@dataclass(frozen=True)
class _GaussianTiming:
    """What the gate integral of a Gaussian IRF needs and that does not depend on the lifetime."""

    grid: GateGrid
    sigma: Reals  # (pixels or 1, 1)
    since_pulse: Reals  # (pixels or 1, edges), in [-period/2, period/2)
    passed: Reals  # (pixels or 1, edges): pulses passed, smoothed by the IRF

    @classmethod
    def of(cls, grid: GateGrid, irf: EmgIrf) -> _GaussianTiming:
        starts = grid.starts_ns
        if grid.contiguous:
            edges = np.append(starts, grid.window_ns)
        else:
            edges = np.concatenate([starts, starts + grid.width_ns])
        sigma = np.atleast_1d(irf.sigma_ns)[:, None]
        if sigma.max() * 16 > grid.laser_period_ns:
            raise ValueError(
                f"the IRF's sigma {sigma.max():.4g} ns must stay below 1/16 of the laser period "
                f"{grid.laser_period_ns} ns; check the unit of its FWHM"
            )
        elapsed = edges - np.atleast_1d(np.asarray(irf.position_ns))[:, None]
        pulses = np.floor(elapsed / grid.laser_period_ns + 0.5)
        since_pulse = elapsed - pulses * grid.laser_period_ns
        passed = pulses + 0.5 * erfc(since_pulse / (-math.sqrt(2) * sigma))
        return cls(grid, sigma, since_pulse, passed)

    def response(self, lifetime: Reals) -> Reals:
        tau = lifetime[:, None]
        ratio = self.sigma / tau
        # Beyond 700 the other factor has underflowed to zero long before.
        exponent = np.minimum(0.5 * ratio * ratio - self.since_pulse / tau, 700.0)
        left_after_period = np.exp(-self.grid.laser_period_ns / tau)
        earlier_pulses = left_after_period / (1 - left_after_period)
        z = (ratio - self.since_pulse / self.sigma) * math.sqrt(0.5)
        cumulative = tau * (self.passed - np.exp(exponent) * (0.5 * erfc(z) + earlier_pulses))
        if self.grid.contiguous:
            return np.asarray(np.diff(cumulative, axis=1))
        return np.asarray(cumulative[:, self.grid.count :] - cumulative[:, : self.grid.count])


@dataclass(frozen=True)
class HarmonicResponse:
    """Gate integrals by the Fourier series over the laser period, and their derivatives.

    Harmonic k of the decay is irf(k / T) / (1 / tau + i w); a gate integrates it to a cosine and a sine
    of the gate's centre. The terms that are left out add up to less than ``tolerance`` of the amplitude
    of the decay times the gate width. One matrix product gives all gates, so many pixels and
    lifetimes cost little; the IRF may differ from pixel to pixel.

    grid: the gates. omega: (harmonics,) angular frequencies in 1/ns. spectrum: (pixels or 1, harmonics)
    of the IRF. waves: (2 * harmonics, gates), cosine over minus sine, scaled by the gate's integral.
    """

    grid: GateGrid
    omega: Reals
    spectrum: Spectrum
    waves: Reals

    @classmethod
    def of(cls, grid: GateGrid, irf: Irf, tolerance: float = 1e-5) -> HarmonicResponse:
        """The series for a grid and an IRF."""
        period = grid.laser_period_ns
        frequency = np.arange(1, MAX_HARMONICS + 1) / period
        gate = np.minimum(1.0, 1 / (np.pi * frequency * grid.width_ns))
        size = irf.envelope(frequency) * gate / (np.pi * frequency * period)
        left_out = np.cumsum(size[::-1])[::-1]
        harmonics = max(1, int(np.count_nonzero(left_out > tolerance)))
        frequency = frequency[:harmonics]
        omega = 2 * np.pi * frequency
        scale = 2 * grid.width_ns / period * np.sinc(frequency * grid.width_ns)
        angle = omega[:, None] * (grid.starts_ns + grid.width_ns / 2)
        waves = np.concatenate([scale[:, None] * np.cos(angle), -scale[:, None] * np.sin(angle)])
        return cls(grid, omega, irf.spectrum(frequency), waves)

    def pixels(self, chosen: npt.NDArray[np.intp]) -> HarmonicResponse:
        """The same for some of the pixels (itself where all share one IRF)."""
        if self.spectrum.shape[0] == 1:
            return self
        return HarmonicResponse(self.grid, self.omega, self.spectrum[chosen], self.waves)

    def shifted(self, shift_ns: Reals) -> HarmonicResponse:
        """The same with the IRF later by shift_ns, (pixels,) or (1,)."""
        turned = self.spectrum * np.exp(-1j * self.omega * shift_ns[:, None])
        return HarmonicResponse(self.grid, self.omega, turned, self.waves)

    def irf(self) -> Reals:
        """Gate integrals of the IRF itself, of as many harmonics as the decays': (pixels or 1, gates)."""
        return self._synthesise(self.spectrum) + self.grid.width_ns / self.grid.laser_period_ns

    def response(self, lifetime_ns: Reals) -> Reals:
        """lifetime_ns: (pixels,) -> (pixels, gates) photons of a decay of unit amplitude."""
        decay = 1 / (1 / lifetime_ns[:, None] + 1j * self.omega)
        return self._synthesise(self.spectrum * decay) + self._mean(lifetime_ns)

    def response_and_slope(self, lifetime_ns: Reals) -> tuple[Reals, Reals]:
        """``response`` and its derivative by the logarithm of the lifetime, each (pixels, gates)."""
        decay = 1 / (1 / lifetime_ns[:, None] + 1j * self.omega)
        seen = self.spectrum * decay
        mean = self._mean(lifetime_ns)
        slope = seen * decay / lifetime_ns[:, None]
        return self._synthesise(seen) + mean, self._synthesise(slope) + mean

    def _mean(self, lifetime_ns: Reals) -> Reals:
        return np.asarray(lifetime_ns * (self.grid.width_ns / self.grid.laser_period_ns))[:, None]

    def _synthesise(self, series: Spectrum) -> Reals:
        return np.asarray(np.concatenate([series.real, series.imag], axis=1) @ self.waves)
