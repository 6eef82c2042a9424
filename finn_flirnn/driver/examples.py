# SPDX-License-Identifier: BSD-3-Clause
"""What a device is checked with: decays whose truth is known, and a measured image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.driver.errors import DeploymentError
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.numerics.fixed_point import Codes, Reals
from finn_flirnn.physics.lifetimes import Lifetimes, sample_decays

EXAMPLE_INPUT = "example_input.npy"
EXPECTED_OUTPUT = "expected_output.npy"
EXAMPLE_TRUTH = "example_truth.npy"
"""(pixels, 3): tau1 in ns, tau2 in ns, amplitude fraction."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Examples:
    """Simulated decays of a package.

    counts: (pixels, T) raw. expected: (pixels, steps, outputs), the integer oracle's codes. truth: what the
    decays were made from, None if the package does not say.
    """

    counts: Array
    expected: Codes
    truth: Lifetimes | None

    @classmethod
    def read(cls, directory: Path, meta: AcceleratorMetadata) -> Examples:
        """Read those of a package. Raises DeploymentError if they do not fit the accelerator."""
        counts, expected = (_load(directory / name) for name in (EXAMPLE_INPUT, EXPECTED_OUTPUT))
        _check(EXAMPLE_INPUT, counts, (len(counts), meta.steps))
        _check(EXPECTED_OUTPUT, expected, (len(counts), *meta.answer_shape))
        truth = None
        if (directory / EXAMPLE_TRUTH).is_file():
            columns = _load(directory / EXAMPLE_TRUTH)
            _check(EXAMPLE_TRUTH, columns, (len(counts), 3))
            truth = Lifetimes.from_components(columns[:, 0], columns[:, 1], columns[:, 2])
        return cls(counts, expected.astype(np.int64), truth)

    def first(self, pixels: int | None) -> Examples:
        """The first so many, None for all."""
        truth = self.truth
        if truth is not None:
            truth = Lifetimes.from_components(
                truth.tau1_ns[:pixels], truth.tau2_ns[:pixels], truth.amplitude_fraction[:pixels]
            )
        return Examples(self.counts[:pixels], self.expected[:pixels], truth)

    def true_decays(self, meta: AcceleratorMetadata) -> npt.NDArray[np.float32]:
        """Sample decays (pixels, T, 3) of the truth, at the accelerator's gates."""
        assert self.truth is not None
        shown = (self.truth.tau1_ns, self.truth.tau2_ns, self.truth.amplitude_fraction)
        return sample_decays(gate_times_ns(meta), *shown)


@dataclass(frozen=True)
class ImageSample:
    """The bright pixels of a measured image, on the model's gates.

    name: of its file. counts: (pixels, T). expected: (pixels, steps, outputs), the integer oracle's codes.
    mask: (rows, columns), true where those pixels are, row after row. photons: (rows, columns).
    fit_tau_m_ns: (pixels,) mean lifetimes by the maximum-likelihood fit of the instrument's own bins.
    """

    name: str
    counts: Array
    expected: Codes
    mask: npt.NDArray[np.bool_]
    photons: Array
    fit_tau_m_ns: Reals

    def save(self, path: Path) -> None:
        """Write it as one .npz file."""
        arrays: dict[str, Any] = dict(vars(self))
        with path.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def read(cls, path: Path, meta: AcceleratorMetadata) -> ImageSample:
        """Read such a file. Raises DeploymentError if it is none, or does not fit the accelerator."""
        try:
            with np.load(path, allow_pickle=False) as archive:
                found = {key: archive[key] for key in cls.__dataclass_fields__}
        except (OSError, ValueError, EOFError, KeyError, TypeError) as error:
            raise DeploymentError(
                f"{path} must be an image of finn-flirnn validate ({error}); make it again"
            ) from error
        pixels = int(np.count_nonzero(found["mask"]))
        _check(f"{path.name}: counts", found["counts"], (pixels, meta.steps))
        _check(f"{path.name}: expected", found["expected"], (pixels, *meta.answer_shape))
        _check(f"{path.name}: photons", found["photons"], found["mask"].shape)
        _check(f"{path.name}: fit_tau_m_ns", found["fit_tau_m_ns"], (pixels,))
        return cls(**{**found, "name": str(found["name"]), "expected": found["expected"].astype(np.int64)})

    def spread(self, pixels: int | None) -> ImageSample:
        """So many of its pixels, spread evenly over the image; None for all."""
        if pixels is None or pixels >= len(self.counts):
            return self
        chosen = np.linspace(0, len(self.counts) - 1, pixels).astype(int)
        mask = np.zeros_like(self.mask)
        mask[tuple(index[chosen] for index in np.nonzero(self.mask))] = True
        counts, expected, fit = self.counts[chosen], self.expected[chosen], self.fit_tau_m_ns[chosen]
        return ImageSample(self.name, counts, expected, mask, self.photons, fit)

    def map_of(self, values: Reals) -> Reals:
        """(pixels,) as an image (rows, columns), NaN elsewhere."""
        image = np.full(self.mask.shape, np.nan)
        image[self.mask] = values
        return image


def gate_times_ns(meta: AcceleratorMetadata) -> Reals:
    """(T,) starts of the gates."""
    return np.arange(meta.steps, dtype=np.float64) * meta.gate_step_ns


def _load(path: Path) -> Array:
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DeploymentError(
            f"{path.name} must be a numpy array ({error}); copy the package again"
        ) from error
    return array


def _check(name: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape or not len(array):
        raise DeploymentError(f"{name} has shape {array.shape}, expected {shape}; copy the package again")
