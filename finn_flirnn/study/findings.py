# SPDX-License-Identifier: BSD-3-Clause
"""What a study found, in sentences made of its rows: bits, distillation, references, where models break."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from finn_flirnn.study.rows import COSTS, SIZES, Row, number
from finn_flirnn.study.workload import AS_TRAINED, Column, Kind

CLOSE = 0.1
"""What lies within this share of the best error counts as good as it."""
TRAINED = {Kind.QAT: "trained for it (QAT)", Kind.PTQ: "without training (PTQ)"}
AXES = {"weight_bits": "Bits of weights", "state_bits": "Bits of the state"}
OTHER = {"weight_bits": "state", "state_bits": "weights"}


def findings(rows: list[Row], columns: tuple[Column, ...]) -> list[str]:
    """The first lines of the document: a list in Markdown, or nothing if no row is quantised."""
    error = columns[0]
    measured = [row for row in rows if error.key in row.result.metrics]
    quantised = [row for row in measured if row.unit.kind in TRAINED]
    if not quantised:
        return []
    lines = [
        _axis(axis, kind, [row for row in quantised if row.unit.kind is kind], error)
        for axis in AXES
        for kind in TRAINED
    ]
    lines.append(_sizes_of_floats(measured, error))
    lines.append(_distillation([row for row in quantised if row.unit.kind is Kind.QAT], error))
    lines += [_references(rows, column) for column in columns if column is error or column.in_groups]
    for row in rows:
        if row.unit.kind is Kind.CHECKPOINT:
            # by the first figure that it has: a model may lack the table's first
            own = [column for column in columns if column.key in row.result.metrics]
            lines += [_conditions(row, column) for column in own[:1]]
    return ["## What was found", "\n".join(f"- {line}" for line in lines if line)]


def _axis(axis: str, kind: Kind, rows: list[Row], error: Column) -> str:
    """How few bits suffice, all else equal, and what each costs.

    Of the rows of the commonest size it takes those that differ in this axis alone: of all such sets one with
    the most numbers of bits, and among these the one with the least error.
    """
    heading = f"**{AXES[axis]}**, {TRAINED[kind]}"
    if not rows:
        return f"{heading}: not measured."
    size = Counter(_size(row) for row in rows).most_common(1)[0][0]
    alike: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if _size(row) == size:
            alike[_rest(row, axis)].append(row)
    chosen = max(alike.values(), key=lambda some: (len(some), -min(_of(row, error) for row in some)))
    chosen = sorted(chosen, key=lambda row: -int(row.unit.choices[axis]))
    other = next(name for name in AXES if name != axis)
    parts = [
        f"{row.unit.choices[axis]} bit {number(_of(row, error), error.digits)}{_cost(row)}" for row in chosen
    ]
    text = (
        f"{heading}{_steps(chosen)}, {chosen[0].unit.label} with {OTHER[axis]} of "
        f"{chosen[0].unit.choices[other]} bit: {error.title} {'; '.join(parts)}."
    )
    least = min(_of(row, error) for row in chosen)
    enough = min(int(row.unit.choices[axis]) for row in chosen if _of(row, error) <= (1 + CLOSE) * least)
    return text + (f" {enough} bit is the least within {CLOSE:.0%} of the best." * (len(chosen) > 1))


def _rest(row: Row, left_out: str) -> str:
    """All choices but one, to compare."""
    return repr(sorted((k, v) for k, v in row.unit.choices.items() if k != left_out))


def _sizes_of_floats(rows: list[Row], error: Column) -> str:
    """What weight reduction costs before any quantising: error and parameters of the floats trained here."""
    floats = [row for row in rows if row.unit.kind is Kind.FLOAT and "checkpoint" not in row.unit.choices]
    if len(floats) < 2:
        return ""
    parts = [
        f"{row.unit.label} {number(_of(row, error), error.digits)}"
        + f" ({number(row.result.sizes['parameters'], 0)} parameters)" * ("parameters" in row.result.sizes)
        for row in sorted(floats, key=lambda row: _of(row, error))
    ]
    return f"**Size**, without quantisers{_steps(floats)}: {error.title} {'; '.join(parts)}."


def _distillation(rows: list[Row], error: Column) -> str:
    """The change of the error from the loss without teacher to each other one, all else equal."""
    alone = {_rest(row, "loss"): row for row in rows if row.unit.choices.get("loss") == "truth"}
    changes: dict[str, list[float]] = {}
    for row in rows:
        loss = str(row.unit.choices.get("loss"))
        twin = alone.get(_rest(row, "loss"))
        if loss != "truth" and twin is not None:
            changes.setdefault(loss, []).append(_of(row, error) / _of(twin, error) - 1)
    if not changes:
        return "**Distillation**: not measured."
    parts = []
    for loss, found in changes.items():
        mean, pairs = sum(found) / len(found), f"{len(found)} pair{'s' * (len(found) > 1)}"
        parts.append(
            f"{loss} changes {error.title} by {mean:+.1%} on the mean of {pairs} ({min(found):+.1%} to "
            f"{max(found):+.1%}), at no cost in hardware"
        )
    return f"**Distillation**, against the same training without a teacher: {'; '.join(parts)}."


def _references(rows: list[Row], column: Column) -> str:
    """The best model by a figure, the shipped ones, and the references."""
    rows = [row for row in rows if column.key in row.result.metrics]
    models = [row for row in rows if row.unit.kind is not Kind.REFERENCE]
    if not models:
        return ""
    best = min(models, key=lambda row: _of(row, column))
    others = [row for row in rows if row.unit.kind in (Kind.REFERENCE, Kind.CHECKPOINT) and row is not best]
    parts = [f"{row.unit.label} {number(_of(row, column), column.digits)}" for row in others]
    bits = f" (weights {best.bits[0]}, state {best.bits[1]} bit)" if any(best.bits) else ""
    found = f"{best.unit.label}{bits} {number(_of(best, column), column.digits)}"
    return f"**Best {column.title}**: {found}{'; for comparison: ' if parts else ''}{'; '.join(parts)}."


def _conditions(row: Row, column: Column) -> str:
    """By what factor the error grows under each condition, the worst first; empty if not measured."""
    for groups in row.result.groups.values():
        usual = groups.get(AS_TRAINED, {}).get(column.key)
        if usual:
            factors = {
                name: figures[column.key] / usual
                for name, figures in groups.items()
                if name != AS_TRAINED and column.key in figures
            }
            ranked = sorted(factors.items(), key=lambda item: -item[1])
            parts = "; ".join(f"{name}: {factor:.2f}" for name, factor in ranked)
            return f"**{row.unit.label} elsewhere**, {column.title} against as trained: {parts}."
    return ""


def _steps(rows: list[Row]) -> str:
    """How long the rows were trained, if they were; the weights that they began with had their own steps."""
    steps = sorted({int(row.unit.choices["steps"]) for row in rows if "steps" in row.unit.choices})
    return f", after {' or '.join(number(s, 0) for s in steps)} steps of training" if steps else ""


def _of(row: Row, column: Column) -> float:
    return row.result.metrics[column.key]


def _size(row: Row) -> str:
    hidden: Any = row.unit.choices.get("hidden", "")
    return "x".join(map(str, hidden)) if isinstance(hidden, list) else str(hidden)


def _cost(row: Row) -> str:
    known = [f"{number(row.result.sizes[c], 0)} {SIZES[c]}" for c in COSTS[:2] if c in row.result.sizes]
    return f" ({', '.join(known)})" if known else ""
