# SPDX-License-Identifier: BSD-3-Clause
"""The decays on which a build is verified and judged: one draw, from which every step takes its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.hardware_check import STEADY_GROUPS
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.physics.decays import Decays, simulate
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PRESETS


@dataclass(frozen=True)
class Stimulus:
    """Decays, the network's input made of them (pixels, gates) float32, and its codes (pixels, gates, 1)."""

    decays: Decays
    signal: npt.NDArray[np.float32]
    codes: Codes


def simulated_pixels(config: BuildConfig) -> int:
    """How many pixels run through the simulated hardware: enough, too, to tell its steady rate."""
    fewest = config.groups_in_flight + STEADY_GROUPS
    return max(config.verification.rtl_pixels, fewest * config.simulated_lanes)


def judged_decays(config: BuildConfig, input_format: Format) -> Stimulus:
    """The decays of the accuracy report; the first ones of them also run through the simulated hardware."""
    pixels = max(config.accuracy.pixels, simulated_pixels(config))
    return _stimulus(simulate(PRESETS[config.accuracy.preset], pixels, config.accuracy.seed), input_format)


def verification_decays(config: BuildConfig, part: int, pixels: int, input_format: Format) -> Stimulus:
    """Part number ``part`` of the decays of the software verification."""
    seed = (config.verification.seed, part)
    return _stimulus(simulate(PRESETS[config.accuracy.preset], pixels, seed), input_format)


def corner_codes(input_format: Format, steps: int, inputs: int, seed: int) -> Codes:
    """Sequences that decays never are: all least, all greatest, alternating, impulses, random.

    Returns (8, steps, inputs).
    """
    least, greatest = input_format.min_code, input_format.max_code
    rng = np.random.default_rng(seed)
    sequences = rng.integers(least, greatest, (8, steps, inputs), endpoint=True)
    sequences[0] = least
    sequences[1] = greatest
    sequences[2] = np.where(np.arange(steps) % 2, least, greatest)[:, np.newaxis]
    sequences[3] = least
    sequences[3, 0] = greatest
    sequences[4] = least
    sequences[4, -1] = greatest
    return sequences


def _stimulus(decays: Decays, input_format: Format) -> Stimulus:
    signal = normalise(decays.counts)
    return Stimulus(decays, signal, input_format.quantise(signal)[:, :, np.newaxis])
