# SPDX-License-Identifier: BSD-3-Clause
"""Poisson maximum-likelihood reconvolution fit of many decays at once: the classical baseline.

Model of the counts in gate k of a pixel:

    m[k] = c1 G[k](tau1) + c2 G[k](tau2) + b

with G the gate integral of a decay of unit amplitude seen through the IRF (``HarmonicResponse``). The
IRF is never binned: convolving a binned IRF with gate-integrated exponentials shifts every decay by half
a gate, which lengthens all lifetimes of the fit or shortens them. If asked for, the IRF's shift in time is
one more parameter of every pixel, since few instruments hold it still and most fits in use free it.

The deviance 2 sum(m - y + y log(y / m)) is minimised over c1, c2, b >= 0 and bounded log(tau) and shift
by Levenberg-damped Fisher scoring, from the best of a coarse grid of shifts and pairs of lifetimes.
Pixels that have converged leave the iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import Irf
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.preprocess import check_counts
from finn_flirnn.physics.response import HarmonicResponse

CHUNK = 256
SMALLEST_RATE = 1e-6
SERIES_TOLERANCE = 1e-5  # of a decay's amplitude; a hundredth of a count at a peak of 1000
GRID_LIFETIMES = 7


@dataclass(frozen=True)
class FitOptions:
    """components: 1 or 2. lifetime_bounds_ns: (low, high). max_iterations per pixel.

    tolerance: a pixel has converged when a step promises to lower its deviance by less than this (the
    deviance's own standard deviation is about sqrt(2 * gates)).
    shift_bounds_ns: (low, high) of a shift of the IRF that is fitted, positive is later; None: the IRF is
    where it is said to be.
    """

    components: int = 2
    lifetime_bounds_ns: tuple[float, float] = (0.02, 10.0)
    max_iterations: int = 40
    tolerance: float = 1e-3
    shift_bounds_ns: tuple[float, float] | None = None

    @property
    def parameters(self) -> int:
        """Of a pixel: amplitudes, background, lifetimes, and the shift if it is fitted."""
        return 2 * self.components + 1 + (self.shift_bounds_ns is not None)

    def __post_init__(self) -> None:
        if self.components not in (1, 2):
            raise ValueError(f"components must be 1 or 2, got {self.components}")
        low, high = self.lifetime_bounds_ns
        if not 0 < low < high < np.inf:
            raise ValueError(f"lifetime_bounds_ns must be 0 < low < high, got {self.lifetime_bounds_ns}")
        if (
            self.shift_bounds_ns is not None
            and not -np.inf < self.shift_bounds_ns[0] < self.shift_bounds_ns[1] < np.inf
        ):
            raise ValueError(
                f"shift_bounds_ns must be finite with low < high, got {self.shift_bounds_ns}; give None to "
                "leave the IRF where it is"
            )
        if self.max_iterations < 1 or not self.tolerance > 0:
            raise ValueError(
                f"max_iterations={self.max_iterations} and tolerance={self.tolerance} must be positive"
            )


@dataclass(frozen=True)
class FitResult:
    """What the fit found, (pixels,) each unless stated.

    lifetimes: tau1 <= tau2, fractions and means; valid is false where a pixel holds no photon.
    amplitude: c1 + c2 in counts per ns. background_counts: per gate. shift_ns: of the IRF, 0 where it is not
    fitted. deviance: 2 log-likelihood ratio
    against the saturated model; about the number of gates for a good fit of bright pixels.
    expected_counts: (pixels, gates) the fitted model. iterations; converged.
    """

    lifetimes: Lifetimes
    amplitude: Reals
    background_counts: Reals
    shift_ns: Reals
    deviance: Reals
    expected_counts: Reals
    iterations: npt.NDArray[np.int64]
    converged: npt.NDArray[np.bool_]


def fit_decays(
    counts: npt.NDArray[Any],
    grid: GateGrid,
    irf: Irf,
    options: FitOptions | None = None,
    used_gates: npt.NDArray[np.bool_] | None = None,
) -> FitResult:
    """Fit one or two exponentials and a background to every pixel.

    counts: (pixels, gates) raw counts. irf: one for all pixels, or with parameters (pixels,).
    used_gates: (gates,) false for gates that hold no data (dead bins); default all.
    Of a mono-exponential fit tau1 = tau2 and the amplitude fraction is 1.

    Raises ValueError if counts and grid do not fit, or for NaN or negative counts.
    """
    check_counts(counts)
    options = FitOptions() if options is None else options
    used = np.ones(grid.count, np.bool_) if used_gates is None else np.asarray(used_gates, np.bool_)
    if counts.shape[1] != grid.count or used.shape != (grid.count,):
        raise ValueError(
            f"counts {counts.shape} and used_gates {used.shape} must have the grid's {grid.count} gates; "
            "give the grid of these decays"
        )
    if np.count_nonzero(used) <= options.parameters:
        raise ValueError(f"a fit needs more used gates than parameters, got {np.count_nonzero(used)}")
    if not len(counts):
        raise ValueError("counts must hold at least one pixel, got none; check the mask")
    response = HarmonicResponse.of(grid, irf, SERIES_TOLERANCE)
    if response.spectrum.shape[0] not in (1, len(counts)):
        raise ValueError(
            f"there must be one IRF, or an IRF for each of the {len(counts)} pixels, got "
            f"{response.spectrum.shape[0]}; give the IRFs of these pixels"
        )
    parts = []
    for first in range(0, len(counts), CHUNK):
        chosen = np.arange(first, min(first + CHUNK, len(counts)))
        parts.append(_fit_chunk(counts[chosen].astype(np.float64), response.pixels(chosen), options, used))
    return _result(parts, response, options)


@dataclass(frozen=True)
class _Solved:
    """Parameters (pixels, ``FitOptions.parameters``): amplitudes, background, log lifetimes, shift."""

    parameters: Reals
    photons: Reals
    deviance: Reals
    expected: Reals
    iterations: npt.NDArray[np.int64]
    converged: npt.NDArray[np.bool_]


def _columns(response: HarmonicResponse, nonlinear: Reals, options: FitOptions) -> Reals:
    """What the model and its derivatives are sums of: (pixels, parameters, gates).

    Decays of unit amplitude, background, slopes of these decays by the logarithm of the lifetime; and the
    IRF, if its shift is fitted. nonlinear: (pixels, components or one more), log lifetimes and shift.
    """
    n = options.components
    columns = np.empty((len(nonlinear), options.parameters, response.grid.count))
    columns[:, n] = 1.0
    if options.shift_bounds_ns is not None:
        response = response.shifted(nonlinear[:, n])
        columns[:, -1] = response.irf()
    for c in range(n):
        columns[:, c], columns[:, n + 1 + c] = response.response_and_slope(np.exp(nonlinear[:, c]))
    return columns


def _shares(parameters: Reals, options: FitOptions) -> Reals:
    """Shares of the columns in the model's derivatives by the parameters: (pixels, parameters, columns).

    That by the shift follows from the decay's own equation: d response / d shift = response / tau - IRF.
    """
    n = options.components
    amplitudes, log_lifetimes = parameters[:, :n], parameters[:, n + 1 : 2 * n + 1]
    shares = np.zeros((len(parameters), options.parameters, options.parameters))
    diagonal = np.einsum("pii->pi", shares)
    diagonal[:, : n + 1] = 1.0
    diagonal[:, n + 1 : 2 * n + 1] = amplitudes
    if options.shift_bounds_ns is not None:
        shares[:, -1, :n] = amplitudes * np.exp(-log_lifetimes)
        shares[:, -1, -1] = -amplitudes.sum(axis=1)
    return shares


def _expected(columns: Reals, linear: Reals) -> Reals:
    """Expected counts (pixels, gates) for amplitudes and background ``linear`` (pixels, components + 1)."""
    counts = np.matmul(linear[:, None, :], columns[:, : linear.shape[1]])[:, 0]
    return np.asarray(np.maximum(counts, SMALLEST_RATE))


def _deviance(counts: Reals, expected: Reals, used: npt.NDArray[np.bool_]) -> Reals:
    """Poisson deviance over the used gates, (pixels,)."""
    ratio = np.log(np.maximum(counts, SMALLEST_RATE) / expected)
    terms = expected - counts + np.where(counts > 0, counts * ratio, 0.0)
    return np.asarray(2 * (terms @ used.astype(np.float64)))


def _fit_chunk(
    counts: Reals, response: HarmonicResponse, options: FitOptions, used: npt.NDArray[np.bool_]
) -> _Solved:
    n = options.components
    linear = n + 1
    shift = [] if options.shift_bounds_ns is None else [options.shift_bounds_ns]
    bounds = [(0.0, np.inf)] * linear + [tuple(np.log(options.lifetime_bounds_ns))] * n + shift
    low, high = np.array(bounds).T
    # Lifetimes move by at most a factor e at a time, the IRF by a gate: a linear model says nothing beyond.
    longest = np.array([np.inf] * linear + [1.0] * n + [response.grid.step_ns] * len(shift))
    parameters = np.clip(_start(counts, response, options, used), low, high)
    columns = _columns(response, parameters[:, linear:], options)
    expected = _expected(columns, parameters[:, :linear])
    deviance = _deviance(counts, expected, used)
    damping = np.full(len(counts), 1e-3)
    iterations = np.zeros(len(counts), np.int64)
    photons = counts @ used
    active = np.flatnonzero(photons > 0)
    converged = photons <= 0
    for _ in range(options.max_iterations):
        if not active.size:
            break
        y, m, here = counts[active], expected[active], parameters[active]
        weight = used / m
        held = here <= low, here >= high
        step, promised = _step(y - m, weight, columns[active], _shares(here, options), held, damping[active])
        trial = np.clip(here + np.clip(step, -longest, longest), low, high)
        trial_columns = _columns(response.pixels(active), trial[:, linear:], options)
        # The valley of equal fits is curved in amplitude and lifetime; amplitudes that are solved anew
        # for the new lifetimes follow it.
        solved = _solve_linear(y, weight, trial_columns[:, :linear])
        trial[:, :linear] = np.where(solved.min(axis=1, keepdims=True) >= 0, solved, trial[:, :linear])
        trial_expected = _expected(trial_columns, trial[:, :linear])
        trial_deviance = _deviance(y, trial_expected, used)
        better = trial_deviance <= deviance[active]
        iterations[active] += 1
        accepted = active[better]
        parameters[accepted] = trial[better]
        columns[accepted] = trial_columns[better]
        expected[accepted] = trial_expected[better]
        deviance[accepted] = trial_deviance[better]
        damping[active] = np.where(better, np.maximum(damping[active] * 0.1, 1e-9), damping[active] * 10)
        done = (promised < options.tolerance) | (damping[active] > 1e9)
        converged[active[done]] = True
        active = active[~done]
    return _Solved(parameters, photons, deviance, expected, iterations, converged)


def _step(
    residual: Reals,
    weight: Reals,
    columns: Reals,
    shares: Reals,
    at_bounds: tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]],
    damping: Reals,
) -> tuple[Reals, Reals]:
    """Damped Fisher step (pixels, parameters) and the fall of the deviance that it promises (pixels,).

    at_bounds: which parameters lie at their lower and upper bound.
    """
    weighted = columns * weight[:, None, :]
    gradient = np.matmul(shares, np.matmul(weighted, residual[:, :, None]))[:, :, 0]
    gram = np.matmul(weighted, columns.transpose(0, 2, 1))
    fisher = np.matmul(np.matmul(shares, gram), shares.transpose(0, 2, 1))
    # A parameter that is held at its bound by the gradient does not move.
    held = at_bounds[0] & (gradient < 0) | at_bounds[1] & (gradient > 0)
    gradient = np.where(held, 0.0, gradient)
    fisher = np.where(held[:, :, None] | held[:, None, :], 0.0, fisher)
    diagonal = np.einsum("pii->pi", fisher)
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    unit = fisher / (scale[:, :, None] * scale[:, None, :])
    np.einsum("pii->pi", unit)[:] = 1 + damping[:, None]
    step = np.linalg.solve(unit, (gradient / scale)[:, :, None])[:, :, 0]
    promised = np.einsum("pi,pi->p", step, gradient / scale)
    return step / scale, promised


def _solve_linear(counts: Reals, weight: Reals, columns: Reals) -> Reals:
    """Weighted least squares of the counts on the columns (pixels, terms, gates): (pixels, terms)."""
    weighted = columns * weight[:, None, :]
    gram = np.matmul(weighted, columns.transpose(0, 2, 1))
    moment = np.matmul(weighted, counts[:, :, None])
    ridge = 1e-12 * np.einsum("pii->pi", gram)[:, :, None] * np.eye(columns.shape[1])
    return np.asarray(np.linalg.solve(gram + ridge, moment)[:, :, 0])


def _start(
    counts: Reals, response: HarmonicResponse, options: FitOptions, used: npt.NDArray[np.bool_]
) -> Reals:
    """Best of a coarse grid of shifts and lifetimes by weighted least squares: (pixels, parameters)."""
    if options.shift_bounds_ns is None:
        parameters = _start_at(counts, response, options, used)[1]
    else:
        low, high = options.shift_bounds_ns
        best = np.full(len(counts), np.inf)
        parameters = np.zeros((len(counts), options.parameters))
        for shift in np.linspace(low, high, 1 + int(np.ceil((high - low) / (0.5 * response.grid.step_ns)))):
            left, found = _start_at(counts, response.shifted(np.array([shift])), options, used)
            found = np.append(found, np.full((len(counts), 1), shift), axis=1)
            parameters = np.where((left < best)[:, None], found, parameters)
            best = np.minimum(left, best)
    # An amplitude or background of exactly zero has no slope to leave it by; start a little inside.
    floor = 1e-3 * (counts @ used / np.count_nonzero(used))[:, None]
    linear = options.components + 1
    parameters[:, :linear] = np.maximum(parameters[:, :linear], floor)
    return parameters


def _start_at(
    counts: Reals, response: HarmonicResponse, options: FitOptions, used: npt.NDArray[np.bool_]
) -> tuple[Reals, Reals]:
    """Best of a coarse grid of lifetimes: the squares that it leaves, but for a constant; parameters."""
    low, high = options.lifetime_bounds_ns
    window = min(response.grid.window_ns, response.grid.laser_period_ns)
    lifetimes = np.geomspace(max(low, response.grid.step_ns), min(high, window / 2), GRID_LIFETIMES)
    pixels, gates = counts.shape
    each = [response.response(np.full(response.spectrum.shape[0], tau)) for tau in lifetimes]
    basis = np.ones((pixels, GRID_LIFETIMES + 1, gates))
    basis[:, :GRID_LIFETIMES] = np.stack(each, axis=1)
    weighted = basis * (used / np.maximum(counts, 1.0))[:, None, :]
    gram = np.matmul(weighted, basis.transpose(0, 2, 1))
    moment = np.matmul(weighted, counts[:, :, None])[:, :, 0]
    best = np.full(pixels, np.inf)
    parameters = np.zeros((pixels, 2 * options.components + 1))
    for choice in combinations(range(GRID_LIFETIMES), options.components):
        columns = np.array([*choice, GRID_LIFETIMES])
        small = gram[:, columns[:, None], columns]
        right = moment[:, columns]
        ridge = 1e-9 * np.einsum("pii->pi", small)[:, :, None] * np.eye(len(columns))
        solution = np.maximum(np.linalg.solve(small + ridge, right[:, :, None])[:, :, 0], 0.0)
        left = np.einsum("pi,pij,pj->p", solution, small, solution) - 2 * np.einsum(
            "pi,pi->p", solution, right
        )
        better = left < best
        best = np.where(better, left, best)
        logs = np.broadcast_to(np.log(lifetimes[list(choice)]), (pixels, len(choice)))
        parameters = np.where(better[:, None], np.concatenate([solution, logs], axis=1), parameters)
    return best, parameters


def _result(parts: list[_Solved], response: HarmonicResponse, options: FitOptions) -> FitResult:
    parameters = np.concatenate([part.parameters for part in parts])
    n = options.components
    amplitudes = parameters[:, :n]
    lifetimes = np.exp(parameters[:, n + 1 : 2 * n + 1])
    order = np.argsort(lifetimes, axis=1)
    amplitudes = np.take_along_axis(amplitudes, order, axis=1)
    lifetimes = np.take_along_axis(lifetimes, order, axis=1)
    total = amplitudes.sum(axis=1)
    valid = (np.concatenate([part.photons for part in parts]) > 0) & (total > 0)
    fraction = amplitudes[:, 0] / np.where(valid, total, 1.0)
    return FitResult(
        lifetimes=Lifetimes.from_components(lifetimes[:, 0], lifetimes[:, -1], fraction, valid),
        amplitude=total,
        background_counts=parameters[:, n],
        shift_ns=parameters[:, 2 * n + 1 :].sum(axis=1),
        deviance=np.concatenate([part.deviance for part in parts]),
        expected_counts=np.concatenate([part.expected for part in parts]),
        iterations=np.concatenate([part.iterations for part in parts]),
        converged=np.concatenate([part.converged for part in parts]),
    )
