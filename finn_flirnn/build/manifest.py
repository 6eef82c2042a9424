# SPDX-License-Identifier: BSD-3-Clause
"""manifest.json: what was built, from what, with which tools, and how each step ended."""

from __future__ import annotations

import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import finn_flirnn
from finn_flirnn.common.errors import UsageError
from finn_flirnn.common.files import read_json_file, write_json

Status = Literal["done", "skipped", "failed"]
FILE_NAME = "manifest.json"


@dataclass
class StepRecord:
    """How a step ended. inputs: hash of all it depends on. outputs: relative path -> hash."""

    name: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    inputs: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Manifest:
    """The manifest of one output folder; ``write`` after every change."""

    config: dict[str, Any]
    config_sha256: str
    source: str
    source_sha256: str
    tools: dict[str, str]
    seeds: dict[str, int]
    model_sha256: str | None = None
    version: str = finn_flirnn.__version__
    commit: str | None = None
    steps: list[StepRecord] = field(default_factory=list)

    def record(self, name: str) -> StepRecord | None:
        """The record of a step, if there is one."""
        return next((record for record in self.steps if record.name == name), None)

    def put(self, record: StepRecord) -> None:
        """Add the record of a step, or replace it."""
        old = self.record(record.name)
        if old is None:
            self.steps.append(record)
        else:
            self.steps[self.steps.index(old)] = record

    def origin(self) -> dict[str, Any]:
        """What was built, from what and with which tools: all but how and when the steps ended."""
        return {key: value for key, value in asdict(self).items() if key != "steps"}

    def write(self, output: Path) -> None:
        """Write manifest.json, atomically."""
        write_json(output / FILE_NAME, asdict(self))


def recorded_steps(output: Path) -> list[StepRecord]:
    """The step records of an output folder; none if it has no manifest. Raises UsageError if damaged."""
    path = output / FILE_NAME
    if not path.exists():
        return []
    try:
        steps = [StepRecord(**entry) for entry in read_json_file(path)["steps"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path} cannot be read ({error}); remove it and build without --resume") from error
    if any(record.status not in get_args(Status) for record in steps):
        raise UsageError(f"{path} holds a status that is not known; remove it and build without --resume")
    return steps


def commit_of_source() -> str | None:
    """Commit of the checkout that this package lies in, "-dirty" if changed; None outside of one."""
    folder = Path(finn_flirnn.__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    if git("ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changed else commit
