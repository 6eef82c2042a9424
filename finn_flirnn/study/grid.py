# SPDX-License-Identifier: BSD-3-Clause
"""The grid file of a study: strict JSON in, units of work out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from mashumaro.mixins.dict import DataClassDictMixin

from finn_flirnn.common.errors import ConfigError, Problem, UsageError
from finn_flirnn.common.schema import problems_of, read_json, setting, whole
from finn_flirnn.study.workload import ANY, TRAINING, Kind, Unit, Workload, load_workload

GRIDS = Path(__file__).with_name("grids")
LOSSES = ("truth", "blend", "bounded", "attentive")


def _numbers(least: int, greatest: int, default: tuple[int, ...]) -> Any:
    accepted = f"whole numbers from {least} to {greatest}"
    return setting(accepted, lambda v: least <= v <= greatest, default)


def _flags(default: tuple[bool, ...]) -> Any:
    return setting("true or false", lambda v: True, default)


def _sizes() -> Any:
    return setting('sizes of the grid such as "32" or "32x16"', bool, ())


def _parts() -> Any:
    return setting("objects", bool, ())


@dataclass(frozen=True)
class Training(DataClassDictMixin):
    """Steps of the float models' training, 0 to take their first weights, and its highest learning rate."""

    steps: int = whole(0, 100_000_000)
    rate: float = setting("a number above 0, up to 1", lambda v: 0 < v <= 1)


@dataclass(frozen=True)
class Teacher(DataClassDictMixin):
    """A float model that teaches: a checkpoint, or one to be trained with ``hidden`` units in each layer."""

    checkpoint: str | None = setting("a name or path of a checkpoint", bool, None)
    hidden: tuple[int, ...] = _numbers(1, 4096, ())
    steps: int | None = whole(1, 100_000_000, None)
    rate: float | None = setting("a number above 0, up to 1", lambda v: 0 < v <= 1, None)

    @property
    def is_clear(self) -> bool:
        """Whether exactly one of the two is described, and wholly."""
        trained = [bool(self.hidden), self.steps is not None, self.rate is not None]
        return all(trained) if self.checkpoint is None else not any(trained)


@dataclass(frozen=True)
class Aware(DataClassDictMixin):
    """Quantisation-aware training: every combination of the lists, of all sizes or those named."""

    steps: int = whole(1, 100_000_000)
    rate: float = setting("a number above 0, up to 1", lambda v: 0 < v <= 1)
    weight_bits: tuple[int, ...] = _numbers(2, 16, (8, 6, 4))
    state_bits: tuple[int, ...] = _numbers(2, 16, (8,))
    losses: tuple[str, ...] = setting(" | ".join(LOSSES), lambda v: v in LOSSES, ("truth",))
    sizes: tuple[str, ...] = _sizes()


@dataclass(frozen=True)
class AfterTraining(DataClassDictMixin):
    """Quantisation without training: every combination of the lists, of all sizes or those named."""

    weight_bits: tuple[int, ...] = _numbers(2, 16, (16, 8, 6, 4))
    state_bits: tuple[int, ...] = _numbers(2, 16, (8,))
    per_channel: tuple[bool, ...] = _flags((False, True))
    calibrated: tuple[bool, ...] = _flags((True,))
    bias_correction: tuple[bool, ...] = _flags((False, True))
    sizes: tuple[str, ...] = _sizes()


@dataclass(frozen=True)
class Grid(DataClassDictMixin):
    """A study. ``settings`` go to the workload as they are: data, sizes, seeds of its own.

    trained: sizes with a float model that is there already: its checkpoint is what qat and ptq quantise.
    Another of that size is still trained like those of all sizes, for comparison, unless training.steps is 0.
    qat, ptq: each part is every combination of its lists; what two parts have in common is done once.
    """

    training: Training
    name: str = setting("letters, digits and _, no digit first", str.isidentifier)
    workload: str = setting('"fli", "digits" or "package.module:ClassName"', bool, "fli")
    title: str = setting("some words", lambda v: True, "")
    seed: int = whole(0, 2**32 - 1, 1)
    hidden: tuple[int, ...] = _numbers(1, 4096, (32,))
    stacked: tuple[tuple[int, ...], ...] = _numbers(1, 4096, ())
    batch: int = whole(1, 1 << 20, 128)
    teacher: Teacher | None = None
    trained: dict[str, str] = field(
        default_factory=dict,
        metadata={
            "accepted": 'an object such as {"32": "teachers/float32"}',
            "allows": lambda v: all(isinstance(name, str) and name for name in v.values()),
        },
    )
    qat: tuple[Aware, ...] = _parts()
    ptq: tuple[AfterTraining, ...] = _parts()
    checkpoints: tuple[str, ...] = setting("names or paths of checkpoints", bool, ())
    images: tuple[str, ...] = setting("names of measurements", bool, ())
    settings: dict[str, Any] = field(
        default_factory=dict, metadata={"accepted": "an object", "allows": lambda v: True}
    )

    def shared(self, kind: Kind, workload: Workload) -> dict[str, Any]:
        """What all units of a kind choose alike: what decides their results, and no more."""
        values = {"seed": self.seed, "batch": self.batch} | self.settings
        uses = {"seed": ANY - {Kind.IMAGE}, "batch": TRAINING} | dict(workload.settings)
        return {name: value for name, value in values.items() if kind in uses[name]}

    @property
    def sizes(self) -> dict[str, int | list[int]]:
        """Name of a size -> units, or those of each layer of a stack."""
        layers: list[tuple[int, ...]] = [*((units,) for units in self.hidden), *self.stacked]
        return {size_name(units): units_of_layers(units) for units in layers}


