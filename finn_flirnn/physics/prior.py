# SPDX-License-Identifier: BSD-3-Clause
"""The baseline that has seen no data: medians and mean decay of a preset's prior.

Any figure of a fit or a network is to be read beside this one: in ``paper135`` the mean decay alone
reaches a mean R2 of about 0.7.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from finn_flirnn.physics.decays import Decays, Floats, simulate
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.presets import Preset

SAMPLES = 20_000
SEED = 2_718_281


@lru_cache(maxsize=4)
def _draws(preset: Preset) -> Decays:
    # The truth does not depend on the counts, which are cheapest when few.
    return simulate(replace(preset, peak_range=(1.0, 1.0)), SAMPLES, SEED)


def prior_median(preset: Preset, pixels: int = 1) -> Lifetimes:
    """Medians of lifetimes and fractions over the prior, repeated for ``pixels`` pixels.

    The median minimises the mean absolute error of a constant guess, so this is the error of knowing
    the preset and nothing of the pixel.
    """
    draws = _draws(preset)

    def median(
        values: np.ndarray[tuple[int], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(pixels, np.median(values))

    return Lifetimes(
        tau1_ns=median(draws.tau1_ns),
        tau2_ns=median(draws.tau2_ns),
        amplitude_fraction=median(draws.amplitude_fraction),
        photon_fraction=median(draws.photon_fraction),
        tau_m_ns=median(draws.tau_m_ns),
        tau_i_ns=median(draws.tau_i_ns),
        valid=np.ones(pixels, np.bool_),
    )


def prior_mean_sfd(preset: Preset) -> Floats:
    """Mean sample decay over the prior: (gates, 3) float32; it minimises the squared error of a guess."""
    return np.asarray(_draws(preset).sfd.mean(axis=0, dtype=np.float64).astype(np.float32))
