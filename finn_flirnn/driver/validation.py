# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator's answers against the oracle's codes, the truth and the prediction of its speed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finn_flirnn.driver.accelerator import LIFETIME_OUTPUTS, Accelerator, lifetimes_of
from finn_flirnn.driver.examples import Array, Examples, ImageSample
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.numerics.fixed_point import Codes
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS, lifetimes_from_sfd
from finn_flirnn.physics.metrics import lifetime_errors, rmse
from finn_flirnn.physics.preprocess import normalise

WALL_TIME, SIMULATED = "wall time", "simulated cycles"
HZ_PER_MHZ = 1e6
CLOSE_NS = 0.1


@dataclass(frozen=True)
class Mismatch:
    """One code that differs."""

    pixel: int
    step: int
    output: int
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"pixel {self.pixel}, step {self.step}, output {self.output}: "
            f"expected {self.expected}, got {self.got}"
        )


@dataclass(frozen=True)
class Validation:
    """The result of a comparison.

    measured_in: what ``seconds`` and ``pixels_per_s`` are: wall time, packing and transfer included, or
    cycles of a simulation at the board's clock. predicted_pixels_per_s: for the board.
    """

    name: str
    build_id: str
    device: str
    pixels: int
    codes: int
    mismatches: int
    first_mismatch: Mismatch | None
    measured_in: str
    seconds: float
    pixels_per_s: float
    predicted_pixels_per_s: float


@dataclass(frozen=True)
class Latency:
    """One group of ``pixels`` alone, from its first byte in to its last byte out; predicted 0: not known."""

    pixels: int
    measured_in: str
    seconds: float
    predicted_seconds: float


@dataclass(frozen=True)
class Accuracy:
    """Errors of the device's values against the truth: RMSE by channel, mean absolute errors of lifetimes.

    A model that gives lifetimes has no channels.

    An error is None where there is no pixel to take it over.
    """

    rmse: dict[str, float]
    mean_absolute_error: dict[str, float | None]


@dataclass(frozen=True)
class Agreement:
    """Mean lifetimes of an image by the device against those of the maximum-likelihood fit."""

    median_ns: float
    median_fit_ns: float
    mean_absolute_difference_ns: float
    within_100_ps: float


class Stopwatch:
    """The time that a device takes: the simulated one if it is simulated, else wall time."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator
        self._hz = accelerator.metadata.clock_mhz * HZ_PER_MHZ
        self.measured_in = WALL_TIME if accelerator.simulated_cycles is None else SIMULATED
        self._started = self._now()

    def seconds(self) -> float:
        """Time since the start, or the last call of this."""
        started, self._started = self._started, self._now()
        return self._started - started

    def _now(self) -> float:
        cycles = self._accelerator.simulated_cycles
        return time.perf_counter() if cycles is None else cycles / self._hz


def validate(accelerator: Accelerator, directory: Path, device_name: str, pixels: int | None) -> Validation:
    """Compare the first ``pixels`` example pixels (None: all).

    Raises DeploymentError if the examples do not fit the accelerator, AcceleratorError.
    """
    examples = Examples.read(directory, accelerator.metadata).first(pixels)
    return run_pixels(accelerator, examples.counts, examples.expected, device_name)[0]


def run_pixels(
    accelerator: Accelerator, counts: Array, expected: Codes, device_name: str
) -> tuple[Validation, Codes]:
    """Send raw counts (pixels, T) and compare with the codes (pixels, T, outputs); returns also what came."""
    meta = accelerator.metadata
    inputs = input_codes(meta, counts)
    watch = Stopwatch(accelerator)
    got = accelerator.infer_codes(inputs)
    seconds = watch.seconds()
    where = np.argwhere(got != expected)
    result = Validation(
        name=meta.name,
        build_id=meta.build_id,
        device=device_name,
        pixels=len(got),
        codes=got.size,
        mismatches=len(where),
        first_mismatch=_mismatch(where[0], expected, got) if len(where) else None,
        measured_in=watch.measured_in,
        seconds=seconds,
        pixels_per_s=len(got) / seconds,
        predicted_pixels_per_s=meta.pixels_per_s,
    )
    return result, got


def measure_latency(accelerator: Accelerator, counts: Array) -> Latency:
    """Time of one group alone, (at most ``lanes`` pixels, T) raw counts."""
    meta = accelerator.metadata
    inputs = input_codes(meta, counts[: meta.lanes])
    watch = Stopwatch(accelerator)
    accelerator.infer_codes(inputs)
    return Latency(len(inputs), watch.measured_in, watch.seconds(), meta.latency_s)


def input_codes(meta: AcceleratorMetadata, counts: Array) -> Codes:
    """Raw counts (pixels, T) as the accelerator takes them: (pixels, T, 1)."""
    return meta.input_stream.format.quantise(normalise(counts, meta.dark_gates))[:, :, np.newaxis]


def accuracy_of(meta: AcceleratorMetadata, examples: Examples, got: Codes) -> Accuracy | None:
    """Errors of codes that came, None where there is no truth or the outputs say nothing of lifetimes."""
    truth = examples.truth
    if truth is None or meta.output_names not in (LIFETIME_OUTPUTS, DIRECT_OUTPUTS):
        return None
    sfd = meta.output_stream.format.dequantise(got)
    if meta.output_names == DIRECT_OUTPUTS:
        direct = vars(lifetimes_of(meta, sfd))
        mae = {name: float(np.abs(found - getattr(truth, name)).mean()) for name, found in direct.items()}
        return Accuracy({}, dict(mae))
    wanted = examples.true_decays(meta)
    errors = asdict(lifetime_errors(lifetimes_from_sfd(sfd, meta.gate_step_ns), truth))
    return Accuracy(
        rmse={name: float(e) for name, e in zip(LIFETIME_OUTPUTS, rmse(sfd, wanted), strict=True)},
        mean_absolute_error={name: None if np.isnan(e) else float(e) for name, e in errors.items()},
    )


def agreement_of(meta: AcceleratorMetadata, image: ImageSample, got: Codes) -> Agreement | None:
    """Lifetimes of an image against its fit, None where the outputs say nothing of lifetimes."""
    if meta.output_names not in (LIFETIME_OUTPUTS, DIRECT_OUTPUTS):
        return None
    found = lifetimes_of(meta, meta.output_stream.format.dequantise(got)).tau_m_ns
    difference = np.abs(found - image.fit_tau_m_ns)
    return Agreement(
        median_ns=float(np.median(found)),
        median_fit_ns=float(np.median(image.fit_tau_m_ns)),
        mean_absolute_difference_ns=float(difference.mean()),
        within_100_ps=float((difference <= CLOSE_NS).mean()),
    )


def _mismatch(where: Any, expected: Codes, got: Codes) -> Mismatch:
    pixel, step, output = (int(i) for i in where)
    index = (pixel, step, output)
    return Mismatch(pixel, step, output, int(expected[index]), int(got[index]))
