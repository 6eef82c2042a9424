# SPDX-License-Identifier: BSD-3-Clause
"""Plots of a study: the error against what a model costs, and learning curves."""

from __future__ import annotations

from pathlib import Path

from finn_flirnn.study.rows import COSTS, QUANTISED, SIZES, Row
from finn_flirnn.study.workload import Column, Kind

MARKERS = {Kind.CHECKPOINT: "*", Kind.PTQ: "o", Kind.QAT: "s"}
NAMES = {Kind.CHECKPOINT: "shipped", Kind.PTQ: "PTQ", Kind.QAT: "QAT"}


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
    """Write one plot for each cost in which the quantised rows differ; returns the files."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row.unit.kind in QUANTISED and error.key in row.result.metrics]
    files = []
    for cost in COSTS:
        with_cost = [row for row in drawn if cost in row.result.sizes]
        if len({row.result.sizes[cost] for row in with_cost}) < 2:
            continue
        figure = Figure(figsize=(7.0, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        points = {id(row): (row.result.sizes[cost], row.result.metrics[error.key]) for row in with_cost}
        for kind, marker in MARKERS.items():
            chosen = [row for row in with_cost if row.unit.kind is kind]
            if chosen:
                x, y = zip(*(points[id(row)] for row in chosen), strict=True)
                axes.scatter(x, y, marker=marker, s=40, label=NAMES[kind])
        for row in with_cost:
            axes.annotate("/".join(row.bits), points[id(row)], (4, 3), textcoords="offset points", fontsize=6)
        x, y = zip(*front(list(points.values())), strict=True)
        axes.step(x, y, where="post", color="0.6", linewidth=1, zorder=0)
        axes.set(xlabel=f"{SIZES[cost]} a pixel" if cost == "cycles" else SIZES[cost], ylabel=error.title)
        axes.set_yscale("log")
        axes.legend(frameon=False)
        path = folder / f"{name}_{cost}.png"
        figure.savefig(path, dpi=130)
        files.append(path)
    return files


def learning_curves(rows: list[Row], error: Column, folder: Path, name: str) -> list[Path]:
    """Write the validation error of every trained row against its steps; returns the file, if any."""
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    trained = [row for row in rows if any(error.key in entry for entry in row.result.history)]
    kinds = list(dict.fromkeys(row.unit.kind for row in trained))
    if not trained:
        return []
    figure = Figure(figsize=(5.0 * len(kinds), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for place, kind in enumerate(kinds):
        axes = figure.add_subplot(1, len(kinds), place + 1)
        chosen = [row for row in trained if row.unit.kind is kind]
        for number, row in enumerate(chosen):
            entries = [entry for entry in row.result.history if error.key in entry]
            steps, errors = ([entry[key] for entry in entries] for key in ("step", error.key))
            label = " ".join([row.unit.label, *("/".join(row.bits),) * any(row.bits)])
            colour = colormaps["turbo"](number / max(1, len(chosen) - 1))
            axes.plot(steps, errors, marker=".", linewidth=1, color=colour, label=label)
        axes.set(xlabel="steps", ylabel=f"{error.title}, validation", title=str(kind), yscale="log")
        axes.legend(frameon=False, fontsize=5, ncols=1 + len(chosen) // 16)
    path = folder / f"{name}_learning.png"
    figure.savefig(path, dpi=130)
    return [path]
