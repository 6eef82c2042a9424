# SPDX-License-Identifier: BSD-3-Clause
"""Does the accelerator on this device compute what the build said it would?

Sends the package's test set, and an image if one is given, and compares every code that comes back with
the integer model's by ``==``. Exit status: 0 equal, 1 not equal, 2 it could not be run to its end.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from finn_flirnn.driver.device import DEFAULT_TIMEOUT_S, UART
from finn_flirnn.driver.errors import AcceleratorError
from finn_flirnn.driver.examples import ImageSample
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.procedure import FAILED, SIMULATED, Outcome, Request, carry_out
from finn_flirnn.driver.validation import Mismatch

JSON_NAME, PAGE_NAME = "validation.json", "validation.html"


def main(directory: Path, arguments: list[str]) -> int:
    """The command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.device in SIMULATED and options.build is None:
        parser.error(f"--device {options.device} needs --build DIR, the output directory of the build")
    try:
        outcome = carry_out(_request(directory, options), lambda text: print(text, flush=True))
        report = outcome.report
    except AcceleratorError as error:
        outcome = None
        report = {"outcome": "failed", "error": type(error).__name__, "message": str(error)}
    failed = report["outcome"] == "failed"
    print(summary(report), file=sys.stderr if failed else sys.stdout)
    status = FAILED if outcome is None else outcome.status
    try:
        if options.json is not None:
            write_text(options.json, to_json(report))
        if options.output is not None and outcome is not None:
            write_files(outcome, options.output)
    except OSError as error:
        target = options.json or options.output
        print(f"the result must be written to {target}, but: {error}; give another", file=sys.stderr)
        return FAILED
    return status


def summary(report: dict[str, Any]) -> str:
    """What a person reads at the end."""
    if report["outcome"] == "failed":
        return f"validation failed: {report['error']}: {report['message']}"
    lines = [f"{report['name']}, build {report['build_id']}, device {report['device']}"]
    runs = {"": report, "image: ": report["image"], "with pauses: ": report["pauses"]}
    for name, run in runs.items():
        if run is not None:
            counts = f"{run['pixels']} pixels, {run['codes']} codes compared, {run['mismatches']} mismatches"
            lines.append(name + counts)
    lines.append(
        f"{report['pixels_per_s']:.1f} pixels/s in {report['measured_in']} ({report['seconds']:.3f} s); "
        f"predicted for the board: {report['predicted_pixels_per_s']:.1f} pixels/s"
    )
    if report["latency"] is not None:
        latency = report["latency"]
        lines.append(
            f"one group alone: {1e6 * latency['seconds']:.1f} us in {latency['measured_in']}; "
            f"predicted: {1e6 * latency['predicted_seconds']:.1f} us"
        )
    if report["accuracy"] is not None:
        errors = report["accuracy"]
        rmse = ", ".join(f"{name} {value:.4f}" for name, value in errors["rmse"].items())
        rmse = f"RMSE {rmse}; " if rmse else ""
        mae = errors["mean_absolute_error"]
        lines.append(
            f"against the truth: {rmse}mean absolute error of tau_m {mae['tau_m_ns']:.4f} ns, "
            f"of the amplitude fraction {mae['amplitude_fraction']:.4f}"
        )
    for name, run in runs.items():
        if run is not None and run["mismatches"]:
            lines.append(f"{name}first mismatch: {Mismatch(**run['first_mismatch'])}")
    lines.append(report["outcome"].upper())
    return "\n".join(lines)


def write_files(outcome: Outcome, folder: Path) -> None:
    """Write validation.json and validation.html. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / JSON_NAME, to_json(outcome.report))
    write_text(folder / PAGE_NAME, outcome.page)


def to_json(report: dict[str, Any]) -> str:
    """The text of validation.json."""
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all. Raises OSError."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _request(directory: Path, options: argparse.Namespace) -> Request:
    image = None
    if options.image is not None:
        meta = AcceleratorMetadata.read(directory)
        image = ImageSample.read(options.image, meta).spread(options.pixels)
    return Request(directory, options.device, options.build, options.pixels, options.timeout, image)


def device_name(text: str) -> str:
    """Check the name of a device. Raises ArgumentTypeError."""
    if text not in ("pynq", "sim") and not (text.startswith(UART) and len(text) > len(UART)):
        raise argparse.ArgumentTypeError(f"{text} must be pynq, sim, uart:sim or uart:PORT")
    return text


def positive(text: str) -> int:
    """Read a number of pixels. Raises ArgumentTypeError."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} must be at least 1")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that the command has here and in ``finn-flirnn validate``."""
    parser.add_argument(
        "--device",
        type=device_name,
        default="pynq",
        metavar="DEVICE",
        help="pynq; uart:PORT, as uart:/dev/ttyUSB0; sim: the simulated system; uart:sim: the simulated UART",
    )
    parser.add_argument(
        "--build", type=Path, metavar="DIR", help="output directory of the build, to simulate"
    )
    parser.add_argument("--pixels", type=positive, metavar="N", help="send the first N pixels only")
    parser.add_argument(
        "--timeout",
        type=float,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="for a transfer on a board; a simulation counts cycles",
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help=f"where {JSON_NAME} and {PAGE_NAME} are written"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="validate.py", description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument(
        "--image", type=Path, metavar="FILE.npz", help="an image made by finn-flirnn validate, to send too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there too")
    return parser
