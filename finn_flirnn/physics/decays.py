# SPDX-License-Identifier: BSD-3-Clause
"""Simulated decays with their truth: raw Poisson counts, sample decays, lifetimes and fractions.

Two fractions and two mean lifetimes are kept apart:

    amplitude fraction  a     = A1 / (A1 + A2)                       the prior is uniform in it
    photon fraction     f1    = a tau1 / (a tau1 + (1 - a) tau2)
    amplitude mean      tau_m = a tau1 + (1 - a) tau2                (FRET: E = 1 - tau_DA / tau_D)
    intensity mean      tau_i = (a tau1^2 + (1 - a) tau2^2) / tau_m   (what centre of mass sees)

The expected counts are the exact gate integrals of ``finn_flirnn.physics.response``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import EmgIrf, Irf, IrfHistogram, MeasuredIrf
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import sample_decays as sample_decays
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.response import gate_response

Floats = npt.NDArray[np.float32]
Counts = npt.NDArray[np.uint16] | Floats

CHANNELS = ("full", "short", "long")
MOST_REDRAWS = 1000
CHUNK = 1024  # pixels whose intermediate arrays stay in the cache


@dataclass(frozen=True)
class Decays:
    """Decays and everything that made them; arrays over pixels.

    counts: (pixels, gates) raw photon counts, uint16, or float32 with camera read noise.
    sfd: (pixels, gates, 3) float32 sample decays full, short, long at the gate starts, full[0] = 1:
        a exp(-t/tau1) + (1-a) exp(-t/tau2), and its two terms.
    tau1_ns <= tau2_ns, amplitude_fraction, photon_fraction, tau_m_ns, tau_i_ns: (pixels,), see the
        module. Of a mono-exponential decay (a = 0 or 1) the absent component's lifetime means nothing.
    peak_counts: (pixels,) noise-free counts in the brightest gate, without background.
    background_counts: (pixels,) expected background in every gate.
    irf_fwhm_ns, irf_tail_ratio, irf_shift_ns: (pixels,); the shift is relative to the preset's IRF
        position (or to the measured IRF's own).
    """

    preset: Preset
    counts: Counts
    sfd: Floats
    tau1_ns: Reals
    tau2_ns: Reals
    amplitude_fraction: Reals
    photon_fraction: Reals
    tau_m_ns: Reals
    tau_i_ns: Reals
    peak_counts: Reals
    background_counts: Reals
    irf_fwhm_ns: Reals
    irf_tail_ratio: Reals
    irf_shift_ns: Reals

    def __len__(self) -> int:
        return int(self.counts.shape[0])

    def of_pixels(self, chosen: npt.NDArray[np.intp] | slice) -> Decays:
        """Some of the pixels."""
        arrays = {f.name: getattr(self, f.name)[chosen] for f in fields(self) if f.name != "preset"}
        return Decays(self.preset, **arrays)


@dataclass(frozen=True)
class _Prior:
    """One draw of every parameter, (pixels,) each."""

    tau1_ns: Reals
    tau2_ns: Reals
    amplitude_fraction: Reals
    peak_counts: Reals
    background_counts: Reals
    irf_fwhm_ns: Reals
    irf_stretch: Reals
    irf_tail_ratio: Reals
    irf_shift_ns: Reals

    @classmethod
    def draw(cls, preset: Preset, pixels: int, rng: np.random.Generator) -> _Prior:
        first = rng.uniform(*preset.tau1_range_ns, pixels)
        second = rng.uniform(*preset.tau2_range_ns, pixels)
        fraction = rng.uniform(0.0, 1.0, pixels)
        mono = rng.uniform(0.0, 1.0, pixels) < preset.mono_fraction
        fraction = np.where(mono, np.round(fraction), fraction)
        peak = rng.uniform(*preset.peak_range, pixels)
        stretch = rng.uniform(1 - preset.irf_width_jitter, 1 + preset.irf_width_jitter, pixels)
        return cls(
            tau1_ns=np.minimum(first, second),
            tau2_ns=np.maximum(first, second),
            amplitude_fraction=fraction,
            peak_counts=peak,
            background_counts=peak * rng.uniform(*preset.background_fraction_range, pixels),
            irf_fwhm_ns=rng.uniform(*preset.irf_fwhm_range_ns, pixels) * stretch,
            irf_stretch=stretch,
            irf_tail_ratio=rng.uniform(*preset.irf_tail_ratio_range, pixels),
            irf_shift_ns=rng.uniform(-1.0, 1.0, pixels) * preset.irf_shift_gates * preset.gate_step_ns,
        )

    def within(
        self, split: IrfSplit, preset: Preset, measured_fwhm_ns: float | None, rng: np.random.Generator
    ) -> _Prior:
        """The same with the IRFs that do not belong to ``split`` drawn anew until they do."""
        fwhm, stretch, shift = self.irf_fwhm_ns.copy(), self.irf_stretch.copy(), self.irf_shift_ns.copy()
        for _ in range(MOST_REDRAWS):
            width = fwhm if measured_fwhm_ns is None else stretch * measured_fwhm_ns
            wrong = np.flatnonzero(~split.holds(width, shift))
            if not wrong.size:
                return replace(self, irf_fwhm_ns=fwhm, irf_stretch=stretch, irf_shift_ns=shift)
            again = self.draw(preset, wrong.size, rng)
            fwhm[wrong], stretch[wrong], shift[wrong] = (
                again.irf_fwhm_ns,
                again.irf_stretch,
                again.irf_shift_ns,
            )
        raise ValueError(
            f"the IRFs of {preset.name} hardly vary, so none of them belong to {split.name.lower()}; widen "
            "irf_fwhm_range_ns or irf_shift_gates, or leave the split out"
        )


def expected_shape(
    grid: GateGrid, irf: Irf, tau1_ns: Reals, tau2_ns: Reals, amplitude_fraction: Reals
) -> Reals:
    """Noise-free counts of a decay of unit amplitude without background: (pixels, gates)."""
    fraction = amplitude_fraction[:, None]
    return fraction * gate_response(grid, irf, tau1_ns) + (1 - fraction) * gate_response(grid, irf, tau2_ns)


def simulate(
    preset: Preset,
    pixels: int,
    seed: int | Sequence[int],
    irf: IrfHistogram | None = None,
    split: IrfSplit | None = None,
) -> Decays:
    """Draw ``pixels`` decays from the prior of a preset; the same arguments give the same decays.

    seed: an integer or several; see ``numpy.random.SeedSequence``. A large set is drawn in parts with
        seeds (run, part): a decay with its truth takes about 2 kB. Change single
        quantities with ``dataclasses.replace(preset, ...)``.
    irf: a measured IRF in place of the preset's Gaussian; shifted and stretched by the same jitter.
    split: only IRFs that belong there, see ``physics.irf_split``; None for all. Raises ValueError if the
        preset's IRFs vary too little to have some.

    The noise-free peak is scaled to a uniform draw from ``peak_range``, the background added, and
    Poisson noise drawn once. Medians of the prior, the baseline without any data, are
    ``finn_flirnn.physics.prior.prior_median``.
    """
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    rng = np.random.default_rng(seed)
    prior = _Prior.draw(preset, pixels, rng)
    if split is not None:
        prior = prior.within(split, preset, None if irf is None else irf.fwhm_ns, rng)
    grid = preset.grid
    noisy_camera = preset.read_noise_counts > 0
    shape_of_all = (pixels, grid.count)
    counts: Counts = np.empty(shape_of_all, np.float32) if noisy_camera else np.empty(shape_of_all, np.uint16)
    sfd = np.empty((pixels, grid.count, len(CHANNELS)), np.float32)
    for first in range(0, pixels, CHUNK):
        part = slice(first, min(first + CHUNK, pixels))
        taus = prior.tau1_ns[part], prior.tau2_ns[part], prior.amplitude_fraction[part]
        shape = expected_shape(grid, _pixel_irf(preset, prior, part, irf), *taus)
        scale = prior.peak_counts[part] / shape.max(axis=1)
        counts[part] = rng.poisson(shape * scale[:, None] + prior.background_counts[part, None])
        if noisy_camera:
            counts[part] += rng.normal(0.0, preset.read_noise_counts, shape.shape).astype(np.float32)
            np.maximum(counts[part], 0, out=counts[part])
        sfd[part] = sample_decays(grid.starts_ns, *taus)
    short = prior.amplitude_fraction * prior.tau1_ns
    tau_m = short + (1 - prior.amplitude_fraction) * prior.tau2_ns
    fwhm = prior.irf_fwhm_ns if irf is None else prior.irf_stretch * irf.fwhm_ns
    return Decays(
        preset=preset,
        counts=counts,
        sfd=sfd,
        tau1_ns=prior.tau1_ns,
        tau2_ns=prior.tau2_ns,
        amplitude_fraction=prior.amplitude_fraction,
        photon_fraction=short / tau_m,
        tau_m_ns=tau_m,
        tau_i_ns=(short * prior.tau1_ns + (tau_m - short) * prior.tau2_ns) / tau_m,
        peak_counts=prior.peak_counts,
        background_counts=prior.background_counts,
        irf_fwhm_ns=fwhm,
        irf_tail_ratio=prior.irf_tail_ratio if irf is None else np.zeros(pixels),
        irf_shift_ns=prior.irf_shift_ns,
    )


def _pixel_irf(preset: Preset, prior: _Prior, part: slice, measured: IrfHistogram | None) -> Irf:
    if measured is None:
        return EmgIrf(
            preset.irf_position_ns + prior.irf_shift_ns[part],
            prior.irf_fwhm_ns[part],
            prior.irf_tail_ratio[part],
        )
    return MeasuredIrf(measured, prior.irf_shift_ns[part], prior.irf_stretch[part])
