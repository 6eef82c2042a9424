# SPDX-License-Identifier: BSD-3-Clause
"""What can be known of a decay at all: the posterior mean, the least mean square error of any method.

The posterior over lifetimes and amplitude fraction is computed by weighing draws of the prior with the
Poisson likelihood of the counts. IRF, peak and background of each decay are taken as known, which no method
in use knows better: an error below this floor means that truth has leaked.

At high counts few draws carry the weight, and the floor comes out too high; ``effective_draws`` tells.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import Decays, Floats, expected_shape, simulate
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import Preset

DRAWS = 60_000
SEED = 3_141_592


@dataclass(frozen=True)
class Posterior:
    """Posterior means: sfd (pixels, gates, 3), tau_m_ns and amplitude_fraction (pixels,).

    effective_draws: (pixels,) 1 / sum of the squared weights; below some tens the means are rough.
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

    draws: of the prior. Raises ValueError for other presets, or for camera noise, which is not Poisson.
    """
    preset = decays.preset
    if preset != known_irf(preset) or preset.read_noise_counts:
        raise ValueError(
            f"the decays of {preset.name} must have one IRF for all pixels and no read noise; simulate them "
            "with known_irf(preset)"
        )
    # the truth of a draw does not depend on its counts, which are cheapest when few
    prior = simulate(replace(preset, peak_range=(1.0, 1.0)), draws, seed)
    irf = EmgIrf(preset.irf_position_ns, preset.irf_fwhm_range_ns[0], 0.0)
    response = expected_shape(preset.grid, irf, prior.tau1_ns, prior.tau2_ns, prior.amplitude_fraction)
    shapes = (response / response.max(axis=1, keepdims=True)).astype(np.float32)
    sfd_of_draws = prior.sfd.reshape(draws, -1)
    sfd = np.empty((len(decays), sfd_of_draws.shape[1]), np.float32)
    tau_m, fraction, effective = np.empty((3, len(decays)))
    for pixel in range(len(decays)):
        peak, background = decays.peak_counts[pixel], decays.background_counts[pixel]
        weights = _weights(shapes, decays.counts[pixel], float(peak), float(background))
        sfd[pixel] = weights @ sfd_of_draws
        tau_m[pixel] = weights @ prior.tau_m_ns
        fraction[pixel] = weights @ prior.amplitude_fraction
        effective[pixel] = 1 / np.square(weights).sum()
    return Posterior(sfd.reshape(decays.sfd.shape), tau_m, fraction, effective)


def _weights(shapes: Floats, counts: npt.NDArray[np.generic], peak: float, background: float) -> Floats:
    """Normalised Poisson likelihoods of each draw's shape: (draws,)."""
    expected = shapes * np.float32(peak) + np.float32(max(background, 1e-6))
    logarithm = np.log(expected) @ counts.astype(np.float32) - expected.sum(axis=1, dtype=np.float64)
    likelihood = np.exp(logarithm - logarithm.max())
    return np.asarray(likelihood / likelihood.sum(), dtype=np.float32)
