# SPDX-License-Identifier: BSD-3-Clause
"""Instrument responses for training, validation and test that have nothing in common.

The plane of an IRF's width and shift is cut into small cells, and a fixed hash gives every cell to one of the
three. So a test does not meet an IRF of the training, whatever the seeds are. The cells are far smaller than
the ranges of a preset, so all three see the same distribution but for the holes.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals

WIDTH_CELL_NS, SHIFT_CELL_NS = 0.004, 0.01
MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xBF58476D1CE4E5B9)
"""Odd 64-bit constants of well-known integer hashes."""


class IrfSplit(Enum):
    """What decays are for; the value is the range of tenths of all cells that it holds."""

    TRAIN = (0, 8)
    VALIDATION = (8, 9)
    TEST = (9, 10)

    def holds(self, fwhm_ns: Reals, shift_ns: Reals) -> npt.NDArray[np.bool_]:
        """Whether IRFs of that width and shift, (pixels,) each, belong here."""
        tenth = tenth_of(fwhm_ns, shift_ns)
        return (tenth >= self.value[0]) & (tenth < self.value[1])


def tenth_of(fwhm_ns: Reals, shift_ns: Reals) -> npt.NDArray[np.int64]:
    """A hash, 0 to 9, of the cell of width and shift; equal throughout a cell."""
    cells = [np.floor(fwhm_ns / WIDTH_CELL_NS), np.floor(shift_ns / SHIFT_CELL_NS)]
    width, shift = (cell.astype(np.int64).astype(np.uint64) for cell in cells)
    first, second, third = (np.uint64(mixer) for mixer in MIXERS)
    # products of unsigned arrays wrap, which is what a hash wants
    mixed = width * first ^ (shift * second + third)
    mixed = (mixed ^ (mixed >> np.uint64(31))) * third
    return np.asarray(((mixed ^ (mixed >> np.uint64(29))) % np.uint64(10)).astype(np.int64))
