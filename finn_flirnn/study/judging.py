# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the decay study, and its references: prior, classical fit, Bayes floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.bayes import (
    BestEstimates,
    best_estimates,
    estimates_from_counts_alone,
    known_irf,
)
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.fresh_test import (
    STREAM,
    Method,
    Prediction,
    by_condition,
    by_peak,
    fit_irf_method,
    fit_method,
    fit_shift_method,
    fresh_errors,
    peak_ranges,
)
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import MeanLifetimes
from finn_flirnn.physics.pixel_errors import PixelErrors
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median
from finn_flirnn.study.workload import Column, Result

COLUMNS = (
    Column("rmse_full", "RMSE full", 5),
    Column("rmse_short", "short", 4),
    Column("rmse_long", "long", 4),
    Column("r2_full", "R² full", 4),
    Column("r2_short", "short", 3),
    Column("r2_long", "long", 3),
    Column("l2_full", "L2 full", 3),
    Column("l2_short", "short", 3),
    Column("l2_long", "long", 3),
    Column("tau_m_mae_ns", "τm MAE ns", 4, in_groups=True),
    Column("tau1_mae_ns", "τ1", 3),
    Column("tau2_mae_ns", "τ2", 3),
    Column("fraction_mae", "a MAE", 3, in_groups=True),
)
PEAKS, CONDITIONS = "by peak counts", "under other conditions"
"""Headings of tables, see ``Result.groups``."""


def judged(
    method: Method,
    preset: Preset,
    choices: dict[str, Any],
    pixels: int,
    shifted: bool = True,
    each_peak: int = 0,
    **more: Any,
) -> Result:
    """The result of a method on ``pixels`` fresh decays; more: the other fields of ``Result``.

    shifted: also measure it under other conditions. each_peak: decays drawn for each group of peak counts; 0:
    the groups are those of the ``pixels``.
    """
    seed = choices["seed"]
    errors = fresh_errors(method, preset, pixels, (seed, 0))
    groups = {PEAKS: by_peak(method, preset, each_peak, seed) if each_peak else errors.by_peak()}
    if shifted and choices["shifted"]:
        groups[CONDITIONS] = by_condition(method, preset, choices["shifted"], seed)
    return Result(errors.figures(), groups=groups, **more)


def prior(preset: Preset, choices: dict[str, Any]) -> Result:
    """The mean decay of the prior, and the medians of its lifetimes."""

    def method(decays: Decays) -> Prediction:
        sfd = np.broadcast_to(prior_mean_sfd(preset), decays.sfd.shape)
        return sfd, prior_median(preset, len(decays))

    return judged(method, preset, choices, choices["test"], note="has seen no data")


def _fit(method: Method, knows: str) -> Callable[[Preset, dict[str, Any]], Result]:
    """The reference of a fit. knows: of the IRF, for the note."""

    def reference(preset: Preset, choices: dict[str, Any]) -> Result:
        note = f"{choices['fit']:,} decays; {knows}; knows the laser"
        return judged(method, preset, choices, choices["fit"], each_peak=choices["each_peak"], note=note)

    return reference


def bayes(preset: Preset, choices: dict[str, Any]) -> Result:
    """The Bayes floor, on decays of one known IRF."""
    return _floor(
        best_estimates, known_irf(preset), None, choices["bayes"], choices, "IRF, peak and background"
    )


def bayes_counts_alone(preset: Preset, choices: dict[str, Any]) -> Result:
    """The Bayes floor of a method that is given the counts alone, on the decays of a test."""
    pixels = choices["bayes_counts_alone"]
    known = "the counts and what the preset says of all decays"
    return _floor(estimates_from_counts_alone, preset, IrfSplit.TEST, pixels, choices, known)


def _floor(
    estimates: Callable[[Decays, int], BestEstimates],
    preset: Preset,
    split: IrfSplit | None,
    pixels: int,
    choices: dict[str, Any],
    known: str,
) -> Result:
    """Errors of the best estimates; each group of peak counts has decays of its own."""

    def errors_of(conditions: Preset, number: int, of: int) -> tuple[PixelErrors, Reals]:
        decays = simulate(conditions, of, (choices["seed"], 0, STREAM, number), split=split)
        found = estimates(replace(decays, preset=preset), choices["draws"])  # no method is told the group
        lifetimes = MeanLifetimes(found.tau_m_ns, found.amplitude_fraction)
        return PixelErrors.of(found.sfd, decays, lifetimes), found.effective_draws

    errors, effective = errors_of(preset, 0, pixels)
    groups = {}
    for number, peak_range in enumerate(peak_ranges(preset)):
        few, _ = errors_of(replace(preset, peak_range=peak_range), 1 + number, -(-pixels // 4))
        groups |= few.by_peak()
    note = (
        f"{pixels:,} decays, and a quarter as many for each group of peak counts; knows {known}; median of "
        f"{np.median(effective):,.0f} effective draws a pixel, fewer than 100 in "
        f"{(effective < 100).mean():.1%} of them"
    )
    return Result(errors.figures(), groups={PEAKS: groups}, note=note)


@dataclass(frozen=True)
class Reference:
    """What stands beside the models. uses: the settings that it needs beside the preset."""

    label: str
    uses: tuple[str, ...]
    result: Callable[[Preset, dict[str, Any]], Result]


FIT_USES = ("fit", "shifted", "each_peak")
REFERENCES = {
    "prior": Reference("prior, no data", ("test", "shifted"), prior),
    "fit": Reference(
        "maximum-likelihood fit, IRF known", FIT_USES, _fit(fit_method, "is told each pixel's IRF")
    ),
    "fit_irf": Reference(
        "maximum-likelihood fit, IRF fitted too",
        FIT_USES,
        _fit(fit_irf_method, "fits the IRF's width and shift, so it is told as much as a model"),
    ),
    "fit_shift": Reference(
        "maximum-likelihood fit, nominal IRF, shift fitted",
        FIT_USES,
        _fit(fit_shift_method, "fits the shift of an IRF of middle width"),
    ),
    "bayes": Reference("Bayes floor", ("bayes", "draws"), bayes),
    "bayes_counts_alone": Reference(
        "Bayes floor, counts alone", ("bayes_counts_alone", "draws"), bayes_counts_alone
    ),
}
PUBLISHED = {
    "published teacher, their data": {
        "rmse_full": 0.01391,
        "rmse_short": 0.06700,
        "rmse_long": 0.02677,
        "r2_full": 0.99205,
        "r2_short": 0.8037,
        "r2_long": 0.9796,
    },
    "published student, 8 bit, distilled, their data": {
        "rmse_full": 0.01624,
        "rmse_short": 0.06778,
        "rmse_long": 0.02825,
        "r2_full": 0.98899,
        "r2_short": 0.7991,
        "r2_long": 0.9770,
    },
}
"""Their own figures, on their own 160,000 decays of another prior: no comparison, only an orientation."""
