# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn validate``: a deployed accelerator against the integer model, truth and a measured image.

The comparison itself is the package's own (finn_flirnn/driver/procedure.py); what is added here is the
image, which needs the build's network, and what a person sees meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from finn_flirnn.build.image import fit_of, prepare
from finn_flirnn.common.errors import EXIT_FAILED, BuildError
from finn_flirnn.driver.errors import AcceleratorError
from finn_flirnn.driver.examples import ImageSample
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.procedure import EQUAL, FAILED, SIMULATED, Outcome, Request, carry_out
from finn_flirnn.driver.validate import PAGE_NAME, summary, write_files
from finn_flirnn.driver.validation import input_codes

IMAGE_FILE = "image.npz"
NO_IMAGE = "none"
DEFAULT_IMAGE = "hazelnut"


class ValidationError(BuildError):
    """The answers differ, or could not all be had."""

    def __init__(self, message: str, exit_status: int) -> None:
        super().__init__(message)
        self.exit_status = exit_status


def run_validation(request: Request, image: str, binning: int, output: Path | None) -> None:
    """Validate, write validation.json, validation.html and image.npz, and print.

    request: its build, if None, is the folder that holds the package. image: a .ptu, .sdt or .npz file, a
    sample's name, or "none". binning: pixels joined on each side. output: ``<build>/validation`` if None.
    Raises ValidationError with exit status 1 if a code differs, 2 if it could not be run to its end.
    """
    directory = request.directory.resolve()
    build = (request.build or directory.parent).resolve()
    output = (output or build / "validation").resolve()
    console = Console(highlight=False, soft_wrap=True)
    try:
        request = replace(request, directory=directory, build=build if request.device in SIMULATED else None)
        with _Display(console) as display:
            if image != NO_IMAGE:
                display.tell(f"image {image}")
                meta = AcceleratorMetadata.read(directory)
                sample = image_sample(image, build, meta, binning)
                output.mkdir(parents=True, exist_ok=True)
                sample.save(output / IMAGE_FILE)
                request = replace(request, image=sample.spread(request.pixels))
            outcome = carry_out(request, display.tell)
        write_files(outcome, output)
    except (AcceleratorError, BuildError, OSError, ValueError, RuntimeError) as error:
        raise ValidationError(f"validation failed: {type(error).__name__}: {error}", FAILED) from error
    _conclude(outcome, console, output)


def image_sample(file: str, build: Path, meta: AcceleratorMetadata, binning: int) -> ImageSample:
    """An image as it is sent: from a file made earlier, or prepared with the network of a build.

    Raises UsageError, BuildError, ValueError or RuntimeError for a file or build that will not do.
    """
    if file.endswith(".npz"):
        return ImageSample.read(Path(file), meta)
    image = prepare(file, build, binning)
    counts = image.prepared.counts[image.prepared.mask]
    return ImageSample(
        name=f"{image.path.name}, {binning} x {binning} pixels joined",
        counts=counts,
        expected=image.network.answers(input_codes(meta, counts)),
        mask=image.prepared.mask,
        photons=image.prepared.photons,
        fit_tau_m_ns=fit_of(image.prepared).tau_m_ns,
    )


class _Display:
    """A line for each part, the running one with its time on a terminal."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._console = console

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()
        self._progress.stop()

    def tell(self, text: str) -> None:
        """A part begins."""
        self._finish()
        if self._progress.disable:
            self._console.print(text, markup=False)
        else:
            self._progress.add_task(text, total=1)

    def _finish(self) -> None:
        for task in self._progress.tasks:
            self._progress.update(task.id, completed=1)


def _conclude(outcome: Outcome, console: Console, output: Path) -> None:
    text = summary(outcome.report)
    if outcome.status != EQUAL:
        raise ValidationError(text, EXIT_FAILED if outcome.status != FAILED else FAILED)
    console.print(text, markup=False)
    console.print(f"the report is {output / PAGE_NAME}", markup=False)
