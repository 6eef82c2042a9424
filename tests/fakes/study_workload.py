# SPDX-License-Identifier: BSD-3-Clause
"""A workload without models: it counts its runs, and kills its worker or fails when told to."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from finn_flirnn.common.errors import Problem
from finn_flirnn.study.workload import ANY, TRAINING, Column, Kind, Result, Unit

NAME = f"{__name__}:Counting"
LOG = "log"
"""In a unit's folder: one line a run."""


class Counting:
    """Each unit's figure is its weight bits, the start's figure, and the teacher's, added up."""

    version = 1
    columns = (Column("error", "Error", 2),)
    remarks = ()
    settings = {"colour": ANY, "file": ANY, "depth": TRAINING}

    def check(self, settings: dict[str, Any]) -> list[Problem]:
        return [Problem("settings.colour", "found grey", "a colour")] if "grey" in settings.values() else []

    def run(self, unit: Unit, folder: Path, start: Path | None, teacher: Path | None) -> Result:
        with (folder / LOG).open("a") as log:
            log.write("run\n")
        time.sleep(unit.choices.get("seconds", 0.0))
        first = len((folder / LOG).read_text().splitlines()) == 1
        if unit.choices.get("weight_bits") == 13 and first:
            os.kill(os.getpid(), signal.SIGKILL)
        if unit.choices.get("weight_bits") == 17 and first:
            return Result({"error": 0.0}, note="not there yet", final=False)
        if unit.choices.get("weight_bits") == 11:
            raise ValueError("eleven bits are too many")
        error = float(unit.choices.get("weight_bits", 1))
        error += sum(float((parent / "error").read_text()) for parent in (start, teacher) if parent)
        (folder / "error").write_text(str(error))
        return Result({"error": error}, {"parameters": error}, {"parts": {"all": {"error": error}}})

    def content(self, choices: dict[str, Any]) -> dict[str, str]:
        """A choice "file" names one."""
        return {"file": Path(choices["file"]).read_text()} if "file" in choices else {}

    def references(self, choices: dict[str, Any]) -> list[Unit]:
        return [Unit(Kind.REFERENCE, "nothing", choices | {"reference": "nothing"})]
