# SPDX-License-Identifier: BSD-3-Clause
"""What can be known of a decay at all: the posterior mean, the least mean square error of any method.

Peak and background of each decay are taken as known, which no method in use knows better: an error below this
floor means that truth has leaked. The IRF is known too (``posterior_means``), or the prior alone tells of it
(``posterior_means_irf_unknown``): the floor of a method that is given nothing but the counts.
The prior is a mixture, and so is the posterior:

    two components      adaptive importance sampling (``physics.posterior_draws``)
    one component       (a = 0 or 1) with the IRF known an integral over one lifetime, by the trapezium on a
                        fine grid; else adaptive importance sampling again

The evidence of each part weighs it. ``effective_draws`` tells how rough the first is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import Decays, Floats
from finn_flirnn.physics.drawn_response import DrawnResponse
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.posterior_draws import Effort, sample
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.response import gate_response
from finn_flirnn.physics.unknowns import log_single_priors, one_component, two_components

DRAWS = 4_000
SEED = 3_141_592
LIFETIMES = 2_048
"""Of the table of responses; between neighbours they are linear to 1e-6."""
FIRST_DRAWS, ROUND_DRAWS = 4_000, 1_000
ROUNDS, ROUNDS_IRF_UNKNOWN = 3, 7
"""More unknowns take more rounds from the prior to a bright decay's posterior."""
SINGLE_SHARE = 4
"""One component has fewer unknowns and gets this part of the draws."""


