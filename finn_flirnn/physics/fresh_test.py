# SPDX-License-Identifier: BSD-3-Clause
"""Judging a method on decays that no training of this project has seen: by seed and by IRF.

Decays are drawn, predicted and judged part by part, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.physics.conditions import CONDITIONS
from finn_flirnn.physics.decays import Decays, sample_decays, simulate
from finn_flirnn.physics.fit import FitOptions, FitResult, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes
from finn_flirnn.physics.metrics import PEAK_BINS
from finn_flirnn.physics.pixel_errors import PixelErrors
from finn_flirnn.physics.presets import Preset, Range

STREAM = 9_001
"""Part of the seed of test decays; those of training and validation have 0 and 1 in its place."""
PEAK_STREAM = 9_003
"""The same of decays of one group of peak counts."""
PART = 8_192
"""Decays that are held at a time; with truth and prediction about 60 MB."""
WIDTHS = 7
"""Widths of the IRF that ``fit_irf_method`` tries: steps of 18 ps in ``paper135``."""
Prediction = tuple[npt.NDArray[Any], Lifetimes | MeanLifetimes | None]
"""See ``PixelErrors.of``: predictions, and lifetimes or None to read them off those."""
Method = Callable[[Decays], Prediction]


def fresh_errors(method: Method, preset: Preset, pixels: int, seed: Sequence[int]) -> PixelErrors:
    """Errors on ``pixels`` decays whose IRFs are kept for tests. Raises ValueError if there is no pixel."""
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    parts = []
    for number, first in enumerate(range(0, pixels, PART)):
        decays = simulate(preset, min(PART, pixels - first), (*seed, STREAM, number), split=IrfSplit.TEST)
        sfd, lifetimes = method(decays)
        parts.append(PixelErrors.of(sfd, decays, lifetimes))
    return PixelErrors.joined(parts)


def by_peak(method: Method, preset: Preset, pixels: int, seed: int) -> dict[str, dict[str, float]]:
    """Figures of each group of peak counts within the preset's range, of ``pixels`` decays each.

    A uniform draw of peaks has few dim decays, too few for the error of a method with outliers.
    """
    groups: dict[str, dict[str, float]] = {}
    for number, peak_range in enumerate(peak_ranges(preset)):
        part = replace(preset, peak_range=peak_range)
        groups |= fresh_errors(method, part, pixels, (seed, PEAK_STREAM, number)).by_peak()
    return groups


def peak_ranges(preset: Preset) -> list[Range]:
    """The groups of peak counts that lie wholly within the preset's range."""
    low, high = preset.peak_range
    return [bounds for bounds in pairwise(PEAK_BINS) if low <= bounds[0] and bounds[1] <= high]


def by_condition(method: Method, preset: Preset, pixels: int, seed: int) -> dict[str, dict[str, float]]:
    """Figures under each of ``CONDITIONS``, by its name."""
    return {
        name: fresh_errors(method, changed(preset), pixels, (seed, number)).figures()
        for number, (name, changed) in enumerate(CONDITIONS.items())
    }


def fit_method(decays: Decays) -> Prediction:
    """The maximum-likelihood fit, which knows each pixel's IRF, the laser and the range of lifetimes."""
    position = decays.preset.irf_position_ns + decays.irf_shift_ns
    irf = EmgIrf(position, decays.irf_fwhm_ns, decays.irf_tail_ratio)
    return _with_sfd(decays.preset, _fit(decays, irf, None).lifetimes)


def fit_shift_method(decays: Decays) -> Prediction:
    """The fit as it is mostly used: one IRF of the preset's middle width for all, its shift fitted.

    It knows the laser, and the ranges of lifetimes and of the shift (of at least a gate to either side).
    """
    preset = decays.preset
    irf = EmgIrf(
        preset.irf_position_ns, *(sum(r) / 2 for r in (preset.irf_fwhm_range_ns, preset.irf_tail_ratio_range))
    )
    return _with_sfd(preset, _fit(decays, irf, _shift_bounds_ns(preset)).lifetimes)


def fit_irf_method(decays: Decays) -> Prediction:
    """The fit that is told what a model is told: of the IRF, the ranges of width and shift alone.

    Shift and width are fitted in every pixel, the width as the best of ``WIDTHS`` of the preset's range.
    """
    preset = decays.preset
    (narrow, wide), jitter = preset.irf_fwhm_range_ns, preset.irf_width_jitter
    tail = sum(preset.irf_tail_ratio_range) / 2
    widths = np.linspace(narrow * (1 - jitter), wide * (1 + jitter), WIDTHS)
    irfs = [EmgIrf(preset.irf_position_ns, width, tail) for width in widths]
    fits = [_fit(decays, irf, _shift_bounds_ns(preset)) for irf in irfs]
    best = np.argmin([fit.deviance for fit in fits], axis=0)
    chosen = {
        f.name: np.choose(best, [getattr(fit.lifetimes, f.name) for fit in fits]) for f in fields(Lifetimes)
    }
    return _with_sfd(preset, Lifetimes(**chosen))


def _shift_bounds_ns(preset: Preset) -> Range:
    farthest = max(preset.irf_shift_gates, 1.0) * preset.gate_step_ns
    return -farthest, farthest


def _fit(decays: Decays, irf: EmgIrf, shift_bounds_ns: Range | None) -> FitResult:
    preset = decays.preset
    lifetimes = preset.tau1_range_ns[0], preset.tau2_range_ns[1]
    options = FitOptions(lifetime_bounds_ns=lifetimes, shift_bounds_ns=shift_bounds_ns)
    return fit_decays(decays.counts, preset.grid, irf, options)


def _with_sfd(preset: Preset, found: Lifetimes) -> Prediction:
    times = preset.grid.starts_ns
    return sample_decays(times, found.tau1_ns, found.tau2_ns, found.amplitude_fraction), found
