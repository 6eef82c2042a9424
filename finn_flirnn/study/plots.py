# SPDX-License-Identifier: BSD-3-Clause
"""Plots of a study: the error against what a model costs, and learning curves."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from finn_flirnn.study.rows import COSTS, SIZES, Row
from finn_flirnn.study.workload import Column, Kind

MARKERS = {Kind.FLOAT: "^", Kind.PTQ: "o", Kind.QAT: "s", Kind.CHECKPOINT: "*"}
NAMES = {Kind.FLOAT: "float", Kind.PTQ: "PTQ", Kind.QAT: "QAT", Kind.CHECKPOINT: "shipped"}
COLOURS, DISTILLED_EDGE = {Kind.CHECKPOINT: "crimson", Kind.FLOAT: "0.5"}, "black"
NAME_PLACES, CLOSE_LINES = (0.995, 0.65, 0.305), 0.03
"""Of names on lines: right ends, and from which share of the axis on they may stand one over the other."""
WIDE_RANGE = 5.0
"""From this ratio of the greatest to the least cost on, the axis is logarithmic."""


def front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points than which none is better in both coordinates (lower is better), by the first.

    >>> front([(3, 1), (1, 3), (2, 2), (3, 2), (2, 4)])
    [(1, 3), (2, 2), (3, 1)]
    """
    kept: list[tuple[float, float]] = []
    for point in sorted(points):
        if not kept or point[1] < kept[-1][1]:
            kept.append(point)
    return kept


def pareto(rows: list[Row], error: Column, folder: Path, name: str) -> list[Path]:
    """Write one plot for each cost in which the models differ; returns the files.

    Colours are bits of the weights, shapes what was done, a dark edge a distilled model. What is on the front
    has its size and its bits of weights and state beside it.
    """
    drawn = [row for row in rows if row.unit.kind in MARKERS and error.key in row.result.metrics]
    files = []
    for cost in COSTS:
        with_cost = [row for row in drawn if row.result.sizes.get(cost)]
        costs = [row.result.sizes[cost] for row in with_cost]
        if len(set(costs)) < 2:
            continue
        figure = _figure(8.0)
        axes = figure.add_subplot()
        _scatter(axes, with_cost, cost, error)
        axes.set_yscale("log")
        _reference_lines(axes, rows, error)
        axes.set(xlabel=SIZES[cost], ylabel=error.title)
        if max(costs) > WIDE_RANGE * min(costs):
            axes.set_xscale("log")
            _plain_numbers(axes.xaxis, "{:,.0f}", (1.0, 2.0, 5.0))
        _plain_numbers(axes.yaxis, "{:.3g}")
        axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        path = folder / f"{name}_{cost}.png"
        figure.savefig(path, dpi=130)
        files.append(path)
    return files


def _scatter(axes: Any, rows: list[Row], cost: str, error: Column) -> None:
    from matplotlib import colormaps

    def point(row: Row) -> tuple[float, float]:
        return row.result.sizes[cost], row.result.metrics[error.key]

    def width(row: Row) -> str:
        return "" if row.unit.kind is Kind.CHECKPOINT else row.bits[0]

    widths = sorted({width(row) for row in rows if width(row)}, key=int)
    colours = dict(zip(widths, colormaps["viridis"].resampled(max(2, len(widths))).colors, strict=False))
    for bits, kind, distilled in product(["", *widths], MARKERS, (False, True)):
        chosen = [
            row
            for row in rows
            if (width(row), row.unit.kind, "distilled" in row.unit.label) == (bits, kind, distilled)
        ]
        if not chosen:
            continue
        label = f"{NAMES[kind]}{f', {bits}-bit weights' * bool(bits)}{', distilled' * distilled}"
        x, y = zip(*map(point, chosen), strict=True)
        axes.scatter(
            x,
            y,
            marker=MARKERS[kind],
            s=90 if kind is Kind.CHECKPOINT else 28,
            color=[colours.get(bits, COLOURS.get(kind))],
            edgecolors=DISTILLED_EDGE if distilled else "none",
            label=label,
        )
    best = front([point(row) for row in rows])
    axes.step(*zip(*best, strict=True), where="post", color="0.6", linewidth=1, zorder=0)
    named = [row for row in rows if point(row) in best or row.unit.kind is Kind.CHECKPOINT]
    for number, row in enumerate(sorted(named, key=lambda row: -point(row)[1])):
        # one below the other: the best models lie close together
        axes.annotate(
            _short(row),
            point(row),
            (12, 24 - 8 * number),
            textcoords="offset points",
            fontsize=6,
            arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.5},
        )


