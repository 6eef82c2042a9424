# SPDX-License-Identifier: BSD-3-Clause
"""Draws from where a posterior is, with the density that they come from: adaptive importance sampling.

Few draws of the prior hit the posterior of a bright decay. So each round draws anew around the best of the
last one: from Student-t kernels about a resample of it, as wide as their surroundings, in one or more systems
of coordinates in which the posterior's ridges are nearly straight, and for a tenth from the prior, which
keeps all weights bounded. ``physics.unknowns`` has the priors and coordinates.
Source: population Monte Carlo with mixture kernels (Cappé, Douc, Guillin, Marin, Robert 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals

KERNELS = 48
FREEDOM = 5
"""Degrees of freedom of the kernels: tails heavier than any posterior's."""
WIDTH, SURROUNDINGS = 0.8, 0.7
"""Of a kernel: in standard deviations of its surroundings; these in those of the whole, for d = 3."""
FLOOR = 1e-3
"""The least scale of a kernel, as a share of the whole's."""
WANTED, MOST_LAST_ROUNDS = 100, 5
"""Effective draws, for which the last round is done again, from the better draws that it gave."""


@dataclass(frozen=True)
class System:
    """Coordinates (draws, d) of unknowns (draws, d).

    stretch: their volume per unit of the unknowns', (draws, d) -> (draws,). share: of all draws, those from
    kernels in these coordinates.
    """

    to: Callable[[Reals], Reals]
    back: Callable[[Reals], Reals]
    stretch: Callable[[Reals], Reals]
    share: float


@dataclass(frozen=True)
class Unknowns:
    """What is not known. draw: (number, rng) -> (number, d) of the prior. log_prior: (draws, d) -> (draws,).

    The shares of ``systems`` leave a rest, which is the prior's own.
    """

    draw: Callable[[int, np.random.Generator], Reals]
    log_prior: Callable[[Reals], Reals]
    systems: tuple[System, ...]


@dataclass(frozen=True)
class Effort:
    """Draws of the prior at first, then rounds of so many, then ``last`` in each last round.

    search: in place of ``WIDTH`` after a round of fewer effective draws than ``WANTED``. Its tempered weights
    lean to where it drew, and with many unknowns narrow kernels would stay there, off the posterior.
    """

    first: int
    each: int
    rounds: int
    last: int
    search: float = WIDTH


@dataclass(frozen=True)
class Posterior:
    """Weighted draws: values (draws, d), weights (draws,) of sum 1, log evidence, effective draws.

    effective: 1 / sum of the squared weights; below some tens, means are rough.
    """

    values: Reals
    weights: Reals
    log_evidence: float
    effective: float


def sample(
    unknowns: Unknowns, log_likelihood: Callable[[Reals], Reals], effort: Effort, rng: np.random.Generator
) -> Posterior:
    """The posterior of unknowns whose likelihood is given: (draws, d) -> (draws,), but for a constant."""
    values = unknowns.draw(effort.first, rng)
    # draws of the prior itself: prior over density is 1
    log_weights, proposed = log_likelihood(values), effort.first
    for number in range(effort.rounds + MOST_LAST_ROUNDS):
        proposed = effort.each if number < effort.rounds else effort.last
        width = WIDTH if _effective(log_weights) >= WANTED else effort.search
        values, log_ratio = _draw_near(values, _tempered(log_weights), unknowns, width, proposed, rng)
        log_weights = log_likelihood(values) + log_ratio
        if number >= effort.rounds and _effective(log_weights) >= WANTED:
            break
    greatest = log_weights.max()
    weights = np.exp(log_weights - greatest)
    # what fell outside the prior and was dropped had weight 0
    evidence = float(np.log(weights.sum() / proposed) + greatest)
    return Posterior(values, weights / weights.sum(), evidence, _effective(log_weights))


