# SPDX-License-Identifier: BSD-3-Clause
"""Studies on a dask cluster: kills, failures, the cache, and the whole command on a quick grid."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from distributed import LocalCluster

from finn_flirnn.build.main import main
from finn_flirnn.common.errors import BuildError
from finn_flirnn.physics.conditions import CONDITIONS
from finn_flirnn.study.execution import local_or_given_cluster, read_result, run_units
from finn_flirnn.study.workload import Kind, Unit
from tests.fakes.study_workload import LOG, NAME


def unit(bits: int, start: Unit | None = None) -> Unit:
    return Unit(Kind.QAT, f"{bits} bits", {"weight_bits": bits}, start=start)


def runs(folder: Path) -> int:
    return len((folder / LOG).read_text().splitlines())


def test_units_survive_a_killed_worker_and_are_done_once(tmp_path: Path) -> None:
    first, killer = unit(2), unit(13)
    units = [first, killer, unit(3, first), unit(4, killer)]
    told: list[tuple[str, str]] = []

    def report(done: Unit, what: str) -> None:
        told.append((done.label, what))

    with LocalCluster(
        n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as cluster:
        address = cluster.scheduler_address
        folders = list(run_units(NAME, units, tmp_path, report, address).values())
        assert [runs(folder) for folder in folders] == [1, 2, 1, 1]
        assert [read_result(folder)[1].metrics["error"] for folder in folders] == [2, 13, 5, 17]
        assert sorted(told) == sorted((u.label, "done") for u in units)
        told.clear()
        run_units(NAME, [*units, unit(5)], tmp_path, report, address)
        assert sorted(told) == sorted([*((u.label, "cached") for u in units), ("5 bits", "done")])
        assert [runs(folder) for folder in folders] == [1, 2, 1, 1]

        late = [unit(17)]
        for runs_so_far in (1, 2, 2):
            (folder,) = run_units(NAME, late, tmp_path, report, address).values()
            assert runs(folder) == runs_so_far
        assert read_result(folder)[1].metrics["error"] == 17

        broken = unit(11)
        with pytest.raises(BuildError, match="2 of 3 units failed.*\n.*eleven bits are too many"):
            run_units(NAME, [broken, unit(6, broken), unit(7)], tmp_path, report, address)
        assert ("7 bits", "done") in told


def test_no_worker_is_idle_beside_a_queue(tmp_path: Path) -> None:
    # one long unit and many short ones, which must all go to the other worker
    lengths = {20: 10.0} | dict.fromkeys(range(21, 28), 0.2)
    units = [Unit(Kind.QAT, f"{n}", {"weight_bits": n, "seconds": s}) for n, s in lengths.items()]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0
    ) as cluster:
        order: list[str] = []
        address = cluster.scheduler_address
        run_units(NAME, units, tmp_path, lambda done, what: order.append(done.label), address)
    assert order[-1] == "20" and len(order) == len(units)


def test_workers_keep_the_memory_that_a_training_asks_for_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the cluster of another test leaves its settings in the environment, and what is there comes first
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with local_or_given_cluster(None, 1) as client:
        (given,) = client.run(os.getenv, "MALLOC_TRIM_THRESHOLD_").values()
    assert int(given) >= 1 << 30


def test_scheduler_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no dask scheduler answers at nothing://here"):
        run_units(NAME, [unit(2)], tmp_path, lambda done, what: None, "nothing://here")


def test_quick_study_ends_in_tables_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["study", "--grid", "quick", "--output", str(tmp_path / "out"), "--workers", "1"]
    assert main([*words, "--publish", str(tmp_path / "docs")]) == 0
    rows = json.loads((tmp_path / "out" / "report" / "results.json").read_text())["rows"]
    by_label = {(row["label"], row["choices"].get("weight_bits")): row for row in rows}
    for label in ("QAT 4", "QAT 4, distilled (blend)", "PTQ 4, per row, bias corrected"):
        row = by_label[label, 4]
        assert row["sizes"]["mac"] == 135 * (12 + 48 + 48 + 12) and row["sizes"]["dsp"] > 0
        assert row["metrics"]["rmse_full"] > 0 and row["groups"]["by peak counts"]
    stack = by_label["float 4x3", None]
    assert stack["history"][-1]["step"] == 12 and stack["metrics"]["rmse_full"] > 0
    for label in ("maximum-likelihood fit, IRF known", "float 4"):
        assert by_label[label, None]["groups"]["under other conditions"].keys() == CONDITIONS.keys()
    floor, prior = (by_label[label, None]["metrics"] for label in ("Bayes floor", "prior, no data"))
    assert floor["rmse_full"] < prior["rmse_full"]
    text = (tmp_path / "docs" / "study.md").read_text()
    assert "## RMSE full under other conditions" in text and "study_quick_learning_qat.png" in text
    assert "their data" in text and "Bayes floor" in text
    trained = "trained for it (QAT), after 6 steps of training, QAT 4"
    assert trained in text and "with state of 8 bit: RMSE full 4 bit 0." in text
    assert "of at most 220 DSP" in text
    assert list((tmp_path / "docs" / "images").glob("study_quick_*.png"))
    capsys.readouterr()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.count("cached") == len(rows) and "done  " not in said
