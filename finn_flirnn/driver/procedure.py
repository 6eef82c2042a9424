# SPDX-License-Identifier: BSD-3-Clause
"""A whole validation, the same on a board and on the computer that built it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from finn_flirnn.driver.accelerator import LIFETIME_OUTPUTS, Accelerator, lifetimes_of
from finn_flirnn.driver.device import DEFAULT_TIMEOUT_S, Device
from finn_flirnn.driver.errors import AcceleratorError
from finn_flirnn.driver.examples import Examples, ImageSample, gate_times_ns
from finn_flirnn.driver.figures import decay_figure, map_figure, scatter_figure
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.page import render
from finn_flirnn.driver.simulated_device import open_verilated_board
from finn_flirnn.driver.uart_device import open_simulated_uart
from finn_flirnn.driver.validation import (
    Accuracy,
    Latency,
    Validation,
    accuracy_of,
    agreement_of,
    measure_latency,
    run_pixels,
)
from finn_flirnn.numerics.fixed_point import Codes
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS
from finn_flirnn.physics.preprocess import normalise

EQUAL, DIFFERENT, FAILED = 0, 1, 2
OUTCOMES = {EQUAL: "equal", DIFFERENT: "different", FAILED: "failed"}
SIM, UART_SIM = SIMULATED = ("sim", "uart:sim")
PAUSED_PIXELS = 16
PAUSES = 0.3
SHOWN_PEAKS = (100.0, 400.0, 1500.0)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is to be validated.

    directory: of the package. device: as on the command line. build: output directory of the build, for a
    simulated device. pixels: the first so many of the test set, None for all. image: to be sent too.
    """

    directory: Path
    device: str
    build: Path | None = None
    pixels: int | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    image: ImageSample | None = None


@dataclass(frozen=True)
class Outcome:
    """status: EQUAL, DIFFERENT or FAILED. report: validation.json. page: validation.html."""

    status: int
    report: dict[str, Any]
    page: str


def carry_out(request: Request, tell: Tell) -> Outcome:
    """Run it. tell: is given a line as each part begins.

    What the package, the device or its answers have wrong is told in the outcome, by the error's name.
    Raises AcceleratorError only for a package without metadata, ValueError for an unknown device.
    """
    meta = AcceleratorMetadata.read(request.directory)
    try:
        return _run(request, meta, tell)
    except (AcceleratorError, OSError) as error:
        head = {"outcome": OUTCOMES[FAILED], "name": meta.name, "build_id": meta.build_id}
        report = {**head, "device": request.device, "error": type(error).__name__, "message": str(error)}
        return Outcome(FAILED, report, render(meta, report, {}))


def _run(request: Request, meta: AcceleratorMetadata, tell: Tell) -> Outcome:
    meta.check_files(request.directory)
    examples = Examples.read(request.directory, meta).first(request.pixels)
    image, found = request.image, None
    tell(f"opening {request.device}")
    with _open(request, meta, 0.0) as accelerator:
        latency = _latency(accelerator, examples, tell)
        tell(f"test set: {len(examples.counts):,} pixels")
        result, got = run_pixels(accelerator, examples.counts, examples.expected, request.device)
        if image is not None:
            tell(f"{image.name}: {len(image.counts):,} pixels")
            found, of_image = run_pixels(accelerator, image.counts, image.expected, request.device)
    pauses = _with_pauses(request, meta, examples, tell) if request.device == SIM else None
    figures = _example_figures(meta, examples, got)
    shown = None
    if image is not None and found is not None:
        agreement = agreement_of(meta, image, of_image)
        shown = {**asdict(found), "name": image.name, "agreement": agreement and asdict(agreement)}
        if agreement is not None:
            figures["map"] = _map(meta, image, of_image)
    runs = [run for run in (result, found, pauses) if run is not None]
    status = DIFFERENT if any(run.mismatches for run in runs) else EQUAL
    report = _report(status, result, latency, accuracy_of(meta, examples, got))
    report |= {"image": shown, "pauses": None if pauses is None else asdict(pauses)}
    return Outcome(status, report, render(meta, report, figures))


def _open(request: Request, meta: AcceleratorMetadata, pauses: float) -> Accelerator:
    device: str | Device = request.device
    if request.device in SIMULATED:
        if request.build is None:
            raise ValueError(f"device {request.device} needs the output directory of the build; give --build")
        if request.device == SIM:
            device = open_verilated_board(request.build, meta, pauses)
        else:
            device = open_simulated_uart(request.build, meta, request.timeout_s)
    return Accelerator.open(request.directory, device, timeout_s=request.timeout_s)


def _latency(accelerator: Accelerator, examples: Examples, tell: Tell) -> Latency | None:
    lanes = accelerator.metadata.lanes
    if lanes > len(examples.counts):
        return None
    tell("one group alone")
    return measure_latency(accelerator, examples.counts)


def _with_pauses(request: Request, meta: AcceleratorMetadata, examples: Examples, tell: Tell) -> Validation:
    """Some pixels once more; memory and registers hesitate at random."""
    few = examples.first(max(PAUSED_PIXELS, meta.lanes + 1))
    tell(f"with pauses at random: {len(few.counts):,} pixels")
    with _open(request, meta, PAUSES) as accelerator:
        return run_pixels(accelerator, few.counts, few.expected, request.device)[0]


def _report(
    status: int, result: Validation, latency: Latency | None, accuracy: Accuracy | None
) -> dict[str, Any]:
    return {
        "outcome": OUTCOMES[status],
        **asdict(result),
        "latency": latency and asdict(latency),
        "accuracy": accuracy and asdict(accuracy),
    }


def _example_figures(meta: AcceleratorMetadata, examples: Examples, got: Codes) -> dict[str, str]:
    truth, values = examples.truth, meta.output_stream.format.dequantise(got)
    figures = {}
    if truth is not None and meta.output_names in (LIFETIME_OUTPUTS, DIRECT_OUTPUTS):
        figures["lifetimes"] = scatter_figure(truth.tau_m_ns, lifetimes_of(meta, values).tau_m_ns)
    if meta.output_names != LIFETIME_OUTPUTS:
        return figures
    peaks = examples.counts.max(axis=1)
    chosen = [int(np.abs(peaks - peak).argmin()) for peak in SHOWN_PEAKS]
    decays = decay_figure(
        gate_times_ns(meta),
        [f"pixel {pixel}, peak {peaks[pixel]:.0f} counts" for pixel in chosen],
        normalise(examples.counts[chosen], meta.dark_gates),
        values[chosen],
        None if truth is None else examples.true_decays(meta)[chosen],
    )
    return {"decays": decays, **figures}


def _map(meta: AcceleratorMetadata, image: ImageSample, got: Codes) -> str:
    found = lifetimes_of(meta, meta.output_stream.format.dequantise(got)).tau_m_ns
    maps = {"device": image.map_of(found), "maximum-likelihood fit": image.map_of(image.fit_tau_m_ns)}
    return map_figure(maps, image.photons)
