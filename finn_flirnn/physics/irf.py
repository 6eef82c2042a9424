# SPDX-License-Identifier: BSD-3-Clause
"""Instrument response functions: Gaussian, exponentially modified Gaussian (EMG) and measured.

Each states the Fourier transform of its unit-area density, ``integral of irf(t) exp(-2 pi i f t) dt``;
that is all that ``finn_flirnn.physics.response`` needs to convolve it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len
from scipy.interpolate import CubicSpline
from scipy.special import erfcx

from finn_flirnn.numerics.fixed_point import Reals

Spectrum = npt.NDArray[np.complex128]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
MAX_SIGMA_PER_LIFETIME = 25.0
MIN_TAIL_RATIO = 1 / MAX_SIGMA_PER_LIFETIME
MAX_TAIL_RATIO = 10.0
SPECTRUM_OVERSAMPLING = 16


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

    def spectrum(self, frequency_per_ns: Reals) -> Spectrum:
        """Fourier transform of the IRF: (pixels or 1, frequencies)."""
        omega = 2 * np.pi * frequency_per_ns
        position, sigma, tail = (_column(v) for v in (self.position_ns, self.sigma_ns, self.tail_ns))
        gaussian = np.exp(-0.5 * (omega * sigma) ** 2 - 1j * omega * position)
        return np.asarray(gaussian / (1 + 1j * omega * tail) if np.any(tail) else gaussian)

    def envelope(self, frequency_per_ns: Reals) -> Reals:
        """Bound of the transform's magnitude over all pixels: (frequencies,)."""
        return np.asarray(np.exp(-0.5 * (2 * np.pi * frequency_per_ns * self.sigma_ns.min()) ** 2))


@dataclass(frozen=True)
class IrfHistogram:
    """A measured IRF; its density is constant within each bin. ``counts`` are scaled to unit sum.

    counts: (bins,) background-free, not negative, at least one positive.
    bin_ns: width of a bin. start_ns: where bin 0 starts relative to the start of gate 0.
    """

    counts: Reals
    bin_ns: float
    start_ns: float = 0.0

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
        object.__setattr__(self, "counts", counts / counts.sum())

    @property
    def fwhm_ns(self) -> float:
        """FWHM in ns, between linearly interpolated half-height points."""
        height = np.concatenate([[0.0], self.counts / self.counts.max(), [0.0]])
        above = np.flatnonzero(height >= 0.5)
        left, right = above[0], above[-1]
        start = left - (height[left] - 0.5) / (height[left] - height[left - 1])
        stop = right + (height[right] - 0.5) / (height[right] - height[right + 1])
        return float((stop - start) * self.bin_ns)

    @property
    def mean_ns(self) -> float:
        """Centre of mass, relative to the start of gate 0; shifts and stretches are about it."""
        return self.start_ns + (self._mean_bin + 0.5) * self.bin_ns

    @property
    def _mean_bin(self) -> float:
        return float(np.arange(self.counts.size) @ self.counts)

    @cached_property
    def _comb(self) -> CubicSpline:
        """Transform of the bins as points about the bin nearest the mean; periodic with 1/bin."""
        knots = next_fast_len(SPECTRUM_OVERSAMPLING * self.counts.size)
        padded = np.zeros(knots)
        padded[: self.counts.size] = self.counts
        transform = np.fft.fft(np.roll(padded, -round(self._mean_bin)))
        return CubicSpline(
            np.arange(knots + 1) / knots, np.append(transform, transform[0]), bc_type="periodic"
        )

    def centred_spectrum(self, frequency_per_ns: Reals) -> Spectrum:
        """Fourier transform about ``mean_ns``; any shape of frequencies."""
        cycles = frequency_per_ns * self.bin_ns
        to_mean = np.exp(2j * np.pi * cycles * (self._mean_bin - round(self._mean_bin)))
        return np.asarray(self._comb(cycles % 1.0) * np.sinc(cycles) * to_mean)


@dataclass(frozen=True)
class MeasuredIrf:
    """A measured IRF, shifted by ``shift_ns`` and stretched about its mean by ``stretch``.

    Both are numbers, or (pixels,) for an IRF of its own in every pixel.
    """

    histogram: IrfHistogram
    shift_ns: float | Reals = 0.0
    stretch: float | Reals = 1.0

    def __post_init__(self) -> None:
        if not np.all(np.isfinite(self.shift_ns)):
            raise ValueError("shift_ns must be finite; give the shift of the IRF in ns")
        if not np.all(np.isfinite(self.stretch)) or np.min(self.stretch) <= 0:
            raise ValueError(
                f"stretch must be positive, got {np.min(self.stretch)}; 1 leaves the IRF as it is"
            )

    def spectrum(self, frequency_per_ns: Reals) -> Spectrum:
        """Fourier transform of the IRF: (pixels or 1, frequencies)."""
        # A stretched IRF has the spectrum of the plain one at stretched frequencies.
        centred = self.histogram.centred_spectrum(frequency_per_ns * _column(self.stretch))
        position = self.histogram.mean_ns + _column(self.shift_ns)
        return np.asarray(centred * np.exp(-2j * np.pi * frequency_per_ns * position))

    def envelope(self, frequency_per_ns: Reals) -> Reals:
        """Magnitude of the transform of the least stretched pixel: (frequencies,)."""
        return np.abs(self.histogram.centred_spectrum(frequency_per_ns * float(np.min(self.stretch))))


Irf = EmgIrf | MeasuredIrf


def _column(value: npt.ArrayLike) -> Reals:
    return np.atleast_1d(np.asarray(value, dtype=np.float64))[:, None]
