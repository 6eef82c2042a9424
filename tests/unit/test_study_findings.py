# SPDX-License-Identifier: BSD-3-Clause
"""Sentences of a study follow its rows, and say what was not measured."""

from __future__ import annotations

from finn_flirnn.study.findings import findings
from finn_flirnn.study.rows import Row
from finn_flirnn.study.workload import Column, Kind, Result, Unit

COLUMNS = (Column("error", "Error", 2),)


def qat(weight: int, state: int, error: float, loss: str = "truth", hidden: int = 8, dsp: float = 10) -> Row:
    choices = {"weight_bits": weight, "state_bits": state, "loss": loss, "hidden": hidden}
    return Row(Unit(Kind.QAT, "q", choices), Result({"error": error}, {"dsp": dsp, "lut": 1000.0}), 1.0)


def lines(rows: list[Row]) -> list[str]:
    return findings(rows, COLUMNS)[1].splitlines() if findings(rows, COLUMNS) else []


def test_bits_are_compared_all_else_equal_and_the_fewest_that_suffice_are_named() -> None:
    rows = [qat(8, 8, 1.0), qat(8, 4, 3.0), qat(6, 8, 1.09, dsp=7), qat(4, 8, 1.2), qat(4, 4, 0.9)]
    # another size does not count, however good; nor a state of 4 bit, which has no weights of 6
    rows.append(qat(2, 2, 0.1, hidden=99))
    assert lines(rows)[0] == (
        "- **Bits of weights**, trained for it (QAT), q with state of 8 bit: Error 8 bit 1.00 (10 DSP, 1,000 "
        "LUT); 6 bit 1.09 (7 DSP, 1,000 LUT); 4 bit 1.20 (10 DSP, 1,000 LUT). 6 bit is the least within 10% "
        "of the best."
    )
    # of two sets as large the one with the better best
    assert "q with weights of 4 bit: Error 8 bit 1.20" in lines(rows)[2]
    for row in rows:
        row.unit.choices["steps"] = 1000
    assert "trained for it (QAT), after 1,000 steps of training, q with state" in lines(rows)[0]


def test_distillation_is_judged_by_pairs_that_differ_in_nothing_else() -> None:
    rows = [qat(8, 8, 1.0), qat(8, 8, 0.9, "blend"), qat(4, 8, 2.0), qat(4, 8, 2.1, "blend")]
    rows.append(qat(4, 4, 0.1, "blend"))
    (line,) = [line for line in lines(rows) if "Distillation" in line]
    assert "blend changes Error by -2.5% on the mean of 2 pairs (-10.0% to +5.0%)" in line


def test_float_models_of_several_sizes_are_ranked_with_their_parameters() -> None:
    floats = [
        Row(Unit(Kind.FLOAT, label, {"steps": 4000}), Result({"error": error}, {"parameters": count}), 0.0)
        for label, error, count in (("float 8", 2.0, 90.0), ("float 16", 1.5, 1200.0))
    ]
    long = Row(Unit(Kind.FLOAT, "float 8, of old", {"checkpoint": "of old"}), Result({"error": 0.1}), 0.0)
    (line,) = [line for line in lines([*floats, long, qat(8, 8, 1.0)]) if "Size" in line]
    assert line == (
        "- **Size**, without quantisers, after 4,000 steps of training: Error float 16 1.50 (1,200 "
        "parameters); float 8 2.00 (90 parameters)."
    )
    assert not any("Size" in line for line in lines([floats[0], qat(8, 8, 1.0)]))


def test_what_is_not_there_was_not_measured() -> None:
    found = lines([qat(8, 8, 1.0)])
    assert "- **Bits of weights**, without training (PTQ): not measured." in found
    assert "- **Distillation**: not measured." in found
    assert not any("elsewhere" in line for line in found)
    assert findings([Row(Unit(Kind.REFERENCE, "r", {}), Result({"error": 1.0}), 0.0)], COLUMNS) == []


def test_conditions_are_ranked_by_what_they_do_to_a_shipped_model() -> None:
    groups = {"other": {"as trained": {"error": 2.0}, "mild": {"error": 1.0}, "hard": {"error": 7.0}}}
    shipped = Row(Unit(Kind.CHECKPOINT, "m", {}), Result({"error": 2.0}, groups=groups), 0.0)
    reference = Row(Unit(Kind.REFERENCE, "guess", {}), Result({"error": 9.0}), 0.0)
    found = lines([shipped, reference, qat(8, 8, 1.5)])
    assert found[-1] == ("- **m elsewhere**, Error against as trained: hard: 3.50; mild: 0.50.")
    assert found[-2] == (
        "- **Best Error**: q (weights 8, state 8 bit) 1.50; for comparison: m 2.00; guess 9.00."
    )


def test_conditions_of_a_model_without_the_first_figure_are_told_by_its_own() -> None:
    columns = (*COLUMNS, Column("time", "Time", 1, in_groups=True))
    groups = {"other": {"as trained": {"time": 2.0}, "hard": {"time": 3.0}}}
    shipped = Row(Unit(Kind.CHECKPOINT, "m", {}), Result({"time": 2.0}, groups=groups), 0.0)
    assert (
        "**m elsewhere**, Time against as trained: hard: 1.50."
        in findings([shipped, qat(8, 8, 1.5)], columns)[1]
    )


def test_every_figure_that_has_groups_has_its_best_model() -> None:
    columns = (*COLUMNS, Column("time", "Time", 1, in_groups=True), Column("other", "Other"))
    rows = [qat(8, 8, 1.0), qat(4, 8, 2.0)]
    rows[1].result.metrics["time"] = 0.5
    found = findings(rows, columns)[1]
    assert "**Best Error**: q (weights 8, state 8 bit) 1.00." in found
    assert "**Best Time**: q (weights 4, state 8 bit) 0.5." in found and "Other" not in found