def _draw_near(
    last: Reals, weights: Reals, unknowns: Unknowns, width: float, draws: int, rng: np.random.Generator
) -> tuple[Reals, Reals]:
    """Draws (d columns) around the weighted ones of the last round, and their log prior / proposal."""
    places = (np.arange(KERNELS) + rng.random()) / KERNELS
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    mixtures = [_Mixture.around(system.to(last), weights, chosen, width) for system in unknowns.systems]
    found = [
        system.back(mixture.draw(round(system.share * draws), rng))
        for system, mixture in zip(unknowns.systems, mixtures, strict=True)
    ]
    found.append(unknowns.draw(draws - sum(map(len, found)), rng))
    values = np.concatenate(found)
    log_prior = unknowns.log_prior(values)
    inside = np.isfinite(log_prior)
    values, log_prior = values[inside], log_prior[inside]
    density = (1 - sum(system.share for system in unknowns.systems)) * np.exp(log_prior)
    for system, mixture in zip(unknowns.systems, mixtures, strict=True):
        density += system.share * mixture.density(system.to(values)) * system.stretch(values)
    return values, log_prior - np.log(density)


@dataclass(frozen=True)
class _Mixture:
    """Kernels of equal share: centres (kernels, d), Cholesky factors of their scales (kernels, d, d)."""

    centres: Reals
    factors: Reals

    @classmethod
    def around(cls, x: Reals, weights: Reals, chosen: Reals, width: float) -> _Mixture:
        """About x[chosen], each ``width`` times as wide as the weighted (draws, d) near it."""
        dimensions = x.shape[1]
        mean = weights @ x
        whole = (x - mean).T @ ((x - mean) * weights[:, None])
        whole += np.diag(1e-9 * np.diag(whole) + 1e-15)
        kept = np.flatnonzero(weights > 1e-6 * weights.max())
        white = np.linalg.cholesky(np.linalg.inv(whole))
        here, there = (x[chosen] - mean) @ white, (x[kept] - mean) @ white
        apart = (here**2).sum(axis=1)[:, None] + (there**2).sum(axis=1) - 2 * here @ there.T
        # squared distances grow with the dimensions, and so do the surroundings
        reach = SURROUNDINGS**2 * dimensions / 3
        near = np.exp(-0.5 * apart / reach) * weights[kept]
        near /= near.sum(axis=1, keepdims=True)
        difference = x[kept].T[None] - (near @ x[kept])[:, :, None]
        scales = np.matmul(difference * near[:, None], difference.transpose(0, 2, 1)) + FLOOR * whole
        return cls(x[chosen], np.linalg.cholesky(width**2 * scales))

    def draw(self, draws: int, rng: np.random.Generator) -> Reals:
        """(draws, d)."""
        kernel = rng.integers(0, len(self.centres), draws)
        radius = np.sqrt(rng.chisquare(FREEDOM, draws) / FREEDOM)
        steps = rng.normal(size=(draws, self.centres.shape[1])) / radius[:, None]
        return np.asarray(self.centres[kernel] + np.einsum("nij,nj->ni", self.factors[kernel], steps))

    def density(self, x: Reals) -> Reals:
        """(draws, d) -> (draws,)."""
        dimensions = x.shape[1]
        inverse = np.linalg.inv(self.factors)
        steps = np.matmul(inverse, x.T[None]) - np.matmul(inverse, self.centres[:, :, None])
        squares = (steps * steps).sum(axis=1)
        constant = math.lgamma((FREEDOM + dimensions) / 2) - math.lgamma(FREEDOM / 2)
        constant -= dimensions / 2 * math.log(FREEDOM * math.pi)
        volume = np.prod(np.einsum("kii->ki", self.factors), axis=1)
        kernels = (1 + squares / FREEDOM) ** (-(FREEDOM + dimensions) / 2) / volume[:, None]
        return np.asarray(math.exp(constant) * kernels.mean(axis=0))


def _effective(log_weights: Reals, power: float = 1.0) -> float:
    weights = np.exp(power * (log_weights - log_weights.max()))
    return float(weights.sum() ** 2 / np.square(weights).sum())


def _tempered(log_weights: Reals) -> Reals:
    """Weights, sum 1, to a power of at most 1 that leaves ``WANTED`` effective draws."""
    low, high = 0.0, 1.0
    if _effective(log_weights) < WANTED:
        for _ in range(20):
            middle = 0.5 * (low + high)
            if _effective(log_weights, middle) >= WANTED:
                low = middle
            else:
                high = middle
        high = low
    weights = np.exp(high * (log_weights - log_weights.max()))
    return np.asarray(weights / weights.sum())
