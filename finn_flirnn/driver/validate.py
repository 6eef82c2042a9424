# SPDX-License-Identifier: BSD-3-Clause
"""Does the accelerator on this device compute what the build said it would?

Runs example_input.npy and compares the codes with expected_output.npy by ``==``.
Exit status: 0 equal, 1 not equal, 2 it could not be run to its end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.driver.accelerator import Accelerator
from finn_flirnn.driver.device import DEFAULT_TIMEOUT_S, UART, Device
from finn_flirnn.driver.errors import AcceleratorError, DeploymentError
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.simulated_device import open_verilated_board
from finn_flirnn.driver.uart_device import open_simulated_uart
from finn_flirnn.numerics.fixed_point import Codes
from finn_flirnn.physics.preprocess import normalise

EXAMPLE_INPUT = "example_input.npy"
EXPECTED_OUTPUT = "expected_output.npy"
EQUAL, DIFFERENT, FAILED = 0, 1, 2
SIMULATED = ("sim", "uart:sim")


@dataclass(frozen=True)
class Mismatch:
    """One code that differs."""

    pixel: int
    step: int
    output: int
    expected: int
    got: int


@dataclass(frozen=True)
class Validation:
    """The result of a comparison; ``seconds`` includes packing and transfer."""

    name: str
    build_id: str
    device: str
    pixels: int
    codes: int
    mismatches: int
    first_mismatch: Mismatch | None
    seconds: float
    pixels_per_s: float
    predicted_pixels_per_s: float


def validate(accelerator: Accelerator, directory: Path, device_name: str, pixels: int | None) -> Validation:
    """Compare the first ``pixels`` example pixels (None: all).

    Raises DeploymentError if the examples do not fit the accelerator, AcceleratorError.
    """
    meta = accelerator.metadata
    counts, expected = _examples(directory, meta)
    counts, expected = counts[:pixels], expected[:pixels]
    inputs = meta.input_stream.format.quantise(normalise(counts, meta.dark_gates))
    start = time.perf_counter()
    got = accelerator.infer_codes(inputs[:, :, np.newaxis])
    seconds = time.perf_counter() - start
    where = np.argwhere(got != expected)
    return Validation(
        name=meta.name,
        build_id=meta.build_id,
        device=device_name,
        pixels=len(got),
        codes=got.size,
        mismatches=len(where),
        first_mismatch=_mismatch(where[0], expected, got) if len(where) else None,
        seconds=seconds,
        pixels_per_s=len(got) / seconds,
        predicted_pixels_per_s=meta.pixels_per_s,
    )


def main(directory: Path, arguments: list[str]) -> int:
    """The command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.device in SIMULATED and options.build is None:
        parser.error(f"--device {options.device} needs --build DIR, the output directory of the build")
    try:
        result = _run(directory, options)
    except (AcceleratorError, OSError) as error:
        print(f"validation failed: {type(error).__name__}: {error}", file=sys.stderr)
        report = {"outcome": "failed", "error": type(error).__name__, "message": str(error)}
        status = FAILED
    else:
        print(_summary(result))
        report = {"outcome": "different" if result.mismatches else "equal", **asdict(result)}
        status = DIFFERENT if result.mismatches else EQUAL
    try:
        _write(options.json, report)
    except OSError as error:
        print(f"the result must be written to {options.json}, but: {error}; give another", file=sys.stderr)
        return FAILED
    return status


def _run(directory: Path, options: argparse.Namespace) -> Validation:
    device: str | Device = options.device
    if options.device == "sim":
        device = open_verilated_board(options.build)
    elif options.device == "uart:sim":
        device = open_simulated_uart(options.build, AcceleratorMetadata.read(directory), options.timeout)
    with Accelerator.open(directory, device, timeout_s=options.timeout) as accelerator:
        return validate(accelerator, directory, options.device, options.pixels)


def _examples(directory: Path, meta: AcceleratorMetadata) -> tuple[npt.NDArray[np.generic], Codes]:
    counts, expected = (_load(directory / name) for name in (EXAMPLE_INPUT, EXPECTED_OUTPUT))
    wanted = (len(counts), meta.steps), (len(counts), meta.steps, meta.outputs)
    for name, array, shape in zip((EXAMPLE_INPUT, EXPECTED_OUTPUT), (counts, expected), wanted, strict=True):
        if array.shape != shape or not len(array):
            raise DeploymentError(f"{name} has shape {array.shape}, expected {shape}; copy the package again")
    return counts, expected.astype(np.int64)


def _load(path: Path) -> npt.NDArray[np.generic]:
    try:
        array: npt.NDArray[np.generic] = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DeploymentError(
            f"{path.name} must be a numpy array ({error}); copy the package again"
        ) from error
    return array


def _mismatch(where: npt.NDArray[np.int64], expected: Codes, got: Codes) -> Mismatch:
    pixel, step, output = (int(i) for i in where)
    index = (pixel, step, output)
    return Mismatch(pixel, step, output, int(expected[index]), int(got[index]))


def _summary(result: Validation) -> str:
    lines = [
        f"{result.name}, build {result.build_id}, device {result.device}",
        f"{result.pixels} pixels, {result.codes} codes compared, {result.mismatches} mismatches",
        f"{result.pixels_per_s:.1f} pixels/s ({result.seconds:.3f} s); "
        f"predicted for the board: {result.predicted_pixels_per_s:.1f} pixels/s",
    ]
    if result.first_mismatch is not None:
        m = result.first_mismatch
        lines.append(
            f"first mismatch: pixel {m.pixel}, step {m.step}, output {m.output}: "
            f"expected {m.expected}, got {m.got}"
        )
    lines.append("DIFFERENT" if result.mismatches else "EQUAL")
    return "\n".join(lines)


def _write(path: Path | None, report: dict[str, Any]) -> None:
    """Write a JSON file whole or not at all. Raises OSError."""
    if path is None:
        return
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def _device(text: str) -> str:
    if text not in ("pynq", "sim") and not (text.startswith(UART) and len(text) > len(UART)):
        raise argparse.ArgumentTypeError(f"{text} must be pynq, sim, uart:sim or uart:PORT")
    return text


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} must be at least 1")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="validate.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--device",
        type=_device,
        default="pynq",
        metavar="DEVICE",
        help="pynq; uart:PORT, as uart:/dev/ttyUSB0; sim: the simulated core; uart:sim: the simulated board",
    )
    parser.add_argument(
        "--build", type=Path, metavar="DIR", help="output directory of the build, to simulate"
    )
    parser.add_argument("--pixels", type=_positive, metavar="N", help="compare the first N pixels only")
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="for a transfer on a board; a simulation counts cycles",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    return parser
