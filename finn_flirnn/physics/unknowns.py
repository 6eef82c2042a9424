# SPDX-License-Identifier: BSD-3-Clause
"""The unknowns of a decay: priors of a preset, and coordinates in which posteriors are easily drawn.

Two components have the columns tau1 <= tau2 (ns) and the amplitude fraction; one component has its lifetime.
Where the counts alone are known, three nuisances follow: shift and FWHM of the IRF (ns), and the background
of a gate as a fraction of the noise-free peak. Two systems of coordinates:

    moments     log tau_m, s / tau_m, a      tau_m = a tau1 + (1 - a) tau2, s = sqrt(a (1 - a)) (tau2 - tau1)
    lifetimes   log tau1, log tau2, a

A decay tells its mean lifetime and, less well, the spread s, so in moments the curved ridge of equally good
fits is nearly straight; where one component all but vanishes, it is straight in lifetimes.
"""

from __future__ import annotations

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.posterior_draws import System, Unknowns
from finn_flirnn.physics.presets import Preset, Range


def two_components(preset: Preset, counts_alone: bool) -> Unknowns:
    """Sorted lifetimes and their fraction; if no more than the counts is known, the nuisances too."""

    def draw(draws: int, rng: np.random.Generator) -> Reals:
        first = rng.uniform(*preset.tau1_range_ns, draws)
        second = rng.uniform(*preset.tau2_range_ns, draws)
        own = [np.minimum(first, second), np.maximum(first, second), rng.uniform(0.0, 1.0, draws)]
        return np.column_stack([*own, *(_draw_nuisances(preset, draws, rng) if counts_alone else [])])

    def log_prior(values: Reals) -> Reals:
        tau1, tau2, fraction = values[:, :3].T
        inside = (0 < fraction) & (fraction < 1) & (0 < tau1) & (tau1 <= tau2)
        ranges = preset.tau1_range_ns, preset.tau2_range_ns
        density = _uniform(ranges[0], tau1) * _uniform(ranges[1], tau2)
        density += _uniform(ranges[0], tau2) * _uniform(ranges[1], tau1)
        return _log(inside * density) + (_log_nuisance_prior(preset, values[:, 3:]) if counts_alone else 0.0)

    return Unknowns(draw, log_prior, (MOMENTS, LIFETIMES))


def one_component(preset: Preset, shorter: bool) -> Unknowns:
    """The lifetime that is left where the fraction is 1 (the shorter draw) or 0, and the nuisances."""

    def draw(draws: int, rng: np.random.Generator) -> Reals:
        both = rng.uniform(*preset.tau1_range_ns, draws), rng.uniform(*preset.tau2_range_ns, draws)
        lifetime = np.minimum(*both) if shorter else np.maximum(*both)
        return np.column_stack([lifetime, *_draw_nuisances(preset, draws, rng)])

    def log_prior(values: Reals) -> Reals:
        of_lifetime = log_single_priors(preset, values[:, 0])[0 if shorter else 1]
        return of_lifetime + _log_nuisance_prior(preset, values[:, 1:])

    return Unknowns(draw, log_prior, (LIFETIME,))


def log_single_priors(preset: Preset, lifetimes_ns: Reals) -> tuple[Reals, Reals]:
    """Log densities of the shorter and of the longer of the two lifetimes, (draws,) each; -inf outside."""
    ranges = preset.tau1_range_ns, preset.tau2_range_ns
    own = [_uniform(bounds, lifetimes_ns) for bounds in ranges]
    below = [np.clip((lifetimes_ns - low) / (high - low), 0.0, 1.0) for low, high in ranges]
    shorter = own[0] * (1 - below[1]) + own[1] * (1 - below[0])
    longer = own[0] * below[1] + own[1] * below[0]
    return _log(shorter), _log(longer)


def _draw_nuisances(preset: Preset, draws: int, rng: np.random.Generator) -> tuple[Reals, Reals, Reals]:
    """Shifts and FWHM in ns, background fractions, as ``physics.decays`` draws them."""
    jitter, farthest = preset.irf_width_jitter, preset.irf_shift_gates * preset.gate_step_ns
    stretch = rng.uniform(1 - jitter, 1 + jitter, draws)
    return (
        rng.uniform(-farthest, farthest, draws),
        rng.uniform(*preset.irf_fwhm_range_ns, draws) * stretch,
        rng.uniform(*preset.background_fraction_range, draws),
    )


def _log_nuisance_prior(preset: Preset, nuisances: Reals) -> Reals:
    """nuisances: (draws, 3). The FWHM is a uniform draw times 1 +- jitter, also uniform:

    its density at f is the integral of 1 / s over the s of which f / s lies in the range.
    """
    shift, fwhm, background = nuisances.T
    farthest = preset.irf_shift_gates * preset.gate_step_ns
    (narrow, wide), jitter = preset.irf_fwhm_range_ns, preset.irf_width_jitter
    positive = np.maximum(fwhm, 1e-12)
    least, greatest = np.maximum(1 - jitter, positive / wide), np.minimum(1 + jitter, positive / narrow)
    of_width = np.log(np.maximum(greatest / least, 1.0)) / ((wide - narrow) * 2 * jitter)
    of_shift = _uniform((-farthest, farthest), shift)
    return _log(of_shift * of_width * _uniform(preset.background_fraction_range, background))


def _to_moments(values: Reals) -> Reals:
    tau1, tau2, fraction = values[:, :3].T
    mean = fraction * tau1 + (1 - fraction) * tau2
    spread = np.sqrt(fraction * (1 - fraction)) * (tau2 - tau1) / mean
    return np.column_stack([np.log(mean), spread, values[:, 2:]])


def _from_moments(x: Reals) -> Reals:
    mean, fraction = np.exp(x[:, 0]), x[:, 2]
    apart = x[:, 1] * mean / np.sqrt(np.maximum(fraction * (1 - fraction), 1e-12))
    return np.column_stack([mean - (1 - fraction) * apart, mean + fraction * apart, x[:, 2:]])


def _stretch_of_moments(values: Reals) -> Reals:
    tau1, tau2, fraction = values[:, :3].T
    mean = fraction * tau1 + (1 - fraction) * tau2
    return np.asarray(np.sqrt(fraction * (1 - fraction)) / mean**2)


MOMENTS = System(_to_moments, _from_moments, _stretch_of_moments, share=0.5)
LIFETIMES = System(
    lambda values: np.column_stack([np.log(values[:, :2]), values[:, 2:]]),
    lambda x: np.column_stack([np.exp(x[:, :2]), x[:, 2:]]),
    lambda values: 1 / (values[:, 0] * values[:, 1]),
    share=0.4,
)
LIFETIME = System(
    lambda values: np.column_stack([np.log(values[:, 0]), values[:, 1:]]),
    lambda x: np.column_stack([np.exp(x[:, 0]), x[:, 1:]]),
    lambda values: 1 / values[:, 0],
    share=0.9,
)


def _uniform(bounds: Range, values: Reals) -> Reals:
    inside = (values >= bounds[0]) & (values <= bounds[1])
    return np.asarray(inside / (bounds[1] - bounds[0]))


def _log(density: Reals) -> Reals:
    return np.log(density, out=np.full(density.shape, -np.inf), where=density > 0)
