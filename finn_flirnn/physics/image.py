# SPDX-License-Identifier: BSD-3-Clause
"""From an instrument's image to decays that a model was trained for: binning, resampling, masks, phasor.

A model knows one time axis and one position of the IRF. ``resample_matrix`` carries an instrument's bins
over: cumulative counts, linear within a bin, are read at the model's gate edges, shifted so that the
two IRFs coincide, around the ring of the laser period. So counts are conserved, and gates may be wider
than their step. An IRF narrower than any of the training data is widened on the way, so that the model
meets what it knows. What cannot be carried over stays a difference to the training data: the laser period,
the shape of the IRF, and that resampled counts are no longer Poisson. Classical fits therefore
take the instrument's own bins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.instruments import FlimImage
from finn_flirnn.physics.irf import FWHM_PER_SIGMA, Irf
from finn_flirnn.physics.irf_estimate import FEWEST_PHOTONS, IrfEstimate, estimate_irf
from finn_flirnn.physics.presets import Preset

BRIGHT_FRACTION = 0.1
BRIDGE_BINS = 8


@dataclass(frozen=True)
class PreparedImage:
    """An image on a preset's gates, and the same binned pixels on the instrument's.

    counts: (rows, columns, gates) float32 on the preset's gates, for the network. measured: (rows,
    columns, bins) photons on the instrument's bins, for classical fits, with ``grid``, ``used_gates`` and
    ``irf``. blur_fwhm_ns: by how much ``counts`` were widened because the instrument's IRF is narrower than
    any that the model was trained for. irf_is_too_wide: it is wider than any; lifetimes near its width
    will be wrong. photons: (rows, columns). mask: (rows, columns) true where there are enough photons.
    """

    counts: npt.NDArray[np.float32]
    measured: npt.NDArray[np.int64]
    grid: GateGrid
    used_gates: npt.NDArray[np.bool_]
    irf: IrfEstimate
    blur_fwhm_ns: float
    irf_is_too_wide: bool
    photons: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]


def prepare_image(
    image: FlimImage, preset: Preset, binning: int = 1, min_photons: int = 100
) -> PreparedImage:
    """Bin in space, estimate the IRF, resample onto the preset.

    The IRF is taken from the brightest tenth of the pixels, or from all if these hold too few photons.
    min_photons: photons of a binned pixel from which on the mask is true.
    Raises ValueError for a binning that leaves no pixel, too few photons for an IRF, or gates that ask
    for more than one laser period of the instrument.
    """
    measured = bin_pixels(image.counts, binning)
    photons = measured.sum(axis=2)
    bright = bright_decay(measured)
    decay = bright if bright.sum() >= FEWEST_PHOTONS else measured.sum(axis=(0, 1))
    irf = estimate_irf(decay, image.grid, image.used_gates)
    offset_ns = float(irf.irf.position_ns) - preset.irf_position_ns
    bridged = bridge_dead_gates(measured, image.grid, image.used_gates)
    blur_fwhm_ns = missing_width_ns(float(irf.irf.fwhm_ns), preset)
    matrix = resample_matrix(image.grid, preset.grid, offset_ns, blur_fwhm_ns)
    return PreparedImage(
        counts=(bridged @ matrix).astype(np.float32),
        measured=measured,
        grid=image.grid,
        used_gates=image.used_gates,
        irf=irf,
        blur_fwhm_ns=blur_fwhm_ns,
        irf_is_too_wide=float(irf.irf.fwhm_ns) > preset.irf_fwhm_range_ns[1],
        photons=photons,
        mask=photons >= min_photons,
    )


def missing_width_ns(fwhm_ns: float, preset: Preset) -> float:
    """FWHM of the Gaussian that widens an IRF narrower than the preset's range to the middle of it, or 0.

    >>> from finn_flirnn.physics.presets import PAPER135
    >>> missing_width_ns(0.15, PAPER135), missing_width_ns(0.22, PAPER135)
    (0.2, 0.0)
    """
    low, high = preset.irf_fwhm_range_ns
    return math.sqrt((0.5 * (low + high)) ** 2 - fwhm_ns**2) if fwhm_ns < low else 0.0


def bin_pixels(counts: npt.NDArray[Any], size: int) -> npt.NDArray[np.int64]:
    """Sum ``size`` x ``size`` pixels: (rows, columns, gates) -> (rows // size, columns // size, gates).

    Rows and columns that do not fill a last pixel are left out.

    >>> bin_pixels(np.ones((5, 4, 3), np.uint16), 2).tolist()
    [[[4, 4, 4], [4, 4, 4]], [[4, 4, 4], [4, 4, 4]]]
    """
    if counts.ndim != 3 or counts.dtype.kind not in "ui":
        raise ValueError(f"counts must be (rows, columns, gates) integers, got {counts.shape} {counts.dtype}")
    rows, columns = (n // size if size > 0 else 0 for n in counts.shape[:2])
    if not (rows and columns):
        raise ValueError(
            f"binning must lie in 1 to {min(counts.shape[:2])} for an image of {counts.shape[0]} x "
            f"{counts.shape[1]} pixels, got {size}"
        )
    cropped = counts[: rows * size, : columns * size]
    blocks = cropped.reshape(rows, size, columns, size, counts.shape[2])
    return np.asarray(blocks.sum(axis=(1, 3), dtype=np.int64))


def bright_decay(counts: npt.NDArray[Any], fraction: float = BRIGHT_FRACTION) -> npt.NDArray[np.int64]:
    """Summed decay (gates,) of the brightest ``fraction`` of the pixels of (rows, columns, gates)."""
    photons = counts.sum(axis=2)
    bright = photons >= np.quantile(photons, 1 - fraction)
    return np.asarray(counts[bright].sum(axis=0, dtype=np.int64))


def bridge_dead_gates(counts: npt.NDArray[Any], grid: GateGrid, used_gates: npt.NDArray[np.bool_]) -> Reals:
    """Fill dead bins at the ends of the window, (..., gates), linearly around the ring of the period.

    Each pixel's bridge spans from the mean of its last eight live bins to that of its first eight, so
    that neither a hole nor its edge is taken for background. A last bin that the period cuts, or that
    has to close it, is filled in proportion to its width.

    Raises ValueError for dead bins inside the window, or fewer than 16 live ones.
    """
    filled = counts.astype(np.float64)
    if filled.shape[-1:] != (grid.count,) or used_gates.shape != (grid.count,):
        raise ValueError(
            f"counts {counts.shape} and used_gates {used_gates.shape} must have the grid's {grid.count} gates"
        )
    live = np.flatnonzero(used_gates)
    if live.size < 2 * BRIDGE_BINS:
        raise ValueError(
            f"at least {2 * BRIDGE_BINS} live gates are needed, got {live.size}; check the image"
        )
    gap = grid.count - (live[-1] - live[0] + 1)
    if live.size + gap != grid.count:
        raise ValueError("dead gates must lie at the ends of the window, got some inside; check used_gates")
    before = filled[..., live[-BRIDGE_BINS:]].mean(axis=-1)
    after = filled[..., live[:BRIDGE_BINS]].mean(axis=-1)
    widths = np.diff(_ring_edges(grid)) / grid.step_ns
    for i in range(gap):
        # From the middle of the last eight live bins to that of the first eight.
        part = (BRIDGE_BINS / 2 + i + 0.5) / (BRIDGE_BINS + gap)
        gate = (live[-1] + 1 + i) % grid.count
        filled[..., gate] = ((1 - part) * before + part * after) * widths[gate]
    return filled


def resample_matrix(source: GateGrid, target: GateGrid, offset_ns: float, blur_fwhm_ns: float = 0.0) -> Reals:
    """Matrix (source bins, target gates) of the share of each bin that each gate receives.

    offset_ns: instrument time at which the target's gate 0 starts; times are taken modulo the source's
    laser period. blur_fwhm_ns: counts are spread by a Gaussian of that FWHM, which widens the IRF. A
    period that the bins do not quite fill is closed by stretching the last bin. ``counts @ matrix``
    resamples. Each bin gives away all it has if the gates tile the period.

    Raises ValueError if the source's bins are not contiguous or cover less than 0.98 of the period, or
    if the target spans more than the period by over a gate.
    """
    period = source.laser_period_ns
    if not source.contiguous:
        raise ValueError(
            f"only contiguous bins can be resampled, got width {source.width_ns} ns at a step of "
            f"{source.step_ns} ns; train a model for these gates instead"
        )
    if source.window_ns < 0.98 * period:
        raise ValueError(
            f"the instrument must record the whole laser period of {period:.4g} ns, got a window of "
            f"{source.window_ns:.4g} ns; train a model for this window instead"
        )
    last_end = target.starts_ns[-1] + target.width_ns
    if last_end > period + target.width_ns:
        raise ValueError(
            f"the model's gates span {last_end:.4g} ns, more than the instrument's laser period of "
            f"{period:.4g} ns; use a model with a shorter window"
        )
    edges = _ring_edges(source)
    starts = offset_ns + target.starts_ns
    sigma_ns = blur_fwhm_ns / FWHM_PER_SIGMA
    before_end = _share_before(edges, period, starts + target.width_ns, sigma_ns)
    # Rounding may leave -1e-14 where there is nothing; counts are not negative.
    return np.maximum(before_end - _share_before(edges, period, starts, sigma_ns), 0.0)


def _ring_edges(grid: GateGrid) -> Reals:
    """Edges (gates + 1,) of contiguous bins that close the laser period: the last one takes the rest."""
    edges = np.minimum(np.arange(grid.count + 1) * grid.step_ns, grid.laser_period_ns)
    edges[-1] = grid.laser_period_ns
    return np.asarray(edges)


def _share_before(edges: Reals, period: float, times: Reals, sigma_ns: float) -> Reals:
    """Share (bins, times) of each blurred bin that lies before each time; whole turns of the ring count 1."""
    turns, within = np.divmod(times, period)
    width = np.diff(edges)[:, None]
    left = within - edges[:-1, None]
    share = turns - 1.0
    # The bin itself and, since blurring reaches across the ring's seam, the same bin a turn to either side.
    for shift in (-period, 0.0, period):
        area = _ramp(left + shift, sigma_ns) - _ramp(left + shift - width, sigma_ns)
        share = share + np.divide(area, width, out=np.zeros_like(area), where=width > 0)
    return np.asarray(np.where(width > 0, share, 0.0))


def _ramp(times: Reals, sigma_ns: float) -> Reals:
    """Integral of the step at 0, blurred by a Gaussian: max(t, 0) without blur."""
    if sigma_ns == 0:
        return np.maximum(times, 0.0)
    u = times / sigma_ns
    return np.asarray(sigma_ns * (u * ndtr(u) + np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)))


def phasor(counts: npt.NDArray[Any], grid: GateGrid, irf: Irf) -> tuple[Reals, Reals]:
    """Calibrated phasor coordinates (g, s) of (..., gates) at the laser's frequency.

    The IRF and the gate's own width are divided out, so a mono-exponential decay lies on the universal
    semicircle g^2 + s^2 = g. Pixels without photons are NaN. The bins should cover the laser period
    (bridge dead ones), and background draws points towards the origin.
    """
    frequency = 1 / grid.laser_period_ns
    spectrum = irf.spectrum(np.array([frequency]))
    if spectrum.shape[0] != 1:
        raise ValueError(
            f"phasor takes one IRF for the whole image, got {spectrum.shape[0]}; give their mean"
        )
    phase = 2 * np.pi * frequency * (grid.starts_ns + grid.width_ns / 2)
    total = counts.sum(axis=-1, dtype=np.float64)
    sum_of = counts @ np.exp(-1j * phase)
    raw = np.divide(sum_of, total, out=np.full(total.shape, complex(np.nan, np.nan)), where=total > 0)
    instrument = spectrum[0, 0] * np.sinc(frequency * grid.width_ns)
    calibrated = np.conj(raw / instrument)
    return np.asarray(calibrated.real), np.asarray(calibrated.imag)