def _short(row: Row) -> str:
    """A name for a plot: a shipped model's own, else the size and the bits of weights and state."""
    if row.unit.kind is Kind.CHECKPOINT:
        return row.unit.label
    size = row.unit.label.split(",")[0].split(" ")[-1]
    return f"{size}: {'/'.join(row.bits) if all(row.bits) else 'float'}"


def _reference_lines(axes: Any, rows: list[Row], error: Column) -> None:
    """Lines of the references that lie near what is drawn, on a logarithmic axis; names do not overlap."""
    low, high = axes.get_ylim()
    near = [
        (row.result.metrics[error.key], row.unit.label)
        for row in rows
        if row.unit.kind is Kind.REFERENCE and 0.3 * low < row.result.metrics.get(error.key, 0) < 1.2 * high
    ]
    place, before = 0, 0.0
    for value, label in sorted(near):
        place = (place + 1) % len(NAME_PLACES) if value < before * (high / low) ** CLOSE_LINES else 0
        before = value
        axes.axhline(value, color="0.4", linewidth=0.7, linestyle=":")
        axes.annotate(
            label,
            (NAME_PLACES[place], value),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=6,
            color="0.3",
        )


def _plain_numbers(axis: Any, form: str, digits: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis.set_major_locator(LogLocator(subs=digits))
    axis.set_major_formatter(FuncFormatter(lambda value, _: form.format(value)))
    axis.minorticks_off()


def _figure(width: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def learning_curves(rows: list[Row], columns: tuple[Column, ...], folder: Path, name: str) -> list[Path]:
    """Write plots of the validation error against the steps of training; returns the files.

    One for each kind of trained rows of the first column; of other columns ``in_groups`` for shipped models.
    """
    error, *others = columns
    files = []
    for column in (error, *(column for column in others if column.in_groups)):
        measured = [row for row in rows if column.key in row.result.metrics]
        trained = [row for row in measured if any(column.key in entry for entry in row.result.history)]
        for kind in dict.fromkeys(row.unit.kind for row in trained):
            if column is error or kind is Kind.CHECKPOINT:
                chosen = [row for row in trained if row.unit.kind is kind]
                which = f"{kind}" if column is error else f"{kind}_{column.key}"
                files.append(folder / f"{name}_learning_{which}.png")
                _curves(chosen, rows, column).savefig(files[-1], dpi=130)
    return files


def _curves(chosen: list[Row], rows: list[Row], column: Column) -> Any:
    """A figure of the learning curves of rows of one kind, with the references among all rows."""
    from matplotlib import colormaps

    figure = _figure(9.0)
    axes = figure.add_subplot()
    kind = chosen[0].unit.kind
    for number, row in enumerate(chosen):
        entries = [entry for entry in row.result.history if column.key in entry]
        steps, errors = ([entry[key] for entry in entries] for key in ("step", column.key))
        label = " ".join([row.unit.label, *("/".join(row.bits),) * any(row.bits)])
        order = number / max(1, len(chosen) - 1)
        # shipped models share the training that they began with: a thinner curve on a thicker one shows both
        width = 5 - 4 * order if kind is Kind.CHECKPOINT else 1
        axes.plot(steps, errors, marker=".", linewidth=width, color=colormaps["turbo"](order), label=label)
    axes.set(xlabel="steps", ylabel=f"{column.title}, validation", yscale="log")
    axes.set_title(f"Training, {NAMES.get(kind, kind)}")
    _reference_lines(axes, rows, column)
    _plain_numbers(axes.yaxis, "{:.3g}")
    legend_columns = 1 + len(chosen) // 30
    axes.legend(frameon=False, fontsize=5, ncols=legend_columns, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
