# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the decay study, and its references: prior, classical fit, Bayes floor."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.physics.bayes import known_irf, posterior_means
from finn_flirnn.physics.decays import CHANNELS, Decays, sample_decays, simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.lifetimes import Lifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import lifetime_errors, peak_groups, pooled_r2, rmse
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
    Column("tau_m_mae_ns", "τm MAE ns", 4),
    Column("tau1_mae_ns", "τ1", 3),
    Column("tau2_mae_ns", "τ2", 3),
    Column("fraction_mae", "a MAE", 3),
)
TEST_STREAM = 9_001
"""Part of the seed of test decays; those of training and validation have 0 and 1 in its place."""


def judge(sfd: npt.NDArray[Any], decays: Decays, lifetimes: Lifetimes | None = None) -> dict[str, float]:
    """Figures of predicted sample decays (pixels, gates, 3); lifetimes: None to read them off.

    l2_*: mean over pixels of the Euclidean norm of a decay's error. R2 is pooled over all decays.
    """
    found = lifetimes or lifetimes_from_sfd(sfd, decays.preset.gate_step_ns)
    errors = lifetime_errors(found, decays)
    norms = np.sqrt(np.square(sfd.astype(np.float64) - decays.sfd).sum(axis=1)).mean(axis=0)
    figures = {
        "tau_m_mae_ns": errors.tau_m_ns,
        "tau1_mae_ns": errors.tau1_ns,
        "tau2_mae_ns": errors.tau2_ns,
        "fraction_mae": errors.amplitude_fraction,
    }
    for name, values in (("rmse", rmse(sfd, decays.sfd)), ("r2", pooled_r2(sfd, decays.sfd)), ("l2", norms)):
        figures |= {f"{name}_{channel}": float(values[c]) for c, channel in enumerate(CHANNELS)}
    return {name: round(value, 6) for name, value in figures.items() if np.isfinite(value)}


def by_peak(sfd: npt.NDArray[Any], decays: Decays, tau_m_ns: npt.NDArray[Any]) -> dict[str, dict[str, float]]:
    """rmse_full and tau_m_mae_ns of each group of peak counts that has decays."""
    groups = {}
    for (low, high), chosen in peak_groups(decays.peak_counts):
        if len(chosen):
            error = np.abs(tau_m_ns[chosen] - decays.tau_m_ns[chosen]).mean()
            groups[f"{low:.0f} to {high:.0f}"] = {
                "rmse_full": round(float(rmse(sfd[chosen], decays.sfd[chosen])[0]), 6),
                "tau_m_mae_ns": round(float(error), 6),
            }
    return groups


def fresh_decays(preset: Preset, choices: dict[str, Any], pixels: int | None = None) -> Decays:
    """Decays that no training has seen."""
    return simulate(preset, pixels or choices["test"], (choices["seed"], TEST_STREAM))


def judged(sfd: npt.NDArray[Any], decays: Decays, lifetimes: Lifetimes | None = None, **more: Any) -> Result:
    """The result of predicted sample decays; more: the other fields of ``Result``."""
    found = lifetimes or lifetimes_from_sfd(sfd, decays.preset.gate_step_ns)
    return Result(judge(sfd, decays, found), groups=by_peak(sfd, decays, found.tau_m_ns), **more)


def prior(preset: Preset, choices: dict[str, Any]) -> Result:
    """The mean decay of the prior, and the medians of its lifetimes."""
    decays = fresh_decays(preset, choices)
    sfd = np.broadcast_to(prior_mean_sfd(preset), decays.sfd.shape)
    return judged(sfd, decays, prior_median(preset, len(decays)), note="has seen no data")


def fit(preset: Preset, choices: dict[str, Any]) -> Result:
    """The maximum-likelihood fit, which knows each pixel's IRF and the range of lifetimes."""
    decays = fresh_decays(preset, choices, choices["fit"])
    irf = EmgIrf(preset.irf_position_ns + decays.irf_shift_ns, decays.irf_fwhm_ns, decays.irf_tail_ratio)
    bounds = preset.tau1_range_ns[0], preset.tau2_range_ns[1]
    found = fit_decays(decays.counts, preset.grid, irf, FitOptions(lifetime_bounds_ns=bounds)).lifetimes
    sfd = sample_decays(preset.grid.starts_ns, found.tau1_ns, found.tau2_ns, found.amplitude_fraction)
    return judged(sfd, decays, found, note=f"{len(decays):,} decays; knows each pixel's IRF")


def bayes(preset: Preset, choices: dict[str, Any]) -> Result:
    """The Bayes floor, on decays of one known IRF."""
    decays = fresh_decays(known_irf(preset), choices, choices["bayes"])
    found = posterior_means(decays, choices["draws"])
    metrics = judge(found.sfd, decays)
    for name in ("tau1_mae_ns", "tau2_mae_ns"):
        metrics.pop(name, None)
    metrics["tau_m_mae_ns"] = round(float(np.abs(found.tau_m_ns - decays.tau_m_ns).mean()), 6)
    error = np.abs(found.amplitude_fraction - decays.amplitude_fraction).mean()
    metrics["fraction_mae"] = round(float(error), 6)
    rough = float((found.effective_draws < 10).mean())
    note = (
        f"{len(decays):,} decays, {choices['draws']:,} draws; knows IRF, peak and background; "
        f"{rough:.0%} of the pixels have fewer than 10 effective draws, which makes the floor too high"
    )
    return Result(metrics, groups=by_peak(found.sfd, decays, found.tau_m_ns), note=note)


REFERENCES = {"prior": prior, "fit": fit, "bayes": bayes}
LABELS = {"prior": "prior, no data", "fit": "maximum-likelihood fit", "bayes": "Bayes floor"}
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
