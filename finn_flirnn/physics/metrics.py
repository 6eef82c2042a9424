# SPDX-License-Identifier: BSD-3-Clause
"""Errors of predicted sample decays and lifetimes, overall and by peak counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.lifetimes import Lifetimes

if TYPE_CHECKING:  # what travels to the board simulates no decays
    from finn_flirnn.physics.decays import Decays

PEAK_BINS = (50.0, 100.0, 300.0, 1000.0, 2000.0)
SMALLEST_AMPLITUDE = 0.1
IDENTIFIABLE_FRACTION = 0.1


def rmse(predicted: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Reals:
    """Root mean square error per channel over all pixels and gates: (pixels, gates, 3) -> (3,)."""
    _check_pair(predicted, truth)
    difference = predicted.astype(np.float64) - truth
    return np.asarray(np.sqrt(np.mean(difference * difference, axis=(0, 1))))


def mean_r2(predicted: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Reals:
    """Mean over pixels of R2 of each decay about its own mean, per channel: (pixels, gates, 3) -> (3,).

    R2 of a channel that is nearly zero means nothing, so pixels whose true channel starts below 0.1
    are left out of that channel; NaN if none is left. Even so a few decays with little in a channel
    rule the mean of short and long (see ``pooled_r2``). The prior's mean decay alone reaches about 0.7.
    """
    _check_pair(predicted, truth)
    wanted = truth.astype(np.float64)
    residual = np.sum((predicted - wanted) ** 2, axis=1)
    total = np.sum((wanted - wanted.mean(axis=1, keepdims=True)) ** 2, axis=1)
    counted = (wanted[:, 0, :] >= SMALLEST_AMPLITUDE) & (total > 0)
    r2 = 1 - np.divide(residual, total, out=np.zeros_like(total), where=counted)
    return np.array([r2[counted[:, c], c].mean() if counted[:, c].any() else np.nan for c in range(3)])


def pooled_r2(predicted: npt.NDArray[Any], truth: npt.NDArray[Any]) -> Reals:
    """R2 of all pixels and gates together, per channel: (pixels, gates, 3) -> (3,).

    1 - sum of squared errors / sum of squares about each channel's overall mean. Unlike ``mean_r2`` a few
    decays with a nearly empty channel do not rule it. In the published tables 1 - R2 is proportional to
    the squared RMSE within 2 % in every channel, as it is for this one. NaN for a constant channel.
    """
    _check_pair(predicted, truth)
    wanted = truth.astype(np.float64)
    residual = np.sum((predicted - wanted) ** 2, axis=(0, 1))
    total = np.sum((wanted - wanted.mean(axis=(0, 1))) ** 2, axis=(0, 1))
    return np.asarray(1 - np.divide(residual, total, out=np.full(3, np.nan), where=total > 0))


@dataclass(frozen=True)
class LifetimeErrors:
    """Mean absolute errors: of lifetimes in ns, of fractions without unit.

    tau1_ns and tau2_ns are taken over pixels in which that component holds at least a tenth of the
    amplitude (NaN if there is none); elsewhere it is hardly identifiable, or absent.
    """

    tau1_ns: float
    tau2_ns: float
    amplitude_fraction: float
    photon_fraction: float
    tau_m_ns: float
    tau_i_ns: float


def lifetime_errors(predicted: Lifetimes, truth: Lifetimes | Decays) -> LifetimeErrors:
    """Mean absolute errors of predicted lifetimes against the truth, over all pixels.

    Invalid pixels (no decay to read) count with their zeros: leaving them out would flatter.
    """
    if predicted.tau_m_ns.shape != truth.tau_m_ns.shape:
        raise ValueError(
            f"prediction and truth must hold the same pixels, got {predicted.tau_m_ns.shape} and "
            f"{truth.tau_m_ns.shape}; compare the same decays"
        )

    def mae(name: str, chosen: npt.NDArray[np.bool_] | None = None) -> float:
        error = np.abs(getattr(predicted, name) - getattr(truth, name))
        error = error if chosen is None else error[chosen]
        return float(error.mean()) if error.size else float("nan")

    fraction = truth.amplitude_fraction
    return LifetimeErrors(
        tau1_ns=mae("tau1_ns", fraction >= IDENTIFIABLE_FRACTION),
        tau2_ns=mae("tau2_ns", fraction <= 1 - IDENTIFIABLE_FRACTION),
        amplitude_fraction=mae("amplitude_fraction"),
        photon_fraction=mae("photon_fraction"),
        tau_m_ns=mae("tau_m_ns"),
        tau_i_ns=mae("tau_i_ns"),
    )


def peak_groups(
    peak_counts: Reals, edges: Sequence[float] = PEAK_BINS
) -> list[tuple[tuple[float, float], npt.NDArray[np.intp]]]:
    """Pixels grouped by peak counts: [((low, high), indices)] for neighbouring edges; the last is closed."""
    groups = []
    for low, high in pairwise(edges):
        below = peak_counts <= high if high == edges[-1] else peak_counts < high
        groups.append(((low, high), np.flatnonzero((peak_counts >= low) & below)))
    return groups


def _check_pair(predicted: npt.NDArray[Any], truth: npt.NDArray[Any]) -> None:
    if predicted.shape != truth.shape or truth.ndim != 3 or truth.shape[2] != 3 or not truth.shape[0]:
        raise ValueError(
            f"prediction and truth must both be (pixels, gates, 3) of the same decays, got "
            f"{predicted.shape} and {truth.shape}"
        )
