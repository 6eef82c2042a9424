# SPDX-License-Identifier: BSD-3-Clause
"""What can be known of a decay at all: the estimates of the least expected error of any method.

Of sample decays, judged by square errors, these are the posterior's means; of the mean lifetime and the
fraction, judged by absolute errors, its medians. Two floors, by what is known of each decay besides its
counts and the preset:

    best_estimates               IRF, peak and background, which no method in use knows better: an error
                                 below this floor means that truth has leaked
    estimates_from_counts_alone  nothing: the floor of a method that is given nothing but the counts

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
from scipy.special import gammainc, gammaincc, gammaln

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import Decays, Floats
from finn_flirnn.physics.drawn_response import TOLERANCE, DrawnResponse
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.posterior_draws import Effort, sample
from finn_flirnn.physics.presets import Preset, Range
from finn_flirnn.physics.response import gate_response
from finn_flirnn.physics.unknowns import log_single_priors, one_component, two_components

DRAWS = 4_000
SEED = 3_141_592
LIFETIMES = 2_048
"""Of the table of responses; between neighbours they are linear to 1e-6."""
FIRST_DRAWS, ROUND_DRAWS = 4_000, 1_000
ROUNDS, ROUNDS_COUNTS_ALONE = 3, 7
"""More unknowns take more rounds from the prior to a bright decay's posterior."""
SEARCH = 1.2
"""And wider kernels on their way there, see ``physics.posterior_draws.Effort``."""
SINGLE_SHARE = 4
"""One component has fewer unknowns and gets this part of the draws."""
UNDERFLOW = 1e-280
"""A share of a gamma distribution that may have lost digits."""


