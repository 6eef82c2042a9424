# SPDX-License-Identifier: BSD-3-Clause
"""Judging a method on decays that no training of this project has seen: by seed and by IRF.

Decays are drawn, predicted and judged part by part, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy.typing as npt

from finn_flirnn.physics.conditions import CONDITIONS
from finn_flirnn.physics.decays import Decays, sample_decays, simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes
from finn_flirnn.physics.pixel_errors import PixelErrors
from finn_flirnn.physics.presets import Preset

STREAM = 9_001
"""Part of the seed of test decays; those of training and validation have 0 and 1 in its place."""
PART = 8_192
"""Decays that are held at a time; with truth and prediction about 60 MB."""
Prediction = tuple[npt.NDArray[Any], Lifetimes | MeanLifetimes | None]
"""See ``PixelErrors.of``: predictions, and lifetimes or None to read them off those."""
Method = Callable[[Decays], Prediction]


def fresh_errors(method: Method, preset: Preset, pixels: int, seed: Sequence[int]) -> PixelErrors:
    """Errors on ``pixels`` decays whose IRFs are kept for tests. Raises ValueError if there is no pixel."""
    if pixels < 1:
        raise ValueError(f"pixels must be at least 1, got {pixels}")
    parts = []
    for number, first in enumerate(range(0, pixels, PART)):
        decays = simulate(
            preset, min(PART, pixels - first), (*seed, STREAM, number), split=IrfSplit.TEST
        )
        sfd, lifetimes = method(decays)
        parts.append(PixelErrors.of(sfd, decays, lifetimes))
    return PixelErrors.joined(parts)


def by_condition(method: Method, preset: Preset, pixels: int, seed: int) -> dict[str, dict[str, float]]:
    """Figures under each of ``CONDITIONS``, by its name."""
    return {
        name: fresh_errors(method, changed(preset), pixels, (seed, number)).figures()
        for number, (name, changed) in enumerate(CONDITIONS.items())
    }


def fit_method(decays: Decays) -> Prediction:
    """The maximum-likelihood fit, which knows each pixel's IRF, the laser and the range of lifetimes."""
    preset = decays.preset
    irf = EmgIrf(preset.irf_position_ns + decays.irf_shift_ns, decays.irf_fwhm_ns, decays.irf_tail_ratio)
    bounds = preset.tau1_range_ns[0], preset.tau2_range_ns[1]
    found = fit_decays(decays.counts, preset.grid, irf, FitOptions(lifetime_bounds_ns=bounds)).lifetimes
    sfd = sample_decays(preset.grid.starts_ns, found.tau1_ns, found.tau2_ns, found.amplitude_fraction)
    return sfd, found
