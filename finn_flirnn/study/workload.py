# SPDX-License-Identifier: BSD-3-Clause
"""What a study asks of the models that it compares: the protocol ``Workload``.

Any recurrent model can be studied: write a class with these members, and name it in the grid file as
"package.module:ClassName". ``study.fli`` (decays) and ``study.digits`` (rows of images) are the two that come
with the project.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from finn_flirnn.common.errors import Problem

AS_TRAINED = "as trained"
"""A group of that name in ``Result.groups`` is what the others of its table are held against."""
SHIPPED = {"fli": "finn_flirnn.study.fli:Decays", "digits": "finn_flirnn.study.digits:Digits"}


class Kind(StrEnum):
    """What a unit of work does."""

    FLOAT = "float"
    """Train without quantisers."""
    QAT = "qat"
    """Train with quantisers, from the weights of a float unit."""
    PTQ = "ptq"
    """Quantise a float unit's model without training."""
    CHECKPOINT = "checkpoint"
    """Take a model that is there already."""
    IMAGE = "image"
    """Compare a model that is there already with a classical method on a measurement."""
    REFERENCE = "reference"
    """Judge a method that is no model of the study."""


ANY = frozenset(Kind)
TRAINING = frozenset({Kind.FLOAT, Kind.QAT})


@dataclass(frozen=True)
class Unit:
    """A unit of work: everything that decides its result.

    choices: JSON values. start: whose weights to begin with, or to quantise. teacher: who teaches. content:
    in place of the choices that name files, the hashes of these files (``Workload.content``).
    """

    kind: Kind
    label: str = field(compare=False)
    choices: dict[str, Any]
    start: Unit | None = None
    teacher: Unit | None = None
    content: dict[str, str] = field(default_factory=dict)

    def key(self, workload: str, version: int) -> str:
        """Hash of all that decides the result: equal for equal work."""
        parents = [unit and unit.key(workload, version) for unit in (self.start, self.teacher)]
        content = [workload, version, self.kind, self.choices | self.content, parents]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Column:
    """A figure of the table: its key in ``Result.metrics``, its heading, digits after the point.

    in_groups: it has a table of its own for each heading of ``Result.groups``; the first column always has.
    """

    key: str
    title: str
    digits: int = 4
    in_groups: bool = False


@dataclass(frozen=True)
class Result:
    """What came out of a unit.

    metrics: by ``Column.key``. sizes: "parameters", "mac" and whatever else a Pareto plot shall show. groups:
    metrics of parts of the test data or of other tests, by the heading of a table and the name of a column.
    history: the learning curve, one validation each: "step" and metrics. note: what a reader must know.
    bits: of weights and state, of a model whose unit does not choose them.
    final: false if something was missing, so that the unit is tried again the next time.
    """

    metrics: dict[str, float]
    sizes: dict[str, float] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    note: str = ""
    bits: tuple[int, int] | None = None
    final: bool = True


@runtime_checkable
class Workload(Protocol):
    """A task with the models that a study tries on it.

    version: raise it when results of equal choices would differ; cached ones are then not used again.
    columns: of the table; the first is the error of the Pareto plots (lower is better).
    remarks: sentences that the table needs to be read.
    settings: what a grid file may set, each with the kinds of units whose results it decides.
    """

    version: int
    columns: tuple[Column, ...]
    remarks: tuple[str, ...]
    settings: Mapping[str, frozenset[Kind]]

    def check(self, settings: dict[str, Any]) -> list[Problem]:
        """What is wrong with the settings of a grid file, whose names are known; [] if nothing."""

    def run(self, unit: Unit, folder: Path, start: Path | None, teacher: Path | None) -> Result:
        """Do a unit of work, leave its model (if any) in ``folder``, and judge it.

        start, teacher: folders of these units. A folder in which a killed attempt left something is given
        again; going on from there is the workload's affair. Raises ValueError for choices that it has not.
        """

    def content(self, choices: dict[str, Any]) -> dict[str, str]:
        """Choice -> hash of the content of the file that it names; {} if none does. Raises ValueError."""

    def references(self, choices: dict[str, Any]) -> list[Unit]:
        """Units of kind REFERENCE for the table, given the settings of that kind and the seed."""


def load_workload(name: str) -> Workload:
    """A workload by its short name or as "package.module:ClassName". Raises ValueError."""
    module, _, attribute = SHIPPED.get(name, name).partition(":")
    try:
        workload = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'workload must be {", ".join(SHIPPED)} or "package.module:ClassName", got {name!r} ({error})'
        ) from error
    if not isinstance(workload, Workload):
        raise ValueError(f"{name} must have the members of study.workload.Workload; see its docstring")
    return workload
