# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn study``: from a grid file to tables and plots."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from finn_flirnn.common.files import write_atomically, write_json
from finn_flirnn.study.execution import read_result, run_units
from finn_flirnn.study.grid import find_grid, grid_names, load_grid, units_of
from finn_flirnn.study.plots import learning_curves, pareto
from finn_flirnn.study.rows import Row
from finn_flirnn.study.tables import as_csv, as_json, document
from finn_flirnn.study.workload import Kind, Unit

DOCUMENT, REPORT, CACHE, IMAGES = "study.md", "report", "cache", "images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``study``."""
    parser.add_argument(
        "--grid",
        required=True,
        metavar="FILE|NAME",
        help=f"a JSON file, or one of: {', '.join(grid_names())}",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: output/study/<name of the grid>")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a dask scheduler; default: a cluster here")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes of the cluster here")
    parser.add_argument(
        "--publish", type=Path, metavar="DIR", help="put the document and its plots there too"
    )


def run(given: argparse.Namespace) -> None:
    """Run what is missing of a study, then write its tables.

    Raises ConfigError for a grid that is wrong, BuildError if units failed, ValueError for --workers below 1.
    """
    if given.workers < 1:
        raise ValueError(f"--workers {given.workers} must be at least 1")
    grid, workload = load_grid(find_grid(given.grid))
    units = units_of(grid, workload)
    output = given.output or Path("output") / "study" / grid.name
    console = Console(highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("time left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(grid.name, total=len(units))

        def report(unit: Unit, what: str) -> None:
            if what == "cached":
                # what was there already says nothing of the time that is left
                progress.update(task, total=(progress.tasks[0].total or 0) - 1)
            else:
                progress.advance(task)
            progress.console.print(f"{what:7s} {unit.label} {bits(unit)}", soft_wrap=True)

        folders = run_units(grid.workload, units, output / CACHE, report, given.scheduler, given.workers)
    rows = []
    for unit in units:
        facts, result = read_result(folders[unit.key(grid.workload, workload.version)])
        rows.append(Row(unit, result, facts["seconds"]))
    reports = output / REPORT
    write_json(reports / "results.json", as_json(grid, rows))
    write_atomically(reports / "results.csv", as_csv(rows, workload.columns))
    for folder in (reports, given.publish):
        if folder is not None:
            images = folder / IMAGES
            images.mkdir(parents=True, exist_ok=True)
            shown, name = workload.columns, f"study_{grid.name}"
            plots = pareto(rows, shown[0], images, name) + learning_curves(rows, shown, images, name)
            links = [f"{IMAGES}/{plot.name}" for plot in plots]
            write_atomically(folder / DOCUMENT, document(grid, rows, shown, links, workload.remarks))
    console.print(f"wrote {reports / DOCUMENT}", soft_wrap=True)


def bits(unit: Unit) -> str:
    """Bits of weights and state, for the terminal."""
    if unit.kind in (Kind.PTQ, Kind.QAT):
        return f"W{unit.choices['weight_bits']} S{unit.choices['state_bits']}"
    return ""
