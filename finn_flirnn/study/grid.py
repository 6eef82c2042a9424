# SPDX-License-Identifier: BSD-3-Clause
"""The grid file of a study: strict JSON in, units of work out."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from mashumaro.mixins.dict import DataClassDictMixin

from finn_flirnn.common.errors import ConfigError, Problem, UsageError
from finn_flirnn.common.schema import problems_of, read_json, setting, whole
from finn_flirnn.study.workload import Kind, Unit, Workload, load_workload

GRIDS = Path(__file__).with_name("grids")
LOSSES = ("truth", "blend", "bounded", "attentive")


def _numbers(least: int, greatest: int, default: tuple[int, ...]) -> Any:
    accepted = f"whole numbers from {least} to {greatest}"
    return setting(accepted, lambda v: least <= v <= greatest, default)


def _flags(default: tuple[bool, ...]) -> Any:
    return setting("true or false", lambda v: True, default)


@dataclass(frozen=True)
class Training(DataClassDictMixin):
    """Steps of the float models' training, 0 to take their first weights, and its highest learning rate."""

    steps: int = whole(0, 100_000_000)
    rate: float = setting("a number from 0 to 1", lambda v: 0 < v <= 1)


@dataclass(frozen=True)
class Teacher(DataClassDictMixin):
    """A wider float model that teaches."""

    hidden: int = whole(1, 4096)
    steps: int = whole(1, 100_000_000)
    rate: float = setting("a number from 0 to 1", lambda v: 0 < v <= 1)


@dataclass(frozen=True)
class Aware(DataClassDictMixin):
    """Quantisation-aware training: every combination of the lists."""

    steps: int = whole(1, 100_000_000)
    rate: float = setting("a number from 0 to 1", lambda v: 0 < v <= 1)
    weight_bits: tuple[int, ...] = _numbers(2, 16, (8, 6, 4))
    state_bits: tuple[int, ...] = _numbers(2, 16, (8,))
    losses: tuple[str, ...] = setting(" | ".join(LOSSES), lambda v: v in LOSSES, ("truth",))


@dataclass(frozen=True)
class AfterTraining(DataClassDictMixin):
    """Quantisation without training: every combination of the lists."""

    weight_bits: tuple[int, ...] = _numbers(2, 16, (16, 8, 6, 4))
    state_bits: tuple[int, ...] = _numbers(2, 16, (8,))
    per_channel: tuple[bool, ...] = _flags((False, True))
    calibrated: tuple[bool, ...] = _flags((True,))
    bias_correction: tuple[bool, ...] = _flags((False, True))


@dataclass(frozen=True)
class Grid(DataClassDictMixin):
    """A study. ``settings`` go to the workload as they are: data, sizes, seeds of its own."""

    training: Training
    name: str = setting("a word", lambda v: v.isidentifier())
    workload: str = setting('"fli", "digits" or "package.module:ClassName"', bool, "fli")
    title: str = setting("some words", lambda v: True, "")
    seed: int = whole(0, 2**32 - 1, 1)
    hidden: tuple[int, ...] = _numbers(1, 4096, (32,))
    batch: int = whole(1, 1 << 20, 128)
    teacher: Teacher | None = None
    qat: Aware | None = None
    ptq: AfterTraining | None = None
    checkpoints: tuple[str, ...] = setting("names or paths of checkpoints", bool, ())
    settings: dict[str, Any] = field(
        default_factory=dict, metadata={"accepted": "an object", "allows": lambda v: True}
    )

    @property
    def shared(self) -> dict[str, Any]:
        """Choices of every unit."""
        return {"seed": self.seed, "batch": self.batch} | self.settings


def grid_names() -> list[str]:
    """Names of the grids that come with the project."""
    return sorted(path.stem for path in GRIDS.glob("*.json"))


def find_grid(name: str) -> Path:
    """The grid file of a path, or of a name in study/grids. Raises UsageError."""
    for path in (Path(name), GRIDS / f"{name}.json"):
        if path.is_file():
            return path
    raise UsageError(
        f"--grid {name}: no such file, and no grid of that name; choose from {', '.join(grid_names())} or "
        "give the path of a JSON file"
    )


def load_grid(path: Path) -> tuple[Grid, Workload]:
    """Read and check a grid file. Raises ConfigError with all problems together."""
    tree = read_json(path)
    problems = problems_of(Grid, tree)
    if problems:
        raise ConfigError(str(path), problems)
    grid = Grid.from_dict(tree)
    distils = grid.qat is not None and any(loss != "truth" for loss in grid.qat.losses)
    if distils and grid.teacher is None:
        problems.append(Problem("teacher", "missing, but qat.losses distils", '"truth" alone, or a teacher'))
    try:
        workload = load_workload(grid.workload)
    except ValueError as error:
        problems.append(Problem("workload", str(error), '"fli", "digits" or "package.module:ClassName"'))
    if problems:
        raise ConfigError(str(path), problems)
    return grid, workload


def units_of(grid: Grid, workload: Workload) -> list[Unit]:
    """The units of a grid, each after those that it needs, in the order of the table."""
    shared = grid.shared
    units = [Unit(Kind.CHECKPOINT, name, shared | {"checkpoint": name}) for name in grid.checkpoints]
    teacher = _teacher(grid)
    units += [teacher] if teacher else []
    for hidden in grid.hidden:
        trained = Unit(Kind.FLOAT, f"float {hidden}", shared | {"hidden": hidden, **grid.training.to_dict()})
        units.append(trained)
        units += _after_training(grid, trained)
        units += _aware(grid, trained, teacher)
    return units + workload.references(shared)


def _teacher(grid: Grid) -> Unit | None:
    if grid.teacher is None:
        return None
    choices = grid.shared | grid.teacher.to_dict()
    return Unit(Kind.FLOAT, f"teacher, float {grid.teacher.hidden}", choices)


def _after_training(grid: Grid, trained: Unit) -> list[Unit]:
    if grid.ptq is None:
        return []
    units = []
    p, hidden = grid.ptq, trained.choices["hidden"]
    for weight, state, rows, calibrated, corrected in product(
        p.weight_bits, p.state_bits, p.per_channel, p.calibrated, p.bias_correction
    ):
        choices = {
            "hidden": hidden,
            "weight_bits": weight,
            "state_bits": state,
            "per_channel": rows,
            "calibrated": calibrated,
            "bias_correction": corrected,
        }
        words = ["per row" if rows else "per tensor"]
        words += [] if calibrated else ["not calibrated"]
        words += ["bias corrected"] if corrected else []
        label = f"PTQ {hidden}, {', '.join(words)}"
        units.append(Unit(Kind.PTQ, label, grid.shared | choices, start=trained))
    return units


def _aware(grid: Grid, trained: Unit, teacher: Unit | None) -> list[Unit]:
    if grid.qat is None:
        return []
    units = []
    hidden = trained.choices["hidden"]
    for weight, state, loss in product(grid.qat.weight_bits, grid.qat.state_bits, grid.qat.losses):
        choices = {
            "hidden": hidden,
            "weight_bits": weight,
            "state_bits": state,
            "loss": loss,
            "steps": grid.qat.steps,
            "rate": grid.qat.rate,
        }
        taught = teacher if loss != "truth" else None
        label = f"QAT {hidden}" + (f", distilled ({loss})" if taught else "")
        units.append(Unit(Kind.QAT, label, grid.shared | choices, start=trained, teacher=taught))
    return units
