# SPDX-License-Identifier: BSD-3-Clause
"""A whole build of a small untrained model, from the command line to the report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tkinter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from finn_flirnn.build import image
from finn_flirnn.build.config import config_names
from finn_flirnn.build.main import main
from finn_flirnn.build.network_file import load_network
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.common.errors import EXIT_USAGE
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.instruments import FlimImage
from finn_flirnn.physics.presets import PAPER135

STAGES = {"qonnx", "integer", "layer_rtl", "stitched_rtl", "driver"}
RESOURCES = {"lut", "ff", "dsp", "bram36", "uram"}
FINN_WARNINGS = "ignore::DeprecationWarning"  # of FINN and its dependencies, which we cannot mend
HIDDEN = 4

pytestmark = [
    pytest.mark.filterwarnings(FINN_WARNINGS),
    # Brevitas uses torch's named tensors
    pytest.mark.filterwarnings("ignore:Named tensors and all their associated APIs:UserWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and a configuration for it."""
    import torch

    from finn_flirnn.models import Seq2SeqLite
    from finn_flirnn.models.checkpoints import save_checkpoint

    folder = tmp_path_factory.mktemp("build")
    torch.manual_seed(3)
    save_checkpoint(Seq2SeqLite(hidden=HIDDEN).eval(), folder / "weights.npz", {})
    config = {
        "name": "small",
        "board": "Pynq-Z2",
        "clock_mhz": 100,
        "flow": "open",
        "model": {"checkpoint": str(folder / "weights.npz")},
        "lanes": 3,
        "folding": {
            "encoder": {"pe": 2, "simd": 2},
            "decoder": {"pe": 2, "simd": 2},
            "head": {"pe": 1, "simd": 1},
        },
        "verification": {"software_sequences": 50, "rtl_pixels": 13},
        "accuracy": {"pixels": 40},
    }
    (folder / "small.json").write_text(json.dumps(config))
    return folder


def build(folder: Path, output: Path, *arguments: str) -> int:
    return main(["build", "--config", str(folder / "small.json"), "--output", str(output), *arguments])


@pytest.fixture(scope="module")
def built(folder: Path) -> Path:
    output = folder / "out"
    assert build(folder, output) == 0
    return output


def read(built: Path, name: str) -> Any:
    return json.loads((built / name).read_text())


def contents(built: Path) -> dict[str, bytes]:
    """Every output but the two that hold times."""
    left_out = ("manifest.json", "build.log", ".lock")
    files = (path for path in sorted(built.rglob("*")) if path.is_file() and path.name not in left_out)
    return {path.relative_to(built).as_posix(): path.read_bytes() for path in files}


def test_every_stage_is_compared_and_equal(built: Path) -> None:
    stages = read(built, "report/verification.json")["stages"]
    assert {stage["name"] for stage in stages} == STAGES
    assert all(stage["codes"] > 0 and stage["mismatches"] == 0 for stage in stages)
    counts = {stage["name"]: stage["sequences"] for stage in stages}
    assert counts["qonnx"] == counts["integer"] == 50
    assert min(counts["layer_rtl"], counts["stitched_rtl"]) >= 13


def test_the_reports_hold_the_promised_keys(built: Path) -> None:
    manifest = read(built, "manifest.json")
    promised = {"version", "commit", "config", "config_sha256", "model_sha256", "tools", "seeds", "steps"}
    assert promised <= set(manifest)
    status = {step["name"]: step["status"] for step in manifest["steps"]}
    assert status.pop("bitfile") == status.pop("verify_netlist") == "skipped"
    assert set(status.values()) == {"done"}
    rtlsim = read(built, "report/rtlsim.json")
    assert rtlsim["pixels_per_s"] == pytest.approx(1e8 / rtlsim["cycles_per_pixel"])
    assert 0 < rtlsim["mac_efficiency"] <= 1
    synthesis = read(built, "report/synthesis.json")
    assert RESOURCES | {"tool", "family", "abc9_delay_ns", "fmax_mhz"} <= set(synthesis)
    assert synthesis["family"] == "xc7"
    estimate = read(built, "report/estimate.json")
    assert [layer["name"] for layer in estimate["layers"]] == ["encoder", "decoder", "head"]
    assert {"cycles_per_pixel"} | RESOURCES <= set(estimate["total"])
    assert set(estimate["board_share"]) == RESOURCES


def test_estimated_cycles_are_within_five_percent_of_simulated(built: Path) -> None:
    assert abs(read(built, "report/estimate.json")["cycles_error"]) <= 0.05


