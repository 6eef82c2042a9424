# SPDX-License-Identifier: BSD-3-Clause
"""What can be known of a decay at all: the posterior mean, the least mean square error of any method.

IRF, peak and background of each decay are taken as known, which no method in use knows better: an error below
this floor means that truth has leaked. The prior is a mixture, and so is the posterior:

    two components      adaptive importance sampling (``physics.posterior_draws``): rounds that draw around
                        the last one's best, then weights prior x likelihood / proposal
    one component       (a = 0 or 1) an integral over one lifetime, by the trapezium on a fine grid

The evidence of each part weighs it. ``effective_draws`` tells how rough the first is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import Decays, Floats
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.posterior_draws import Draws, draw_near, draw_prior, log_prior, log_single_priors
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.response import gate_response

DRAWS = 4_000
SEED = 3_141_592
LIFETIMES = 2_048
"""Of the table of responses; between neighbours they are linear to 1e-6."""
FIRST_DRAWS, ROUND_DRAWS, ROUNDS = 4_000, 1_000, 3
"""Before the last round: draws of the prior, then rounds of so many."""
WANTED, MOST_LAST_ROUNDS = 100, 5
"""Effective draws, for which the last round is done again, from the better draws that it gave."""


@dataclass(frozen=True)
class Posterior:
    """Posterior means: sfd (pixels, gates, 3), tau_m_ns and amplitude_fraction (pixels,).

    effective_draws: (pixels,) of two-component decays, 1 / sum of the squared weights; below some tens
    the means are rough.
    """

    sfd: Floats
    tau_m_ns: Reals
    amplitude_fraction: Reals
    effective_draws: Reals


def known_irf(preset: Preset) -> Preset:
    """The preset with one IRF for all pixels: the middle width, no shift, no jitter, no tail."""
    low, high = preset.irf_fwhm_range_ns
    middle = (low + high) / 2
    return replace(
        preset,
        irf_fwhm_range_ns=(middle, middle),
        irf_shift_gates=0.0,
        irf_width_jitter=0.0,
        irf_tail_ratio_range=(0.0, 0.0),
    )


def posterior_means(decays: Decays, draws: int = DRAWS, seed: int = SEED) -> Posterior:
    """Posterior means of decays whose preset has one IRF for all pixels (see ``known_irf``).

    draws: of the last round. Raises ValueError for other presets, or for camera noise, which is not Poisson.
    """
    preset = decays.preset
    if preset != known_irf(preset) or preset.read_noise_counts:
        raise ValueError(
            f"the decays of {preset.name} must have one IRF for all pixels and no read noise; simulate them "
            "with known_irf(preset)"
        )
    model = _Model.of(preset)
    first = draw_prior(preset, FIRST_DRAWS, np.random.default_rng(seed))
    sfd = np.empty(decays.sfd.shape, np.float32)
    tau_m, fraction, effective = np.empty((3, len(decays)))
    for pixel in range(len(decays)):
        rng = np.random.default_rng((seed, pixel))
        seen = _Pixel(
            decays.counts[pixel].astype(np.float32),
            float(decays.peak_counts[pixel]),
            max(float(decays.background_counts[pixel]), 1e-6),
        )
        two, log_two, effective[pixel] = model.two_components(seen, first, draws, rng)
        one, log_one = model.one_component(seen)
        parts = np.array([log_two, *log_one])
        shares = np.exp(parts - parts.max())
        sfd[pixel], tau_m[pixel], fraction[pixel] = (
            sum(share * mean[k] for share, mean in zip(shares / shares.sum(), (two, *one), strict=True))
            for k in range(3)
        )
    return Posterior(sfd, tau_m, fraction, effective)


_Means = tuple[Reals, float, float]
"""Sample decays (gates, 3), tau_m in ns, amplitude fraction."""


@dataclass(frozen=True)
class _Pixel:
    """What is measured or known of a pixel: counts (gates,), peak and background."""

    counts: Floats
    peak: float
    background: float


@dataclass(frozen=True)
class _Model:
    """A preset with its table: lifetimes (LIFETIMES,), responses and decays (LIFETIMES, gates) of each."""

    preset: Preset
    log_lifetimes: Reals
    responses: Floats
    decays: Reals

    @classmethod
    def of(cls, preset: Preset) -> _Model:
        low = min(preset.tau1_range_ns[0], preset.tau2_range_ns[0])
        high = max(preset.tau1_range_ns[1], preset.tau2_range_ns[1])
        lifetimes = np.geomspace(low, high, LIFETIMES)
        irf = EmgIrf(preset.irf_position_ns, preset.irf_fwhm_range_ns[0], 0.0)
        responses = gate_response(preset.grid, irf, lifetimes).astype(np.float32)
        return cls(preset, np.log(lifetimes), responses, np.exp(-preset.grid.starts_ns / lifetimes[:, None]))

    def two_components(
        self, pixel: _Pixel, first: Draws, draws: int, rng: np.random.Generator
    ) -> tuple[_Means, float, float]:
        """Posterior means, log evidence with the prior's share, effective draws."""
        found, log_weights = first, self._log_weights(pixel, first)
        for _ in range(ROUNDS):
            found = draw_near(found, _tempered(log_weights), self.preset, ROUND_DRAWS, rng)
            log_weights = self._log_weights(pixel, found)
        for _ in range(MOST_LAST_ROUNDS):
            found = draw_near(found, _tempered(log_weights), self.preset, draws, rng)
            log_weights = self._log_weights(pixel, found)
            if _effective(log_weights) >= WANTED:
                break
        greatest = log_weights.max()
        weights = np.exp(log_weights - greatest)
        evidence = float(np.log(weights.sum() / found.proposed) + greatest)
        weights /= weights.sum()
        short, long = weights * found.fraction, weights * (1 - found.fraction)
        times = -self.preset.grid.starts_ns
        decays = short @ np.exp(times / found.tau1_ns[:, None]), long @ np.exp(times / found.tau2_ns[:, None])
        means = (
            np.stack([decays[0] + decays[1], *decays], axis=1),
            float(short @ found.tau1_ns + long @ found.tau2_ns),
            float(short.sum()),
        )
        share = np.log(max(1 - self.preset.mono_fraction, 1e-300))
        return means, evidence + float(share), _effective(log_weights)

    def one_component(self, pixel: _Pixel) -> tuple[list[_Means], list[float]]:
        """Posterior means and log evidences of a = 1, whose lifetime is the shorter draw, and of a = 0."""
        lifetimes = np.exp(self.log_lifetimes)
        likelihood = self._log_likelihood(pixel, self.responses.copy())
        greatest = likelihood.max()
        step = self.log_lifetimes[1] - self.log_lifetimes[0]
        # the trapezium in the logarithm of the lifetime
        widths = lifetimes * step
        widths[[0, -1]] *= 0.5
        means: list[_Means] = []
        evidences = []
        for fraction, density in zip((1.0, 0.0), log_single_priors(self.preset, lifetimes), strict=True):
            weights = np.exp(likelihood - greatest + density) * widths
            total = weights.sum()
            with np.errstate(divide="ignore"):
                share = np.log(total) + np.log(0.5 * self.preset.mono_fraction)
            evidences.append(float(greatest + share))
            weights = weights / total if total > 0 else weights
            decay = weights @ self.decays
            channels = np.stack([decay, fraction * decay, (1 - fraction) * decay], axis=1)
            means.append((channels, float(weights @ lifetimes), fraction))
        return means, evidences

    def _log_weights(self, pixel: _Pixel, found: Draws) -> Reals:
        """Prior x likelihood / proposal of draws, logarithm."""
        fraction = found.fraction.astype(np.float32)[:, None]
        shapes = fraction * self._response(found.tau1_ns) + (1 - fraction) * self._response(found.tau2_ns)
        prior = log_prior(self.preset, found.tau1_ns, found.tau2_ns)
        return self._log_likelihood(pixel, shapes) + prior - found.log_density

    def _response(self, lifetimes_ns: Reals) -> Floats:
        """(draws,) -> (draws, gates), linear between the table's neighbours."""
        place = np.interp(np.log(lifetimes_ns), self.log_lifetimes, np.arange(LIFETIMES))
        below = np.minimum(place.astype(np.int64), LIFETIMES - 2)
        part = (place - below).astype(np.float32)[:, None]
        return np.asarray(self.responses[below] * (1 - part) + self.responses[below + 1] * part)

    def _log_likelihood(self, pixel: _Pixel, shapes: Floats) -> Reals:
        """Poisson, of the shapes (draws, gates) at the pixel's peak, but for a constant; overwrites them."""
        shapes *= np.float32(pixel.peak) / shapes.max(axis=1, keepdims=True)
        shapes += np.float32(pixel.background)
        total = shapes.sum(axis=1, dtype=np.float64)
        # relative to about what was counted, so that single precision does
        shapes /= pixel.counts + 1
        np.log(shapes, out=shapes)
        return np.asarray((shapes @ pixel.counts).astype(np.float64) - total)


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
