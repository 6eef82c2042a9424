# SPDX-License-Identifier: BSD-3-Clause
"""Tables and plots of a study, from results made by hand."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from finn_flirnn.study.grid import Grid
from finn_flirnn.study.plots import front, learning_curves, pareto
from finn_flirnn.study.rows import Row
from finn_flirnn.study.tables import as_csv, as_json, document
from finn_flirnn.study.workload import Column, Kind, Result, Unit

COLUMNS = (Column("error", "Error", 2), Column("other", "Other", 1))
GRID = Grid.from_dict({"name": "made", "training": {"steps": 1, "rate": 0.1}})


def row(kind: Kind, bits: int, error: float, parameters: float) -> Row:
    unit = Unit(kind, f"{kind} {bits}", {"weight_bits": bits, "state_bits": 8})
    groups = {"by counts": {"few": {"error": 2 * error}}}
    history = [{"step": 1.0, "error": 3 * error}, {"step": 2.0, "error": error}]
    return Row(unit, Result({"error": error}, {"parameters": parameters}, groups, history), 1.0)


ROWS = [
    row(Kind.QAT, 4, 0.3, 100),
    row(Kind.QAT, 4, 0.2, 200),
    row(Kind.PTQ, 8, 0.1, 1200),
    Row(Unit(Kind.REFERENCE, "guess", {}), Result({"error": 0.9, "other": 1.0}, note="no data"), 0.0),
]


def test_document_says_what_was_found_first_and_then_every_row() -> None:
    text = document(GRID, ROWS, COLUMNS, ["images/a.png"], ("Errors are small.",))
    lines = text.splitlines()
    assert lines.index("## All rows") < lines.index("Errors are small.")
    found = next(line for line in lines if line.startswith("- **Bits of weights**, trained"))
    assert lines.index(found) < lines.index("## All rows")
    assert "| qat 4 | 4 | 8 | 0.30 |  | 100 |" in lines
    assert "| ptq 8 | 8 | 8 | 0.10 |  | 1,200 |" in lines
    assert "| guess |  |  | 0.90 | 1.0 |  |" in lines
    assert "| qat 4 | 4 | 8 | 0.60 |" in lines
    assert "- guess: no data." in lines and "![Pareto plot](images/a.png)" in lines


def test_model_that_was_there_already_shows_its_bits() -> None:
    shipped = Row(Unit(Kind.CHECKPOINT, "net", {}), Result({"error": 0.1}, bits=(8, 9)), 1.0)
    assert "| net | 8 | 9 | 0.10 |  |" in document(GRID, [shipped], COLUMNS, []).splitlines()


def test_columns_in_groups_have_tables_of_their_own() -> None:
    columns = (COLUMNS[0], Column("other", "Other", 1, in_groups=True))
    assert "## Other by counts" in document(GRID, ROWS, columns, [])
    assert "## Other by counts" not in document(GRID, ROWS, COLUMNS, [])


def test_csv_and_json_hold_every_figure() -> None:
    table = list(csv.DictReader(io.StringIO(as_csv(ROWS, COLUMNS))))
    assert [float(line["error"]) for line in table] == [0.3, 0.2, 0.1, 0.9]
    assert table[3]["parameters"] == "" and table[0]["weight_bits"] == "4"
    assert as_json(GRID, ROWS)["rows"][2]["metrics"] == {"error": 0.1}


def test_plots_are_drawn_of_costs_that_differ(tmp_path: Path) -> None:
    files = pareto(ROWS, COLUMNS[0], tmp_path, "made")
    assert [path.name for path in files] == ["made_parameters.png"]
    assert files[0].read_bytes().startswith(b"\x89PNG")


def test_learning_curves_are_drawn_of_what_was_trained(tmp_path: Path) -> None:
    files = learning_curves(ROWS, COLUMNS, tmp_path, "made")
    assert [file.name for file in files] == ["made_learning_qat.png", "made_learning_ptq.png"]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    assert learning_curves(ROWS[-1:], COLUMNS, tmp_path, "none") == []


def test_shipped_models_have_learning_curves_of_columns_in_groups_too(tmp_path: Path) -> None:
    columns = (COLUMNS[0], Column("other", "Other", 1, in_groups=True))
    history = [{"step": 1.0, "other": 3.0}, {"step": 2.0, "other": 2.0}]
    shipped = Row(Unit(Kind.CHECKPOINT, "net", {}), Result({"other": 2.0}, history=history), 1.0)
    trained = Row(Unit(Kind.QAT, "qat", {}), Result({"other": 2.0}, history=history), 1.0)
    files = learning_curves([shipped, trained], columns, tmp_path, "made")
    assert [file.name for file in files] == ["made_learning_checkpoint_other.png"]
    assert learning_curves([shipped], COLUMNS, tmp_path, "none") == []


def test_front_holds_what_nothing_beats() -> None:
    assert front([(1, 5), (2, 5), (2, 4), (3, 4.5), (4, 1)]) == [(1, 5), (2, 4), (4, 1)]
    assert front([]) == []
