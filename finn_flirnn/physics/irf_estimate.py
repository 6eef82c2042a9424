# SPDX-License-Identifier: BSD-3-Clause
"""The instrument response of an image that came without one, from its summed decay.

Every pixel of one image shares laser, detector and electronics, so the sum of bright pixels determines
width and position of the IRF together with a few lifetimes. It is an estimate: a lifetime far below the
width of the IRF, or scattered light, is taken for IRF.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, nnls

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import FWHM_PER_SIGMA, MAX_SIGMA_PER_LIFETIME, MAX_TAIL_RATIO, EmgIrf
from finn_flirnn.physics.preprocess import check_counts
from finn_flirnn.physics.response import gate_response

FEWEST_PHOTONS = 10_000
START_FWHM_NS = (0.1, 0.3)
FWHM_BOUNDS_NS = (0.02, 1.5)


@dataclass(frozen=True)
class IrfEstimate:
    """irf: the estimate. lifetimes_ns, amplitudes (counts per ns), background_counts: what was fitted along.

    reduced_chi2: Pearson chi square per degree of freedom; far above 1 where photons are so many that
    the simple model's misfit shows. expected_counts: (gates,) the fitted decay.
    """

    irf: EmgIrf
    lifetimes_ns: Reals
    amplitudes: Reals
    background_counts: float
    reduced_chi2: float
    expected_counts: Reals


def estimate_irf(
    counts: npt.NDArray[Any],
    grid: GateGrid,
    used_gates: npt.NDArray[np.bool_] | None = None,
    components: int = 2,
    tail: bool = False,
) -> IrfEstimate:
    """Fit position and FWHM of a Gaussian IRF, or with ``tail`` of an EMG, to one summed decay.

    counts: (gates,) sum over bright pixels, at least 10,000 photons. used_gates: (gates,) false for
    dead bins. components: lifetimes that are fitted along, 1 to 4.
    Raises ValueError for too few photons or gates.
    """
    check_counts(counts[None])
    used = np.ones(grid.count, np.bool_) if used_gates is None else used_gates
    if counts.shape != (grid.count,) or used.shape != (grid.count,):
        raise ValueError(f"counts {counts.shape} must be one decay of the grid's {grid.count} gates")
    if not 1 <= components <= 4:
        raise ValueError(f"components must be 1 to 4, got {components}")
    decay = counts.astype(np.float64)
    if decay[used].sum() < FEWEST_PHOTONS:
        raise ValueError(
            f"estimating an IRF needs at least {FEWEST_PHOTONS} photons, got {decay[used].sum():.0f}; "
            "sum more pixels"
        )
    fit = _SharedFit(decay[used], grid, used, components, tail)
    solutions = [fit.solve(fwhm) for fwhm in START_FWHM_NS]
    best = min(solutions, key=lambda solution: solution[0])
    return fit.estimate(best[1])


@dataclass(frozen=True)
class _SharedFit:
    """Least squares over position, log FWHM, log lifetimes and the tail ratio; the rest is linear."""

    counts: Reals
    grid: GateGrid
    used: npt.NDArray[np.bool_]
    components: int
    tail: bool

    def solve(self, start_fwhm_ns: float) -> tuple[float, Reals]:
        """Sum of squares and parameters from one starting width."""
        times = self.grid.starts_ns[self.used] + self.grid.width_ns / 2
        rise = times[np.argmax(np.diff(self.counts))]
        after = times >= rise
        signal = np.maximum(self.counts[after] - self.counts.min(), 0)
        mean = float(np.clip((times[after] - rise) @ signal / signal.sum(), 0.2, self.grid.window_ns / 2))
        lifetimes = (
            np.log(mean * np.geomspace(0.3, 1.7, self.components)) if self.components > 1 else [np.log(mean)]
        )
        shortest = np.log(FWHM_BOUNDS_NS[1] / FWHM_PER_SIGMA / MAX_SIGMA_PER_LIFETIME)
        fwhm_bounds = np.log(FWHM_BOUNDS_NS)
        start = np.concatenate([[rise, np.log(start_fwhm_ns)], lifetimes, [0.5] * self.tail])
        low = np.concatenate([[rise - 1.5, fwhm_bounds[0]], [shortest] * self.components, [0.05] * self.tail])
        longest = np.log(4 * self.grid.laser_period_ns)
        high = np.concatenate(
            [[rise + 1.5, fwhm_bounds[1]], [longest] * self.components, [MAX_TAIL_RATIO] * self.tail]
        )
        found = least_squares(
            lambda p: self._linear(p)[1], start, bounds=(low, high), x_scale=np.maximum(np.abs(start), 0.1)
        )
        return float(found.cost), np.asarray(found.x)

    def estimate(self, parameters: Reals) -> IrfEstimate:
        """The estimate at the optimum, components sorted by lifetime."""
        irf, lifetimes = self._split(parameters)
        linear, residual = self._linear(parameters)
        order = np.argsort(lifetimes)
        columns = np.vstack([gate_response(self.grid, irf, lifetimes), np.ones(self.grid.count)])
        freedom = max(1, residual.size - parameters.size - linear.size)
        return IrfEstimate(
            irf=irf,
            lifetimes_ns=lifetimes[order],
            amplitudes=linear[:-1][order],
            background_counts=float(linear[-1]),
            reduced_chi2=float(residual @ residual / freedom),
            expected_counts=linear @ columns,
        )

    def _split(self, parameters: Reals) -> tuple[EmgIrf, Reals]:
        tail = float(parameters[-1]) if self.tail else 0.0
        irf = EmgIrf(float(parameters[0]), float(np.exp(parameters[1])), tail)
        return irf, np.exp(parameters[2 : 2 + self.components])

    def _linear(self, parameters: Reals) -> tuple[Reals, Reals]:
        """Amplitudes and background by non-negative least squares, and the weighted residual."""
        irf, lifetimes = self._split(parameters)
        columns = gate_response(self.grid, irf, lifetimes)[:, self.used]
        weight = 1 / np.sqrt(np.maximum(self.counts, 1.0))
        matrix = (np.vstack([columns, np.ones(self.counts.size)]) * weight).T
        solution, _ = nnls(matrix, self.counts * weight)
        return solution, np.asarray(matrix @ solution - self.counts * weight)
