# SPDX-License-Identifier: BSD-3-Clause
"""What is kept of a vendor run. The reports are typed-in samples; no tool made them."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finn_flirnn.build.amd import ZynqOutputs, first_errors, keep_logs
from finn_flirnn.build.collect import PARTS, collect_synthesis
from finn_flirnn.build.steps.bitfile import keep_zynq
from finn_flirnn.common.errors import BuildError

SAMPLES = Path(__file__).parents[1] / "vendor" / "samples"


@pytest.fixture
def finn(tmp_path: Path) -> Path:
    """What FINN's Zynq flow leaves, with samples for reports."""
    finn, stitched = tmp_path / "finn", tmp_path / "stitched"
    for folder in (finn / "bitfile", finn / "report", stitched):
        folder.mkdir(parents=True)
    for name in ("finn-accel.bit", "finn-accel.hwh"):
        (finn / "bitfile" / name).write_text(f"no bitfile: {name}")
    (finn / "report/ooc_synth_and_timing.json").write_text(json.dumps({"vivado_proj_folder": str(stitched)}))
    shutil.copy(SAMPLES / "utilization.rpt", stitched / "ooc_utilization.rpt")
    shutil.copy(SAMPLES / "timing_summary.rpt", stitched / "ooc_timing.rpt")
    shutil.copy(SAMPLES / "utilization.xml", finn / "report/post_synth_report.xml")
    shutil.copy(SAMPLES / "timing_summary.rpt", finn / "report/post_route_timing.rpt")
    return finn


def context(folder: Path) -> Any:
    """As much of a build's context as the step looks at."""

    def make(name: str) -> Path:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        return folder / name

    return SimpleNamespace(config=SimpleNamespace(name="small", clock_mhz=250.0), make=make)


def test_reports_of_the_accelerator_and_of_the_whole_design_are_kept_apart(finn: Path) -> None:
    report = ZynqOutputs.below(finn).report()
    assert (report["tool"], report["version"]) == ("vivado", "2022.2")
    assert {k: report["accelerator"][k] for k in ("lut", "ff", "dsp", "bram36", "uram")} == {
        "lut": 12345,
        "ff": 23456,
        "dsp": 111,
        "bram36": 7.5,
        "uram": 2,
    }
    assert report["design"]["lut"] == 34567
    assert report["design"]["timing"]["met"] is True
    assert report["accelerator"]["timing"]["periods_ns"] == {"ap_clk": 4.0}


def test_bitfile_handoff_and_raw_reports_are_copied_under_the_builds_name(finn: Path, tmp_path: Path) -> None:
    keep_zynq(context(tmp_path / "out"), ZynqOutputs.below(finn))
    kept = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert kept == {
        "bitfile/small.bit",
        "bitfile/small.hwh",
        "bitfile/reports/utilisation.xml",
        "bitfile/reports/timing.rpt",
        "bitfile/reports/accelerator_utilisation.rpt",
        "bitfile/reports/accelerator_timing.rpt",
        f"{PARTS}/synthesis_vivado.json",
    }
    assert (tmp_path / "out/bitfile/small.hwh").read_text() == "no bitfile: finn-accel.hwh"


def test_a_design_that_misses_its_clock_gives_no_bitfile(finn: Path, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "timing_failed.rpt", finn / "report/post_route_timing.rpt")
    with pytest.raises(BuildError, match="met at 250 MHz, but the worst slack is -0.123 ns; lower"):
        keep_zynq(context(tmp_path / "out"), ZynqOutputs.below(finn))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["bitfile/finn-accel.hwh", "report/post_route_timing.rpt"])
def test_a_file_that_vivado_did_not_make_is_named(finn: Path, name: str) -> None:
    (finn / name).unlink()
    with pytest.raises(BuildError, match=f"without .*{name}"):
        ZynqOutputs.below(finn)


def test_a_report_in_an_unknown_format_is_an_error(finn: Path) -> None:
    (finn / "report/post_route_timing.rpt").write_text("Timing is fine.\n")
    with pytest.raises(BuildError, match="cannot be read: .*; please send it to us"):
        ZynqOutputs.below(finn).report()


def test_the_first_errors_of_the_oldest_log_are_told(tmp_path: Path) -> None:
    for age, name in enumerate(("b/vivado.log", "a/vitis_hls.log")):
        path = tmp_path / name
        path.parent.mkdir()
        path.write_text("INFO: begin\n" + "".join(f"ERROR: [{name}] {i}\n" for i in range(2)))
        os.utime(path, (age, age))
    assert first_errors(tmp_path) == [
        "ERROR: [b/vivado.log] 0",
        "ERROR: [b/vivado.log] 1",
        "ERROR: [a/vitis_hls.log] 0",
    ]


def test_logs_and_scripts_are_kept_and_nothing_large(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    for name in ("vivado.log", "make_project.tcl", "synth_project.sh", "design.dcp", "network.onnx"):
        (made / name).write_text(name)
    keep_logs(made, tmp_path / "logs.zip")
    with zipfile.ZipFile(tmp_path / "logs.zip") as archive:
        assert archive.namelist() == ["make_project.tcl", "synth_project.sh", "vivado.log"]


def test_synthesis_json_says_what_each_tool_reported(tmp_path: Path) -> None:
    parts, target = tmp_path / PARTS, tmp_path / "report/synthesis.json"
    parts.mkdir(parents=True)
    collect_synthesis(tmp_path)
    assert not target.exists()
    (parts / "synthesis_open.json").write_text('{"tool": "yosys", "lut": 1}')
    collect_synthesis(tmp_path)
    assert json.loads(target.read_text()) == {"tool": "yosys", "lut": 1, "vivado": None}
    (parts / "synthesis_vivado.json").write_text('{"tool": "vivado"}')
    collect_synthesis(tmp_path)
    assert json.loads(target.read_text())["vivado"] == {"tool": "vivado"}
    (parts / "synthesis_open.json").unlink()
    collect_synthesis(tmp_path)
    assert not target.exists()