@dataclass(frozen=True)
class PosteriorMeans:
    """sfd (pixels, gates, 3), tau_m_ns and amplitude_fraction (pixels,).

    effective_draws: (pixels,) of two-component decays, see ``physics.posterior_draws.Posterior``.
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


def posterior_means(decays: Decays, draws: int = DRAWS, seed: int = SEED) -> PosteriorMeans:
    """Posterior means of decays whose preset has one IRF for all pixels (see ``known_irf``).

    draws: of the last round. Raises ValueError for other presets, or for camera noise, which is not Poisson.
    """
    preset = decays.preset
    if preset != known_irf(preset) or preset.read_noise_counts:
        raise ValueError(
            f"the decays of {preset.name} must have one IRF for all pixels and no read noise; simulate them "
            "with known_irf(preset)"
        )
    model = _KnownIrf.of(preset)
    unknowns, effort = two_components(preset, irf_known=True), Effort(FIRST_DRAWS, ROUND_DRAWS, ROUNDS, draws)

    def parts(pixel: _Pixel, rng: np.random.Generator) -> tuple[list[_Part], float]:
        two = sample(unknowns, lambda v: pixel.log_likelihood(model.shapes(v)), effort, rng)
        part = _two(preset, two.values, two.weights, two.log_evidence)
        return [part, *model.one_component(pixel)], two.effective

    return _mixed(decays, parts, seed)


def posterior_means_irf_unknown(decays: Decays, draws: int = DRAWS, seed: int = SEED) -> PosteriorMeans:
    """Posterior means of decays of whose IRFs no more is known than what the preset draws them from.

    Raises ValueError for a preset whose IRFs have a tail or do not vary in shift, width and its jitter, or
    for camera noise, which is not Poisson.
    """
    preset = decays.preset
    varies = preset.irf_shift_gates > 0 and preset.irf_width_jitter > 0
    varies = varies and preset.irf_fwhm_range_ns[0] < preset.irf_fwhm_range_ns[1]
    if not varies or preset.irf_tail_ratio_range != (0.0, 0.0) or preset.read_noise_counts:
        raise ValueError(
            f"the IRFs of {preset.name} must vary in shift, width and jitter of the width and have no tail, "
            "and its counts no read noise; where the IRF does not vary, take posterior_means"
        )
    response = DrawnResponse.of(preset)
    unknowns = two_components(preset, irf_known=False)
    singles = [(fraction, one_component(preset, shorter=fraction == 1)) for fraction in (1.0, 0.0)]
    efforts = [
        Effort(FIRST_DRAWS, -(-ROUND_DRAWS // share), ROUNDS_IRF_UNKNOWN, -(-draws // share))
        for share in (1, SINGLE_SHARE)
    ]

    def irf(shift_and_fwhm: Reals) -> EmgIrf:
        return EmgIrf(preset.irf_position_ns + shift_and_fwhm[:, 0], shift_and_fwhm[:, 1])

    def two_shapes(v: Reals) -> Floats:
        return response.response(v[:, :2], np.column_stack([v[:, 2], 1 - v[:, 2]]), irf(v[:, 3:]))

    def one_shapes(v: Reals) -> Floats:
        return response.response(v[:, :1], np.ones((len(v), 1)), irf(v[:, 1:]))

    def parts(pixel: _Pixel, rng: np.random.Generator) -> tuple[list[_Part], float]:
        two = sample(unknowns, lambda v: pixel.log_likelihood(two_shapes(v)), efforts[0], rng)
        found = [_two(preset, two.values, two.weights, two.log_evidence)]
        for fraction, single in singles:
            one = sample(single, lambda v: pixel.log_likelihood(one_shapes(v)), efforts[1], rng)
            decay = one.weights @ np.exp(-preset.grid.starts_ns / one.values[:, :1])
            lifetime = float(one.weights @ one.values[:, 0])
            found.append(_one(preset, fraction, decay, lifetime, one.log_evidence))
        return found, two.effective

    return _mixed(decays, parts, seed)


@dataclass(frozen=True)
class _Part:
    """A part of the mixture: sample decays (gates, 3), tau_m in ns, fraction, log evidence with its share."""

    sfd: Reals
    tau_m_ns: float
    fraction: float
    log_evidence: float


@dataclass(frozen=True)
class _Pixel:
    """What is measured or known of a pixel: counts (gates,), peak and background."""

    counts: Floats
    peak: float
    background: float

    def log_likelihood(self, shapes: Floats) -> Reals:
        """Poisson, of the shapes (draws, gates) at this peak, but for a constant; overwrites them."""
        shapes *= np.float32(self.peak) / shapes.max(axis=1, keepdims=True)
        shapes += np.float32(self.background)
        total = shapes.sum(axis=1, dtype=np.float64)
        # relative to about what was counted, so that single precision does
        shapes /= self.counts + 1
        np.log(shapes, out=shapes)
        return np.asarray((shapes @ self.counts).astype(np.float64) - total)


def _mixed(
    decays: Decays, parts_of: Callable[[_Pixel, np.random.Generator], tuple[list[_Part], float]], seed: int
) -> PosteriorMeans:
    """The parts of each pixel, weighed by their evidence. parts_of: also gives the effective draws."""
    sfd = np.empty(decays.sfd.shape, np.float32)
    tau_m, fraction, effective = np.empty((3, len(decays)))
    for pixel in range(len(decays)):
        seen = _Pixel(
            decays.counts[pixel].astype(np.float32),
            float(decays.peak_counts[pixel]),
            max(float(decays.background_counts[pixel]), 1e-6),
        )
        parts, effective[pixel] = parts_of(seen, np.random.default_rng((seed, pixel)))
        evidences = np.array([part.log_evidence for part in parts])
        shares = np.exp(evidences - evidences.max())
        shares /= shares.sum()
        sfd[pixel] = sum(share * part.sfd for share, part in zip(shares, parts, strict=True))
        tau_m[pixel] = shares @ [part.tau_m_ns for part in parts]
        fraction[pixel] = shares @ [part.fraction for part in parts]
    return PosteriorMeans(sfd, tau_m, fraction, effective)


def _two(preset: Preset, values: Reals, weights: Reals, log_evidence: float) -> _Part:
    """Of weighted draws of two components."""
    tau1, tau2, fraction = values[:, :3].T
    short, long = weights * fraction, weights * (1 - fraction)
    times = -preset.grid.starts_ns
    decays = short @ np.exp(times / tau1[:, None]), long @ np.exp(times / tau2[:, None])
    sfd = np.stack([decays[0] + decays[1], *decays], axis=1)
    share = np.log(max(1 - preset.mono_fraction, 1e-300))
    return _Part(sfd, float(short @ tau1 + long @ tau2), float(short.sum()), log_evidence + float(share))


def _one(preset: Preset, fraction: float, decay: Reals, lifetime_ns: float, log_evidence: float) -> _Part:
    """Of the mean decay (gates,) of one component."""
    sfd = np.stack([decay, fraction * decay, (1 - fraction) * decay], axis=1)
    with np.errstate(divide="ignore"):
        share = np.log(0.5 * preset.mono_fraction)
    return _Part(sfd, lifetime_ns, fraction, log_evidence + float(share))


@dataclass(frozen=True)
class _KnownIrf:
    """A preset with its table: lifetimes (LIFETIMES,), responses and decays (LIFETIMES, gates) of each."""

    preset: Preset
    log_lifetimes: Reals
    responses: Floats
    decays: Reals

    @classmethod
    def of(cls, preset: Preset) -> _KnownIrf:
        low = min(preset.tau1_range_ns[0], preset.tau2_range_ns[0])
        high = max(preset.tau1_range_ns[1], preset.tau2_range_ns[1])
        lifetimes = np.geomspace(low, high, LIFETIMES)
        irf = EmgIrf(preset.irf_position_ns, preset.irf_fwhm_range_ns[0], 0.0)
        responses = gate_response(preset.grid, irf, lifetimes).astype(np.float32)
        return cls(preset, np.log(lifetimes), responses, np.exp(-preset.grid.starts_ns / lifetimes[:, None]))

    def shapes(self, values: Reals) -> Floats:
        """Counts of unit amplitude (draws, gates) of two components (draws, 3)."""
        fraction = values[:, 2:].astype(np.float32)
        return fraction * self._response(values[:, 0]) + (1 - fraction) * self._response(values[:, 1])

    def one_component(self, pixel: _Pixel) -> list[_Part]:
        """a = 1, whose lifetime is the shorter draw, and a = 0."""
        lifetimes = np.exp(self.log_lifetimes)
        likelihood = pixel.log_likelihood(self.responses.copy())
        greatest = likelihood.max()
        step = self.log_lifetimes[1] - self.log_lifetimes[0]
        # the trapezium in the logarithm of the lifetime
        widths = lifetimes * step
        widths[[0, -1]] *= 0.5
        parts = []
        for fraction, density in zip((1.0, 0.0), log_single_priors(self.preset, lifetimes), strict=True):
            weights = np.exp(likelihood - greatest + density) * widths
            total = weights.sum()
            with np.errstate(divide="ignore"):
                evidence = float(greatest + np.log(total))
            weights = weights / total if total > 0 else weights
            parts.append(
                _one(self.preset, fraction, weights @ self.decays, float(weights @ lifetimes), evidence)
            )
        return parts

    def _response(self, lifetimes_ns: Reals) -> Floats:
        """(draws,) -> (draws, gates), linear between the table's neighbours."""
        place = np.interp(np.log(lifetimes_ns), self.log_lifetimes, np.arange(LIFETIMES))
        below = np.minimum(place.astype(np.int64), LIFETIMES - 2)
        part = (place - below).astype(np.float32)[:, None]
        return np.asarray(self.responses[below] * (1 - part) + self.responses[below + 1] * part)
