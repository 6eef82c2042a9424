# SPDX-License-Identifier: BSD-3-Clause
"""The step engine: named steps in order, whole files only, and a manifest after every step.

A step writes below a staging folder; when it has ended well, its files are renamed into place and the
manifest records their hashes with the hash of everything the step depended on. A resumed build keeps a
step whose recorded inputs and outputs are both unchanged, and runs every other one again.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from finn_flirnn.build.errors import MismatchError, StepSkipped
from finn_flirnn.build.files import explain, publish, remove
from finn_flirnn.build.manifest import FILE_NAME, Manifest, StepRecord, recorded_steps
from finn_flirnn.build.progress import Progress
from finn_flirnn.common.errors import BuildError, UsageError
from finn_flirnn.common.files import sha256_of, sha256_of_value

log = logging.getLogger(__name__)
STAGING = ".staging"
LOCK = ".lock"


class Context(Protocol):
    """What the engine needs of a context; the steps agree on the rest among themselves."""

    output: Path
    staging: Path
    manifest: Manifest


@dataclass(frozen=True)
class Step:
    """A named step.

    run: does the work; raises StepSkipped with a reason, or any other exception on failure.
    after: the steps whose outputs it reads. settings: the configuration's keys that it reads.
    purpose: one line for --list.
    """

    name: str
    run: Callable[[Any], None]
    after: tuple[str, ...]
    settings: tuple[str, ...]
    purpose: str


def check_until(steps: tuple[Step, ...], until: str | None) -> None:
    """Raise UsageError if ``until`` is no step."""
    names = [step.name for step in steps]
    if until is not None and until not in names:
        raise UsageError(f"--until {until}: no such step; choose from {', '.join(names)}")


def run_steps(
    steps: tuple[Step, ...],
    context: Context,
    code: str,
    progress: Progress,
    until: str | None = None,
    earlier: list[StepRecord] | None = None,
    after_each: Callable[[Path], None] = lambda output: None,
) -> None:
    """Run the steps in order, up to and including ``until``.

    code: hash of the sources. earlier: the records of the build that is resumed, or None to start anew.
    after_each: called with the output folder when a step has ended, however it did.
    Raises BuildError on the first step that fails; the manifest then says which and why.
    """
    check_until(steps, until)
    manifest, output = context.manifest, context.output
    manifest.steps = list(earlier or [])
    names = [step.name for step in steps]
    last = names.index(until) if until else len(steps) - 1
    for index, step in enumerate(steps):
        if index > last:
            _leave_out(manifest, output, step, code, f"not asked for (--until {until})")
            continue
        inputs = _inputs(step, manifest, code)
        old = manifest.record(step.name)
        if old is not None and _unchanged(old, inputs, output):
            progress.ended(index + 1, len(steps), old, kept=True)
            after_each(output)
            continue
        with progress.step(index + 1, len(steps), step.name):
            record = _run(step, context, inputs, set(old.outputs) if old else set())
        progress.ended(index + 1, len(steps), record)
        manifest.put(record)
        if record.status == "failed":
            for later in steps[index + 1 :]:
                _leave_out(manifest, output, later, code, f"step {step.name} failed")
        after_each(output)
        manifest.write(output)
        if record.status == "failed":
            raise BuildError(f"step {step.name} failed: {record.reason}")
    after_each(output)
    manifest.write(output)


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold an output folder for one build at a time; left-over staging is cleared. Raises UsageError."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"{output} is being built by another process; wait or use --output") from error
        shutil.rmtree(output / STAGING, ignore_errors=True)
        try:
            yield
        finally:
            shutil.rmtree(output / STAGING, ignore_errors=True)


def forget(output: Path) -> None:
    """Remove what an earlier build recorded as its outputs, and its manifest."""
    try:
        records = recorded_steps(output)
    except UsageError:
        records = []  # a damaged manifest names nothing
    for record in records:
        remove(output, set(record.outputs))
    (output / FILE_NAME).unlink(missing_ok=True)


def _run(step: Step, context: Context, inputs: str, stale: set[str]) -> StepRecord:
    begun = time.monotonic()
    context.staging = context.output / STAGING / step.name
    record = StepRecord(step.name, "done", inputs=inputs)
    try:
        shutil.rmtree(context.staging, ignore_errors=True)
        context.staging.mkdir(parents=True)
        try:
            step.run(context)
        except MismatchError:
            record.outputs = publish(context.staging, context.output, stale)
            stale = set()
            raise
        record.outputs = publish(context.staging, context.output, stale)
    except StepSkipped as skipped:
        record.status, record.reason = "skipped", str(skipped)
        remove(context.output, stale)
    except Exception as error:  # whatever a step raises is its failure
        log.exception("step %s failed", step.name)
        record.status, record.reason = "failed", explain(error, context.output)
        remove(context.output, stale)
    record.seconds = round(time.monotonic() - begun, 3)
    return record


def _inputs(step: Step, manifest: Manifest, code: str) -> str:
    before = {name: record.outputs for name in step.after if (record := manifest.record(name))}
    settings = {key: manifest.config[key] for key in step.settings}
    return sha256_of_value([step.name, code, manifest.source_sha256, settings, before])


def _unchanged(record: StepRecord, inputs: str, output: Path) -> bool:
    if record.status != "done" or record.inputs != inputs:
        return False
    return all(
        (output / name).is_file() and sha256_of(output / name) == digest
        for name, digest in record.outputs.items()
    )


def _leave_out(manifest: Manifest, output: Path, step: Step, code: str, reason: str) -> None:
    """Record a step as not run. What an earlier build left of it stays only if it still fits."""
    old = manifest.record(step.name)
    if old is not None:
        if _unchanged(old, _inputs(step, manifest, code), output):
            return
        remove(output, set(old.outputs))
    manifest.put(StepRecord(step.name, "skipped", reason))
