# SPDX-License-Identifier: BSD-3-Clause
"""From raw counts to the input of the network, the same in training, in the image and on the board.

This module travels to the board with the driver, so it needs nothing but numpy.
Source: the preprocessing of the published Seq2SeqLite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

DARK_GATES = 10
"""Gates before the rise whose mean is the background."""


def normalise(counts: npt.NDArray[Any], dark_gates: int = DARK_GATES) -> npt.NDArray[np.float32]:
    """Subtract the mean of the first ten gates, clip at 0, divide by the maximum.

    counts: (pixels, gates) raw counts, finite, not negative, more gates than ``dark_gates``. The IRF
    must leave the first ``dark_gates`` dark (``finn_flirnn.physics.image`` aligns images so).
    Returns (pixels, gates) float32 in 0 to 1; a pixel that has nothing above its background gives zeros.
    Raises ValueError for counts of another shape, or with NaN, infinite or negative values.

    >>> normalise(np.array([[2] * 10 + [1, 6, 4]]))[0, 10:].tolist()
    [0.0, 1.0, 0.5]
    """
    check_counts(counts)
    if not 1 <= dark_gates < counts.shape[1]:
        raise ValueError(
            f"dark_gates={dark_gates} must lie in 1 to {counts.shape[1] - 1}, below the {counts.shape[1]} "
            "gates of a decay; give whole decays"
        )
    signal = counts.astype(np.float64)
    signal -= signal[:, :dark_gates].mean(axis=1, keepdims=True)
    np.maximum(signal, 0, out=signal)
    peak = signal.max(axis=1, keepdims=True, initial=0)
    scaled = np.divide(signal, peak, out=np.zeros_like(signal), where=peak > 0)
    return np.asarray(scaled, dtype=np.float32)


def check_counts(counts: npt.NDArray[Any]) -> None:
    """Raise ValueError unless ``counts`` is (pixels, gates), real, finite and not negative."""
    if counts.ndim != 2:
        raise ValueError(f"counts must be (pixels, gates), got shape {counts.shape}; reshape an image first")
    if counts.dtype.kind not in "uif":
        raise ValueError(f"counts must be real numbers, got {counts.dtype}; convert them first")
    if not np.all(np.isfinite(counts)):
        raise ValueError("counts must be finite, got NaN or infinity; mask the broken pixels first")
    if counts.size and counts.min() < 0:
        raise ValueError(f"counts must not be negative, got {counts.min()}; give raw counts")
