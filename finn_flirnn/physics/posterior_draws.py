# SPDX-License-Identifier: BSD-3-Clause
"""Draws of two lifetimes and a fraction from where a posterior is, with the density that they come from.

Few draws of the prior hit the posterior of a bright decay. So each round draws anew around the best of the
last one: from Student-t kernels about a resample of it, as wide as their surroundings, in two systems of
coordinates, and for a tenth from the prior, which keeps all weights bounded:

    moments     log tau_m, s / tau_m, a      tau_m = a tau1 + (1 - a) tau2, s = sqrt(a (1 - a)) (tau2 - tau1)
    lifetimes   log tau1, log tau2, a

A decay tells its mean lifetime and, less well, the spread s, so in moments the curved ridge of equally good
fits is nearly straight; where one component all but vanishes, it is straight in lifetimes.
Source: population Monte Carlo with mixture kernels (Cappé, Douc, Guillin, Marin, Robert 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.presets import Preset, Range

KERNELS = 48
FREEDOM = 5
"""Degrees of freedom of the kernels: tails heavier than any posterior's."""
WIDTH, SURROUNDINGS = 0.8, 0.7
"""Of a kernel: in standard deviations of its surroundings; these in those of the whole."""
SHARES = (0.5, 0.4)
"""Of all draws, from the kernels in moments and in lifetimes; the rest is the prior's."""


@dataclass(frozen=True)
class Draws:
    """tau1_ns <= tau2_ns, fraction: (draws,). log_density: of that proposal, per ns^2 and unit of fraction.

    proposed: how many were drawn, those included that fell outside the prior and were dropped.
    """

    tau1_ns: Reals
    tau2_ns: Reals
    fraction: Reals
    log_density: Reals
    proposed: int


def draw_prior(preset: Preset, draws: int, rng: np.random.Generator) -> Draws:
    """Two-component decays of a preset's prior."""
    first = rng.uniform(*preset.tau1_range_ns, draws)
    second = rng.uniform(*preset.tau2_range_ns, draws)
    tau1, tau2 = np.minimum(first, second), np.maximum(first, second)
    return Draws(tau1, tau2, rng.uniform(0.0, 1.0, draws), log_prior(preset, tau1, tau2), draws)


def log_prior(preset: Preset, tau1_ns: Reals, tau2_ns: Reals) -> Reals:
    """Log density of sorted lifetimes; it is uniform in the fraction. -inf outside."""
    ranges = preset.tau1_range_ns, preset.tau2_range_ns
    density = _uniform(ranges[0], tau1_ns) * _uniform(ranges[1], tau2_ns)
    density += _uniform(ranges[0], tau2_ns) * _uniform(ranges[1], tau1_ns)
    return _log(density)


def log_single_priors(preset: Preset, lifetimes_ns: Reals) -> tuple[Reals, Reals]:
    """Log densities of the shorter and of the longer of the two lifetimes, (draws,) each; -inf outside."""
    ranges = preset.tau1_range_ns, preset.tau2_range_ns
    own = [_uniform(bounds, lifetimes_ns) for bounds in ranges]
    below = [np.clip((lifetimes_ns - low) / (high - low), 0.0, 1.0) for low, high in ranges]
    shorter = own[0] * (1 - below[1]) + own[1] * (1 - below[0])
    longer = own[0] * below[1] + own[1] * below[0]
    return _log(shorter), _log(longer)


def draw_near(last: Draws, weights: Reals, preset: Preset, draws: int, rng: np.random.Generator) -> Draws:
    """Draws around the weighted ones of the last round; weights: (draws of it,), their sum is 1."""
    places = (np.arange(KERNELS) + rng.random()) / KERNELS
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1)
    mixtures, found = [], []
    for system, share in zip((MOMENTS, LIFETIMES), SHARES, strict=True):
        x = system.to(last.tau1_ns, last.tau2_ns, last.fraction)
        mixture = _Mixture.around(x, weights, chosen)
        mixtures.append((system, share, mixture))
        found.append(np.stack(system.back(mixture.draw(round(share * draws), rng))))
    rest = draw_prior(preset, draws - sum(f.shape[1] for f in found), rng)
    found.append(np.stack([rest.tau1_ns, rest.tau2_ns, rest.fraction]))
    tau1, tau2, fraction = np.concatenate(found, axis=1)
    inside = (0 < fraction) & (fraction < 1) & (0 < tau1) & (tau1 <= tau2)
    tau1, tau2, fraction = tau1[inside], tau2[inside], fraction[inside]
    of_prior = log_prior(preset, tau1, tau2)
    inside = np.isfinite(of_prior)
    tau1, tau2, fraction, of_prior = tau1[inside], tau2[inside], fraction[inside], of_prior[inside]
    density = (1 - sum(SHARES)) * np.exp(of_prior)
    for system, share, mixture in mixtures:
        x = system.to(tau1, tau2, fraction)
        density += share * mixture.density(x) * system.stretch(tau1, tau2, fraction)
    return Draws(tau1, tau2, fraction, np.log(density), draws)


