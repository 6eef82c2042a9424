# SPDX-License-Identifier: BSD-3-Clause
"""Instrument response functions and the photons that a gate collects of a decay seen through them.

``gate_response(grid, irf, lifetime_ns)`` is the exact integral over every gate of the periodic steady
state: the sum over all laser pulses of exp(-t / lifetime), t >= 0, convolved with the unit-area IRF.
Nothing is sampled, so there is no half-gate shift: an IRF at position p excites at p.

For a Gaussian of sigma s, with z = (s / tau - u / s) / sqrt(2) and u the time since the nearest pulse,

    h(u) = 1/2 exp(s^2 / (2 tau^2) - u / tau) erfc(z)                 one pulse
    R(u) = exp(s^2 / (2 tau^2) - u / tau) (1/2 erfc(z) + q / (1 - q)),  q = exp(-period / tau)
    integral of R = tau (pulses passed + Phi(u / s) - R(u))

The exponentially modified Gaussian (EMG) of tail k follows by partial fractions, and a measured IRF by
the Fourier series of the laser period.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.special import erfc, erfcx

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
MAX_SIGMA_PER_LIFETIME = 25.0
MIN_TAIL_RATIO = 1 / MAX_SIGMA_PER_LIFETIME
MAX_TAIL_RATIO = 10.0


def _tail_table() -> tuple[Reals, Reals]:
    """FWHM of the unit-sigma EMG against its tail ratio, from both half-height points."""
    ratios = np.concatenate([[0.0], np.geomspace(MIN_TAIL_RATIO, MAX_TAIL_RATIO, 64)])
    widths = [FWHM_PER_SIGMA]
    for ratio in ratios[1:]:
        t = np.linspace(-4, 4 + ratio, 4001)
        density = np.exp(-t * t / 2) * erfcx((1 / ratio - t) / math.sqrt(2))
        density = density / density.max()
        above = np.flatnonzero(density >= 0.5)
        left, right = above[0], above[-1]
        start = np.interp(0.5, density[left - 1 : left + 1], t[left - 1 : left + 1])
        stop = np.interp(-0.5, -density[right : right + 2], t[right : right + 2])
        widths.append(float(stop - start))
    return ratios, np.array(widths)


_TAIL_RATIOS, _TAIL_FWHM = _tail_table()


@dataclass(frozen=True)
class EmgIrf:
    """Gaussian IRF, or with a tail an exponentially modified Gaussian; unit area.

    position_ns: centre of the Gaussian part. fwhm_ns: full width at half maximum of the whole.
    tail_ratio: time constant of the tail over sigma of the Gaussian part, 0 (Gaussian) to 10; below
    0.04 a tail is not resolved and is taken as 0.
    Each is a number, or (pixels,) for an IRF of its own in every pixel.
    """

    position_ns: float | Reals
    fwhm_ns: float | Reals
    tail_ratio: float | Reals = 0.0

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.position_ns)):
            raise ValueError("position_ns must be finite; give the centre of the IRF in ns")
        if not np.all(np.isfinite(self.fwhm_ns)) or np.min(self.fwhm_ns) <= 0:
            raise ValueError(f"fwhm_ns must be positive, got {np.min(self.fwhm_ns)}; give the FWHM in ns")
        if not (np.min(self.tail_ratio) >= 0 and np.max(self.tail_ratio) <= MAX_TAIL_RATIO):
            raise ValueError(f"tail_ratio must lie in 0 to {MAX_TAIL_RATIO:g}, got {self.tail_ratio}")

    @property
    def sigma_ns(self) -> Reals:
        """Standard deviation of the Gaussian part in ns, 0-d or (pixels,)."""
        return np.asarray(self.fwhm_ns / np.interp(self.tail_ratio, _TAIL_RATIOS, _TAIL_FWHM))

    @property
    def tail_ns(self) -> Reals:
        """Time constant of the tail in ns, 0 where there is none; 0-d or (pixels,)."""
        tail = np.where(np.asarray(self.tail_ratio) < MIN_TAIL_RATIO, 0.0, self.tail_ratio)
        return np.asarray(tail * self.sigma_ns)


@dataclass(frozen=True)
class MeasuredIrf:
    """A measured IRF histogram: the density is constant within each of its bins; unit area after scaling.

    counts: (bins,) background-free, not negative, at least one positive.
    bin_ns: width of a bin. start_ns: where bin 0 starts relative to the start of gate 0.
    shift_ns: extra shift; stretch: factor of the time axis about the IRF's mean; both numbers or
    (pixels,).
    """

    counts: Reals
    bin_ns: float
    start_ns: float = 0.0
    shift_ns: float | Reals = 0.0
    stretch: float | Reals = 1.0
    mean_ns: float = field(init=False)

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, dtype=np.float64)
        if counts.ndim != 1 or counts.size < 1 or not np.all(np.isfinite(counts)) or counts.min() < 0:
            raise ValueError(
                f"a measured IRF must be one finite histogram without negative values, got shape "
                f"{counts.shape}; subtract its background and clip at 0"
            )
        if counts.sum() <= 0:
            raise ValueError("a measured IRF must hold counts, got none; check the channel")
        if not self.bin_ns > 0:
            raise ValueError(f"bin_ns must be positive, got {self.bin_ns}; give the bin width in ns")
        if not np.min(self.stretch) > 0:
            raise ValueError(f"stretch must be positive, got {np.min(self.stretch)}")
        object.__setattr__(self, "counts", counts / counts.sum())
        object.__setattr__(self, "mean_ns", self.start_ns + float(self._centres @ self.counts))

    @property
    def _centres(self) -> Reals:
        return np.asarray((np.arange(self.counts.size) + 0.5) * self.bin_ns)

    def spectrum(self, frequency_per_ns: Reals) -> npt.NDArray[np.complex128]:
        """Fourier transform about the mean, without shift and stretch, at ``frequency_per_ns`` (n,)."""
        centred = self._centres - (self.mean_ns - self.start_ns)
        phase = np.exp(-2j * np.pi * frequency_per_ns[:, None] * centred)
        return np.asarray((phase @ self.counts) * np.sinc(frequency_per_ns * self.bin_ns))


Irf = EmgIrf | MeasuredIrf


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
        return _measured_response(grid, irf, lifetime)
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
        return response
    # The tail's own exponential: g = tau / (tau - k) (h_tau - h_k); the removable pole is stepped over.
    tail = np.broadcast_to(tail, sigma.shape)
    close = np.abs(tail - lifetime) < 1e-6 * lifetime
    has_tail = tail > 0
    tail = np.where(has_tail, np.where(close, lifetime * (1 + 1e-6), tail), sigma)
    modified = (lifetime / (lifetime - tail))[:, None] * (response - timing.response(tail))
    return np.where(has_tail[:, None], modified, response)


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
        earlier_pulses = 1 / np.expm1(np.minimum(self.grid.laser_period_ns / tau, 700.0))
        z = (ratio - self.since_pulse / self.sigma) * math.sqrt(0.5)
        cumulative = tau * (self.passed - np.exp(exponent) * (0.5 * erfc(z) + earlier_pulses))
        if self.grid.contiguous:
            return np.asarray(np.diff(cumulative, axis=1))
        return np.asarray(cumulative[:, self.grid.count :] - cumulative[:, : self.grid.count])


def _measured_response(grid: GateGrid, irf: MeasuredIrf, lifetime: Reals) -> Reals:
    """Fourier series over the laser period; its terms fall with the third power of the harmonic."""
    period = grid.laser_period_ns
    finest = min(irf.bin_ns, grid.width_ns)
    harmonics = np.arange(1, int(min(4 * period / finest, 4096)) + 1)
    frequency = harmonics / period
    stretch = np.atleast_1d(np.asarray(irf.stretch, dtype=np.float64))[:, None]
    if np.all(stretch == 1):
        spectrum = irf.spectrum(frequency)[None, :]
    else:
        # A stretched IRF has the spectrum of the plain one at stretched frequencies.
        support = np.arange(0, frequency[-1] * stretch.max() + 2 / period, 0.125 / period)
        spectrum = CubicSpline(support, irf.spectrum(support))(frequency * stretch)
    position = irf.mean_ns + np.atleast_1d(np.asarray(irf.shift_ns, dtype=np.float64))[:, None]
    omega = 2 * np.pi * frequency
    series = spectrum * np.exp(-1j * omega * position) / (1 / lifetime[:, None] + 1j * omega)
    gate_centres = grid.starts_ns + grid.width_ns / 2
    scale = 2 * grid.width_ns / period * np.sinc(frequency * grid.width_ns)
    angle = omega[:, None] * gate_centres
    waves = np.asarray(series.real @ (scale[:, None] * np.cos(angle)))
    waves -= series.imag @ (scale[:, None] * np.sin(angle))
    # The finite series may undershoot zero by its truncation; a rate does not.
    return np.maximum(waves + (lifetime * grid.width_ns / period)[:, None], 0.0)