def test_all_models_are_judged_on_the_same_decays(built: Path) -> None:
    accuracy = read(built, "report/accuracy.json")
    rows = {row["model"]: row for row in accuracy["rows"]}
    assert list(rows) == ["float", "quantised", "integer", "rtl", "fit", "fit_shift", "prior"]
    without_name = [{k: v for k, v in rows[m].items() if k != "model"} for m in ("quantised", "integer")]
    assert without_name[0] == without_name[1]
    assert rows["rtl"]["pixels"] == 13
    assert rows["fit"]["rmse_full"] < rows["fit_shift"]["rmse_full"] < rows["prior"]["rmse_full"]


def test_the_page_needs_nothing_but_itself(built: Path) -> None:
    page = (built / "report" / "index.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert page.count('src="data:image/svg+xml;base64,') == 3
    for text in ("small", "Pynq-Z2", "stitched_rtl", "prior", "bitfile"):
        assert text in page


def test_the_packaging_script_names_files_that_are_there(built: Path) -> None:
    tcl = tkinter.Tcl()
    tcl.eval(
        """
        set added {}
        proc add_files {flag path} { lappend ::added $path }
        proc ipx::package_project {args} { set ::packaged $args }
        foreach name {create_project set_property update_compile_order current_fileset close_project
                      get_files ipx::current_core ipx::associate_bus_interfaces ipx::add_bus_parameter
                      ipx::get_bus_interfaces ipx::create_xgui_files ipx::update_checksums ipx::save_core
                      ipx::get_memory_maps ipx::get_address_blocks} {
          proc $name {args} { return something }
        }
    """.replace("proc ipx::package", "namespace eval ipx {}\nproc ipx::package")
    )
    tcl.eval(f"source {{{built / 'ip' / 'package_ip.tcl'}}}")
    added = [Path(path) for path in tcl.splitlist(tcl.eval("set added"))]
    own = [built / "ip" / name for name in ("control_registers.sv", "finn_flirnn_accelerator.v")]
    assert added == [path.resolve() for path in (*load_module(built / "rtl").sources, *own)]
    assert all(path.is_file() for path in added)
    assert "-module finn_flirnn_accelerator" in tcl.eval("set packaged")


def test_the_deployed_package_validates_on_the_simulated_design(built: Path) -> None:
    command = [sys.executable, "deploy/validate.py", "--device", "sim", "--build", ".", "--pixels", "7"]
    done = subprocess.run(command, cwd=built, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "EQUAL" in done.stdout


def test_resume_keeps_everything_and_leaves_every_byte(folder: Path, built: Path) -> None:
    before, seconds = contents(built), [s["seconds"] for s in read(built, "manifest.json")["steps"]]
    assert build(folder, built, "--resume") == 0
    assert contents(built) == before
    after = read(built, "manifest.json")["steps"]
    # a step that is skipped looks again for what it lacked
    for step, earlier in zip(after, seconds, strict=True):
        assert step["status"] == "skipped" or step["seconds"] == earlier


def test_resume_makes_lost_outputs_again_byte_for_byte(folder: Path, built: Path) -> None:
    before = contents(built)
    for name in ("model/09_generate_hardware.onnx", "rtl/encoder.sv", "report/rtlsim.json", "deploy.zip"):
        (built / name).unlink()
    assert build(folder, built, "--resume") == 0
    assert contents(built) == before


def test_another_build_of_the_same_gives_the_same_model_and_hardware(folder: Path, built: Path) -> None:
    other = folder / "other"
    assert build(folder, other, "--until", "rtl") == 0
    here, there = contents(built), contents(other)
    compared = [name for name in there if name.startswith(("model/", "rtl/"))]
    assert len(compared) > 20
    assert [name for name in compared if here[name] != there[name]] == []


def test_an_exported_model_builds_to_a_network_that_computes_the_same(folder: Path, built: Path) -> None:
    output = folder / "from_onnx"
    assert build(folder, output, "--model", str(built / "model" / "model.onnx"), "--until", "software") == 0
    trained, imported = (load_network(b / "model" / "network.npz")[0] for b in (built, output))
    x = np.random.default_rng(5).integers(0, 256, (30, trained.steps, 1))
    assert np.array_equal(imported.run(x), trained.run(x))
    stages = read(output, "report/verification.json")["stages"]
    assert {stage["name"]: stage["mismatches"] for stage in stages} == {"qonnx": 0, "source": 0}


def test_a_folding_that_does_not_fit_a_given_model_is_refused(folder: Path, built: Path) -> None:
    config = json.loads((folder / "small.json").read_text())
    config["folding"]["decoder"]["pe"] = 8
    (folder / "wide.json").write_text(json.dumps(config))
    arguments = ["build", "--config", str(folder / "wide.json"), "--output", str(folder / "wide")]
    assert main([*arguments, "--model", str(built / "model" / "model.onnx")]) == EXIT_USAGE
    assert not (folder / "wide").exists()


def test_an_unrolled_pipeline_in_copies_equals_the_oracle_at_the_estimated_rate(folder: Path) -> None:
    config = json.loads((folder / "small.json").read_text())
    config |= {"unroll": {"encoder": 3}, "copies": 2}
    config["verification"] = {"software_sequences": 5, "rtl_pixels": 8}
    (folder / "many.json").write_text(json.dumps(config))
    output = folder / "many"
    arguments = ["build", "--config", str(folder / "many.json"), "--output", str(output)]
    assert main([*arguments, "--until", "verify_rtl"]) == 0
    stages = {s["name"]: s["mismatches"] for s in read(output, "report/verification.json")["stages"]}
    assert stages["layer_rtl"] == stages["stitched_rtl"] == 0
    layers = read(output, "report/parts/finn.json")["layers"]
    ops = [layer["op"] for layer in layers]
    assert (ops.count("GRU_rtl"), ops.count("DenseHead_rtl"), ops.count("Deal_rtl")) == (
        2 * (3 + 1),
        2,
        1 + 2,
    )
    rtlsim = read(output, "report/rtlsim.json")
    slowest = max(layer["group_cycles"] for layer in layers) / (config["lanes"] * config["copies"])
    assert rtlsim["cycles_per_pixel"] == pytest.approx(slowest, rel=0.05)
    assert 0 < rtlsim["mac_efficiency"] <= 1


@pytest.mark.parametrize("name", config_names())
def test_the_fast_stages_of_every_shipped_configuration_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = json.loads((Path(__file__).parents[2] / "build_configs" / f"{name}.json").read_text())
    config["verification"]["software_sequences"] = 20
    (tmp_path / f"{name}.json").write_text(json.dumps(config))
    arguments = ["--config", str(tmp_path / f"{name}.json"), "--output", str(tmp_path / "out")]
    assert main(["build", *arguments, "--until", "rtl"]) == 0
    assert (tmp_path / "out" / "rtl" / "finn_flirnn_top.sv").is_file()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An image file whose reader gives simulated decays of 6 x 4 pixels."""
    counts = simulate(PAPER135, 24, seed=9).counts.astype(np.uint32).reshape(6, 4, -1)
    # a whole laser period, as instruments record it
    counts = np.concatenate([counts, counts[..., :4]], axis=2)
    used = np.ones(counts.shape[2], np.bool_)
    recorded = FlimImage(counts, PAPER135.gate_step_ns, PAPER135.laser_period_ns, used, tmp_path, 0)
    monkeypatch.setattr(image, "read_image", lambda path: recorded)
    path = tmp_path / "measured.ptu"
    path.touch()
    return path


def test_an_image_becomes_maps_and_the_hardware_agrees(
    built: Path, measured: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "maps"
    arguments = ["--build", str(built), "--binning", "1", "--rtl", "13", "--output", str(output)]
    assert main(["image", str(measured), *arguments]) == 0
    lifetimes = tifffile.imread(output / "tau_m_ns.tif")
    assert lifetimes.shape == (6, 4) and lifetimes.dtype == np.float32
    summary = json.loads((output / "image.json").read_text())
    assert summary["rtl"] == {"pixels": 13, "codes": 15 * 135 * 3, "mismatches": 0}
    assert summary["agreement_with_fit"]["pixels"] == np.isfinite(lifetimes).sum() > 0
    assert (output / "lifetime_map.png").stat().st_size > 10_000
    assert "mean lifetimes against the fit" in capsys.readouterr().out
    assert os.listdir(output.parent).count("maps") == 1 and not (output / ".staging").exists()


def test_a_build_is_validated_with_the_image_it_prepares(built: Path, measured: Path, tmp_path: Path) -> None:
    """Quick's 500 judged decays are its test set; 5 of them and 5 pixels of the image are sent."""
    words = ["validate", "--deploy", str(built / "deploy"), "--device", "sim", "--output", str(tmp_path)]
    assert main([*words, "--image", str(measured), "--binning", "1", "--pixels", "5"]) == 0
    report = json.loads((tmp_path / "validation.json").read_text())
    assert [report[key] for key in ("outcome", "pixels", "mismatches")] == ["equal", 5, 0]
    assert (report["image"]["pixels"], report["image"]["mismatches"]) == (5, 0)
    assert report["latency"]["seconds"] == pytest.approx(report["latency"]["predicted_seconds"], rel=0.1)
    assert np.load(tmp_path / "image.npz")["mask"].sum() > 5


def test_a_file_that_is_no_image_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.ptu").write_bytes(b"PQTTTR\0\0 and then nothing")
    assert main(["image", str(tmp_path / "broken.ptu"), "--build", str(built)]) == 1
    assert not (built / "image").exists()