@dataclass(frozen=True)
class _System:
    """Coordinates (draws, 3) of two lifetimes and a fraction; stretch: their volume per ns^2 and fraction."""

    to: Callable[[Reals, Reals, Reals], Reals]
    back: Callable[[Reals], tuple[Reals, Reals, Reals]]
    stretch: Callable[[Reals, Reals, Reals], Reals]


def _to_moments(tau1: Reals, tau2: Reals, fraction: Reals) -> Reals:
    mean = fraction * tau1 + (1 - fraction) * tau2
    return np.stack(
        [np.log(mean), np.sqrt(fraction * (1 - fraction)) * (tau2 - tau1) / mean, fraction], axis=1
    )


def _from_moments(x: Reals) -> tuple[Reals, Reals, Reals]:
    mean, fraction = np.exp(x[:, 0]), x[:, 2]
    apart = x[:, 1] * mean / np.sqrt(np.maximum(fraction * (1 - fraction), 1e-12))
    return mean - (1 - fraction) * apart, mean + fraction * apart, fraction


def _stretch_of_moments(tau1: Reals, tau2: Reals, fraction: Reals) -> Reals:
    mean = fraction * tau1 + (1 - fraction) * tau2
    return np.asarray(np.sqrt(fraction * (1 - fraction)) / mean**2)


MOMENTS = _System(_to_moments, _from_moments, _stretch_of_moments)
LIFETIMES = _System(
    lambda tau1, tau2, fraction: np.stack([np.log(tau1), np.log(tau2), fraction], axis=1),
    lambda x: (np.exp(x[:, 0]), np.exp(x[:, 1]), x[:, 2]),
    lambda tau1, tau2, fraction: 1 / (tau1 * tau2),
)


@dataclass(frozen=True)
class _Mixture:
    """Kernels of equal share: centres (kernels, 3), Cholesky factors of their scales (kernels, 3, 3)."""

    centres: Reals
    factors: Reals

    @classmethod
    def around(cls, x: Reals, weights: Reals, chosen: Reals) -> _Mixture:
        """About x[chosen], each as wide as the weighted (draws, 3) near it."""
        mean = weights @ x
        whole = (x - mean).T @ ((x - mean) * weights[:, None]) + 1e-9 * np.eye(3)
        kept = np.flatnonzero(weights > 1e-6 * weights.max())
        white = np.linalg.cholesky(np.linalg.inv(whole))
        apart = ((x[chosen] @ white)[:, None] - (x[kept] @ white)[None]) ** 2
        near = np.exp(-0.5 * apart.sum(axis=2) / SURROUNDINGS**2) * weights[kept]
        near /= near.sum(axis=1, keepdims=True)
        difference = x[kept][None] - (near @ x[kept])[:, None]
        scales = np.matmul((difference * near[:, :, None]).transpose(0, 2, 1), difference) + 1e-4 * whole
        return cls(x[chosen], np.linalg.cholesky(WIDTH**2 * scales))

    def draw(self, draws: int, rng: np.random.Generator) -> Reals:
        """(draws, 3)."""
        kernel = rng.integers(0, len(self.centres), draws)
        radius = np.sqrt(rng.chisquare(FREEDOM, draws) / FREEDOM)
        steps = rng.normal(size=(draws, 3)) / radius[:, None]
        return np.asarray(self.centres[kernel] + np.einsum("nij,nj->ni", self.factors[kernel], steps))

    def density(self, x: Reals) -> Reals:
        """(draws, 3) -> (draws,)."""
        inverse = np.linalg.inv(self.factors)
        steps = np.matmul(inverse, x.T[None]) - np.matmul(inverse, self.centres[:, :, None])
        squares = (steps * steps).sum(axis=1)
        constant = math.lgamma((FREEDOM + 3) / 2) - math.lgamma(FREEDOM / 2)
        constant -= 1.5 * math.log(FREEDOM * math.pi)
        volume = np.prod(np.einsum("kii->ki", self.factors), axis=1)
        kernels = (1 + squares / FREEDOM) ** (-(FREEDOM + 3) / 2) / volume[:, None]
        return np.asarray(math.exp(constant) * kernels.mean(axis=0))


def _uniform(bounds: Range, values: Reals) -> Reals:
    inside = (values >= bounds[0]) & (values <= bounds[1])
    return np.asarray(inside / (bounds[1] - bounds[0]))


def _log(density: Reals) -> Reals:
    return np.log(density, out=np.full(density.shape, -np.inf), where=density > 0)
