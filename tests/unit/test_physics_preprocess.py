# SPDX-License-Identifier: BSD-3-Clause
"""The published preprocessing."""

from __future__ import annotations

import numpy as np
import pytest

from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.preprocess import DARK_GATES, normalise
from finn_flirnn.physics.presets import PRESETS


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_normalised_decays_equal_the_published_recipe(preset) -> None:
    counts = simulate(preset, 100, 1).counts
    recipe = counts.astype(np.float64)
    recipe = np.clip(recipe - recipe[:, :10].mean(axis=1, keepdims=True), 0, None)
    recipe /= recipe.max(axis=1, keepdims=True)
    got = normalise(counts)
    assert got.dtype == np.float32 and np.array_equal(got, recipe.astype(np.float32))
    assert np.all(got.max(axis=1) == 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32, np.float64])
def test_type_of_the_counts_does_not_matter(dtype) -> None:
    counts = np.arange(3 * 12).reshape(3, 12)
    assert np.array_equal(normalise(counts.astype(dtype)), normalise(counts))


def test_pixels_without_signal_give_zeros() -> None:
    dark = np.stack([np.zeros(20), np.full(20, 7), np.r_[np.full(10, 9), np.full(10, 3)]])
    assert np.array_equal(normalise(dark), np.zeros((3, 20)))


def test_no_pixels_give_no_pixels() -> None:
    assert normalise(np.zeros((0, 20))).shape == (0, 20)


def test_counts_are_left_as_they_were() -> None:
    counts = np.random.default_rng(0).uniform(0, 9, (4, 30))
    kept = counts.copy()
    normalise(counts)
    assert np.array_equal(counts, kept)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.zeros(20), r"must be \(pixels, gates\)"),
        (np.zeros((2, 2, 20)), r"must be \(pixels, gates\)"),
        (np.full((1, 20), np.nan), "finite"),
        (np.full((1, 20), np.inf), "finite"),
        (np.full((1, 20), -1), "negative"),
        (np.zeros((1, 20), np.complex128), "real numbers"),
        (np.zeros((1, DARK_GATES)), "dark_gates=10"),
    ],
)
def test_what_is_no_decay_is_refused(counts: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        normalise(counts)
