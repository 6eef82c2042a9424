# SPDX-License-Identifier: BSD-3-Clause
"""Reading Vivado's reports. The samples were typed in; no tool made them (tests/vendor/samples)."""

from pathlib import Path

import pytest

from finn_flirnn.synth.vivado_report import (
    VivadoResources,
    VivadoTiming,
    parse_hierarchy,
    parse_timing,
    parse_utilisation,
    tool_version,
)

SAMPLES = Path(__file__).parents[1] / "vendor" / "samples"


def sample(name: str) -> str:
    text = (SAMPLES / name).read_text()
    assert "SAMPLE for tests: no tool made this file" in text
    return text


def test_utilisation_of_ultrascale_is_read() -> None:
    assert parse_utilisation(sample("utilization.rpt")) == VivadoResources(12345, 23456, 111, 7.5, 2)


def test_utilisation_of_7_series_is_read_and_has_no_ultraram() -> None:
    assert parse_utilisation(sample("utilization_7series.rpt")) == VivadoResources(4321, 5432, 99, 3.5, 0)


def test_the_row_of_the_whole_design_is_read_from_the_hierarchy() -> None:
    assert parse_hierarchy(sample("utilization.xml")) == VivadoResources(34567, 45678, 112, 11.0, 2)


def test_a_column_of_an_older_release_is_known() -> None:
    older = sample("utilization.xml").replace("DSP Blocks", "DSP48 Blocks")
    assert parse_hierarchy(older).dsp == 112


def test_timing_that_is_met_is_read() -> None:
    expected = VivadoTiming(0.321, 0.0, 0.010, True, {"ap_clk": 4.0})
    assert parse_timing(sample("timing_summary.rpt")) == expected


def test_timing_that_is_not_met_is_read() -> None:
    timing = parse_timing(sample("timing_failed.rpt"))
    assert (timing.wns_ns, timing.tns_ns, timing.met) == (-0.123, -4.567, False)


@pytest.mark.parametrize(
    ("name", "release"), [("utilization.rpt", "2022.2"), ("utilization_7series.rpt", "2024.2")]
)
def test_the_release_is_read(name: str, release: str) -> None:
    assert tool_version(sample(name)) == release


@pytest.mark.parametrize("row", ["CLB LUTs", "CLB Registers", "DSPs", "Block RAM Tile"])
def test_a_missing_row_is_an_error_and_no_number(row: str) -> None:
    with pytest.raises(ValueError, match=f"must have a row {row}"):
        parse_utilisation(sample("utilization.rpt").replace(row, "something else"))


@pytest.mark.parametrize("heading", ["Total LUTs", "RAMB18", "DSP Blocks"])
def test_a_missing_column_is_an_error_and_no_number(heading: str) -> None:
    with pytest.raises(ValueError, match=f"must have a column {heading}"):
        parse_hierarchy(sample("utilization.xml").replace(heading, "something else"))


@pytest.mark.parametrize("text", ["WNS(ns)", "All user specified timing constraints are met"])
def test_timing_without_summary_or_verdict_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="must hold a Design Timing Summary"):
        parse_timing(sample("timing_summary.rpt").replace(text, "something else"))


def test_a_report_of_no_known_tool_is_an_error() -> None:
    with pytest.raises(ValueError, match="must name its tool"):
        tool_version("a report")


def test_a_hierarchy_without_a_top_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"a row \(top\)"):
        parse_hierarchy(sample("utilization.xml").replace("(top)", "something else"))