def size_name(layers: tuple[int, ...]) -> str:
    """
    >>> size_name((32, 16))
    '32x16'
    """
    return "x".join(map(str, layers))


def units_of_layers(layers: tuple[int, ...]) -> int | list[int]:
    """As a model takes it: a number, or the list of a stack."""
    return layers[0] if len(layers) == 1 else list(layers)


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
    distils = any(loss != "truth" for part in grid.qat for loss in part.losses)
    if distils and grid.teacher is None:
        problems.append(Problem("teacher", "missing, but qat.losses distils", '"truth" alone, or a teacher'))
    if grid.teacher is not None and not grid.teacher.is_clear:
        accepted = '"checkpoint" alone, or "hidden", "steps" and "rate"'
        problems.append(Problem("teacher", f"found {sorted(tree['teacher'])}", accepted))
    named: dict[str, Iterable[str]] = {"trained": grid.trained}
    for name, parts in (("qat", grid.qat), ("ptq", grid.ptq)):
        named |= {f"{name}[{i}].sizes": part.sizes for i, part in enumerate(parts)}
    for name, sizes in named.items():
        unknown = sorted(set(sizes) - grid.sizes.keys())
        if unknown:
            problems.append(Problem(name, f"found {unknown}", ", ".join(grid.sizes)))
    try:
        workload = load_workload(grid.workload)
    except ValueError as error:
        problems.append(Problem("workload", str(error), '"fli", "digits" or "package.module:ClassName"'))
    else:
        unknown = sorted(grid.settings.keys() - workload.settings.keys())
        if unknown:
            problems.append(Problem("settings", f"found {unknown}", ", ".join(workload.settings)))
        problems += workload.check({k: v for k, v in grid.settings.items() if k in workload.settings})
    if problems:
        raise ConfigError(str(path), problems)
    return grid, workload


def units_of(grid: Grid, workload: Workload) -> list[Unit]:
    """The units of a grid, each after those that it needs, in the order of the table.

    Raises ValueError for a file that a unit names and that is not there.
    """

    def unit(kind: Kind, label: str, choices: dict[str, Any], **parents: Unit | None) -> Unit:
        every = grid.shared(kind, workload) | choices
        return Unit(kind, label, every, **parents, content=workload.content(every))

    units = [unit(Kind.CHECKPOINT, name, {"checkpoint": name}) for name in grid.checkpoints]
    for name, image in product(grid.checkpoints, grid.images):
        units.append(unit(Kind.IMAGE, f"{name}, {image}", {"checkpoint": name, "image": image}))
    teacher = None
    if grid.teacher is not None:
        label, choices = _teacher(grid.teacher)
        teacher = unit(Kind.FLOAT, label, choices)
        units.append(teacher)
    for size, hidden in grid.sizes.items():
        given = grid.trained.get(size)
        if given is None or grid.training.steps:
            trained = unit(Kind.FLOAT, f"float {size}", {"hidden": hidden, **grid.training.to_dict()})
            units.append(trained)
        if given is not None:
            trained = unit(Kind.FLOAT, f"float {size}, {given}", {"hidden": hidden, "checkpoint": given})
            units.append(trained)
        made = [
            unit(Kind.PTQ, f"PTQ {size}, {label}", {"hidden": hidden, **choices}, start=trained)
            for after in grid.ptq
            if size in (after.sizes or grid.sizes)
            for label, choices in _after_training(after)
        ]
        made += [
            unit(
                Kind.QAT,
                f"QAT {size}{label}",
                {"hidden": hidden, **choices},
                start=trained,
                teacher=teacher if choices["loss"] != "truth" else None,
            )
            for aware in grid.qat
            if size in (aware.sizes or grid.sizes)
            for label, choices in _aware(aware)
        ]
        units += [one for i, one in enumerate(made) if one not in made[:i]]
    references = workload.references(grid.shared(Kind.REFERENCE, workload))
    return units + [replace(u, content=workload.content(u.choices)) for u in references]


def _teacher(teacher: Teacher) -> tuple[str, dict[str, Any]]:
    """Label and choices."""
    if teacher.checkpoint is not None:
        return f"teacher {teacher.checkpoint}", {"checkpoint": teacher.checkpoint}
    trained = {"hidden": units_of_layers(teacher.hidden), "steps": teacher.steps, "rate": teacher.rate}
    return f"teacher, float {size_name(teacher.hidden)}", trained


def _after_training(ptq: AfterTraining) -> Iterator[tuple[str, dict[str, Any]]]:
    """Label and choices of every combination."""
    lists = (ptq.weight_bits, ptq.state_bits, ptq.per_channel, ptq.calibrated, ptq.bias_correction)
    for weight, state, rows, calibrated, corrected in product(*lists):
        words = ["per row" if rows else "per tensor"]
        words += [] if calibrated else ["not calibrated"]
        words += ["bias corrected"] if corrected else []
        choices = {
            "weight_bits": weight,
            "state_bits": state,
            "per_channel": rows,
            "calibrated": calibrated,
            "bias_correction": corrected,
        }
        yield ", ".join(words), choices


def _aware(qat: Aware) -> Iterator[tuple[str, dict[str, Any]]]:
    """Label and choices of every combination."""
    for weight, state, loss in product(qat.weight_bits, qat.state_bits, qat.losses):
        label = "" if loss == "truth" else f", distilled ({loss})"
        choices = {"weight_bits": weight, "state_bits": state, "loss": loss}
        yield label, choices | {"steps": qat.steps, "rate": qat.rate}