@dataclass(frozen=True)
class BestEstimates:
    """Means of sfd (pixels, gates, 3), medians of tau_m_ns and amplitude_fraction (pixels,).

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


def best_estimates(decays: Decays, draws: int = DRAWS, seed: int = SEED) -> BestEstimates:
    """Best estimates of decays whose preset has one IRF for all pixels (see ``known_irf``).

    draws: of the last round. Raises ValueError for other presets, or for camera noise, which is not Poisson.
    """
    preset = decays.preset
    if preset != known_irf(preset) or preset.read_noise_counts:
        raise ValueError(
            f"the decays of {preset.name} must have one IRF for all pixels and no read noise; simulate them "
            "with known_irf(preset)"
        )
    model = _KnownIrf.of(preset)
    unknowns = two_components(preset, counts_alone=False)
    effort = Effort(FIRST_DRAWS, ROUND_DRAWS, ROUNDS, draws)

    def parts(pixel: int, rng: np.random.Generator) -> tuple[list[_Part], float]:
        known = _Known.of(decays, pixel)
        two = sample(unknowns, lambda v: known.log_likelihood(model.shapes(v)), effort, rng)
        part = _two(preset, two.values, two.weights, two.log_evidence)
        return [part, *model.one_component(known)], two.effective

    return _mixed(decays, parts, seed)


def estimates_from_counts_alone(decays: Decays, draws: int = DRAWS, seed: int = SEED) -> BestEstimates:
    """Best estimates given the counts alone: of IRFs, peaks and backgrounds the preset's prior is known.

    The truth in ``decays`` is not looked at. draws: of the last round. Raises ValueError for a preset whose
    IRFs have a tail or do not vary in shift, width and its jitter, whose peaks or backgrounds do not vary, or
    for camera noise, which is not Poisson.
    """
    preset = decays.preset
    _check_that_all_varies(preset)
    response = DrawnResponse.of(preset)
    unknowns = two_components(preset, counts_alone=True)
    singles = [(fraction, one_component(preset, shorter=fraction == 1)) for fraction in (1.0, 0.0)]
    efforts = [
        Effort(FIRST_DRAWS, -(-ROUND_DRAWS // share), ROUNDS_COUNTS_ALONE, -(-draws // share), SEARCH)
        for share in (1, SINGLE_SHARE)
    ]

    def shapes(lifetimes_ns: Reals, amplitudes: Reals, nuisances: Reals) -> Floats:
        irf = EmgIrf(preset.irf_position_ns + nuisances[:, 0], nuisances[:, 1])
        return response.response(lifetimes_ns, amplitudes, irf)

    def parts(pixel: int, rng: np.random.Generator) -> tuple[list[_Part], float]:
        counted = _Counted(decays.counts[pixel].astype(np.float32), preset.peak_range)

        def of_two(v: Reals) -> Reals:
            amplitudes = np.column_stack([v[:, 2], 1 - v[:, 2]])
            return counted.log_likelihood(shapes(v[:, :2], amplitudes, v[:, 3:]), v[:, 5])

        def of_one(v: Reals) -> Reals:
            return counted.log_likelihood(shapes(v[:, :1], np.ones((len(v), 1)), v[:, 1:]), v[:, 3])

        two = sample(unknowns, of_two, efforts[0], rng)
        found = [_two(preset, two.values, two.weights, two.log_evidence)]
        for fraction, single in singles:
            one = sample(single, of_one, efforts[1], rng)
            decay = one.weights @ np.exp(-preset.grid.starts_ns / one.values[:, :1])
            found.append(_one(preset, fraction, decay, one.values[:, 0], one.weights, one.log_evidence))
        return found, two.effective

    return _mixed(decays, parts, seed)


def log_peak_integral(photons: float, sums: Reals, peak_range: Range) -> Reals:
    """Logarithm of the integral of A^photons exp(-A sum) over the peaks A of a range of some width.

    photons: of all gates, at least 0. sums: (draws,), above 0, of all gates' expected counts at peak 1.
    It is Gamma(photons + 1) / sum^(photons + 1) times the share of a gamma distribution in the range.

    >>> [float(x) for x in np.exp(log_peak_integral(0, np.array([1.0, 2.0]), (1.0, 3.0))).round(4)]
    [0.3181, 0.0664]
    """
    low, high = peak_range
    above = sums * low > photons + 1
    # the tail in which the range lies: of two numbers near 1 the difference would have few digits
    share = np.where(
        above,
        gammaincc(photons + 1, sums * low) - gammaincc(photons + 1, sums * high),
        gammainc(photons + 1, sums * high) - gammainc(photons + 1, sums * low),
    )
    logarithm = gammaln(photons + 1) - (photons + 1) * np.log(sums) + np.log(np.maximum(share, UNDERFLOW))
    far = share <= UNDERFLOW
    logarithm[far] = _log_tail_integral(photons, sums[far], peak_range)
    return np.asarray(logarithm)


def _log_tail_integral(photons: float, sums: Reals, peak_range: Range) -> Reals:
    """``log_peak_integral`` far from the integrand's maximum: exponential from the range's nearer end."""
    low, high = peak_range
    nearest = np.clip(photons / sums, low, high)
    slope = np.abs(photons / nearest - sums)
    height = photons * np.log(nearest) - nearest * sums
    return np.asarray(height - np.log(slope) + np.log(-np.expm1(-slope * (high - low))))


def _check_that_all_varies(preset: Preset) -> None:
    ranges = preset.irf_fwhm_range_ns, preset.peak_range, preset.background_fraction_range
    varies = preset.irf_shift_gates > 0 and preset.irf_width_jitter > 0
    varies = varies and all(low < high for low, high in ranges)
    if not varies or preset.irf_tail_ratio_range != (0.0, 0.0) or preset.read_noise_counts:
        raise ValueError(
            f"the IRFs of {preset.name} must vary in shift, width and jitter of the width and have no tail, "
            "its peaks and backgrounds must vary, and its counts have no read noise; give what is fixed a "
            "narrow range, or take best_estimates, which knows all of them"
        )


@dataclass(frozen=True)
class _Part:
    """A part of the mixture: mean sample decays (gates, 3), log evidence with its share, and weighted draws.

    tau_m_ns, fraction, weights: (draws,), the weights of sum 1.
    """

    sfd: Reals
    tau_m_ns: Reals
    fraction: Reals
    weights: Reals
    log_evidence: float


@dataclass(frozen=True)
class _Known:
    """A pixel of which all but the decay is known: counts (gates,), peak and background."""

    counts: Floats
    peak: float
    background: float

    @classmethod
    def of(cls, decays: Decays, pixel: int) -> _Known:
        background = max(float(decays.background_counts[pixel]), 1e-6)
        return cls(decays.counts[pixel].astype(np.float32), float(decays.peak_counts[pixel]), background)

    def log_likelihood(self, shapes: Floats) -> Reals:
        """Poisson, of the shapes (draws, gates) at this peak, but for a constant; overwrites them."""
        shapes *= np.float32(self.peak) / shapes.max(axis=1, keepdims=True)
        shapes += np.float32(self.background)
        total = shapes.sum(axis=1, dtype=np.float64)
        return np.asarray(_log_product(shapes, self.counts) - total)


@dataclass(frozen=True)
class _Counted:
    """A pixel of which the counts (gates,) alone are known, and the range of all peaks."""

    counts: Floats
    peak_range: Range

    def log_likelihood(self, shapes: Floats, backgrounds: Reals) -> Reals:
        """Poisson, of the shapes (draws, gates) and backgrounds (draws,), averaged over all peaks.

        backgrounds: fractions of the peak. But for a constant; overwrites the shapes.
        """
        shapes /= shapes.max(axis=1, keepdims=True)
        # of a background below it, the responses' tolerance is greater
        shapes += np.maximum(backgrounds, TOLERANCE).astype(np.float32)[:, None]
        total = shapes.sum(axis=1, dtype=np.float64)
        integral = log_peak_integral(float(self.counts.sum(dtype=np.float64)), total, self.peak_range)
        # the constant brings them near the counts, see _log_product
        shapes *= self.counts.max() + 1
        return _log_product(shapes, self.counts) + integral


def _log_product(expected: Floats, counts: Floats) -> Reals:
    """Logarithm of the product of expected^counts over the gates, but for a constant.

    expected: (draws, gates), overwritten. counts: (gates,).
    """
    # relative to about what was counted, so that single precision does
    expected /= counts + 1
    np.log(expected, out=expected)
    return np.asarray((expected @ counts).astype(np.float64))


def _mixed(
    decays: Decays, parts_of: Callable[[int, np.random.Generator], tuple[list[_Part], float]], seed: int
) -> BestEstimates:
    """The parts of each pixel, weighed by their evidence. parts_of: also gives the effective draws."""
    sfd = np.empty(decays.sfd.shape, np.float32)
    tau_m, fraction, effective = np.empty((3, len(decays)))
    for pixel in range(len(decays)):
        parts, effective[pixel] = parts_of(pixel, np.random.default_rng((seed, pixel)))
        evidences = np.array([part.log_evidence for part in parts])
        shares = np.exp(evidences - evidences.max())
        shares /= shares.sum()
        sfd[pixel] = sum(share * part.sfd for share, part in zip(shares, parts, strict=True))
        weights = np.concatenate([share * part.weights for share, part in zip(shares, parts, strict=True)])
        tau_m[pixel] = _median(np.concatenate([part.tau_m_ns for part in parts]), weights)
        fraction[pixel] = _median(np.concatenate([part.fraction for part in parts]), weights)
    return BestEstimates(sfd, tau_m, fraction, effective)


def _median(values: Reals, weights: Reals) -> float:
    """The least value at or below which half of the weight lies."""
    order = np.argsort(values)
    heaps = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(heaps, 0.5 * heaps[-1])]])


def _two(preset: Preset, values: Reals, weights: Reals, log_evidence: float) -> _Part:
    """Of weighted draws of two components."""
    tau1, tau2, fraction = values[:, :3].T
    short, long = weights * fraction, weights * (1 - fraction)
    times = -preset.grid.starts_ns
    decays = short @ np.exp(times / tau1[:, None]), long @ np.exp(times / tau2[:, None])
    sfd = np.stack([decays[0] + decays[1], *decays], axis=1)
    share = np.log(max(1 - preset.mono_fraction, 1e-300))
    tau_m = fraction * tau1 + (1 - fraction) * tau2
    return _Part(sfd, tau_m, fraction, weights, log_evidence + float(share))


def _one(
    preset: Preset, fraction: float, decay: Reals, lifetimes_ns: Reals, weights: Reals, log_evidence: float
) -> _Part:
    """Of the mean decay (gates,) and the weighted lifetimes (draws,) of one component."""
    sfd = np.stack([decay, fraction * decay, (1 - fraction) * decay], axis=1)
    with np.errstate(divide="ignore"):
        share = np.log(0.5 * preset.mono_fraction)
    fractions = np.full(len(weights), fraction)
    return _Part(sfd, lifetimes_ns, fractions, weights, log_evidence + float(share))


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

    def one_component(self, pixel: _Known) -> list[_Part]:
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
            decay = weights @ self.decays
            parts.append(_one(self.preset, fraction, decay, lifetimes, weights, evidence))
        return parts

    def _response(self, lifetimes_ns: Reals) -> Floats:
        """(draws,) -> (draws, gates), linear between the table's neighbours."""
        place = np.interp(np.log(lifetimes_ns), self.log_lifetimes, np.arange(LIFETIMES))
        below = np.minimum(place.astype(np.int64), LIFETIMES - 2)
        part = (place - below).astype(np.float32)[:, None]
        return np.asarray(self.responses[below] * (1 - part) + self.responses[below + 1] * part)
