# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn validate`` on the simulated system: what is right passes, what is wrong is named."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.main import main
from finn_flirnn.build.rtl_files import load_module, save_module
from finn_flirnn.codegen import accelerator
from finn_flirnn.driver.examples import ImageSample
from finn_flirnn.driver.order import PIXELS as PIXEL_ORDER
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.rtl import register_sources
from tests.fakes.small_build import LANES, PIXELS, PRESET, Build, deploy_small, make_build, stitched

FAKES = Path(__file__).parents[1] / "fakes"
GROUP = LANES * PRESET.gates
"""Transfers of a group, in as out: a code of each pixel, three of each pixel."""


@pytest.fixture(scope="module")
def network() -> Seq2SeqNetwork:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        fakes = importlib.import_module("oracle_engine")
    made: Seq2SeqNetwork = fakes.small_network(PRESET.gates)
    return made


@pytest.fixture(scope="module")
def build(network: Seq2SeqNetwork, tmp_path_factory: pytest.TempPathFactory) -> Build:
    return make_build(tmp_path_factory.mktemp("build"), network)


FAULTY = """
// The design "top" with something wrong from transfer AT on; TLAST where PIXEL transfers are a pixel.
module faulty (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [7:0] in0_V_TDATA,
%(last_in)s
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [23:0] out0_V_TDATA,
%(last_out)s
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  logic [31:0] given, taken, total;
  logic [23:0] dat;
  logic vld, rdy, open, stalled, lost, ending, unused;
  assign unused = &{1'b0, ending};
  assign stalled = %(stalled)s;
  assign lost = %(lost)s;
  assign in0_V_TREADY = open && !stalled;
  assign out0_V_TDATA = dat ^ (%(flip)s);
  assign out0_V_TVALID = vld && !lost && !stalled;
  assign rdy = (out0_V_TREADY && !stalled) || lost;
  assign ending = given + 32'd1 == total;
%(assign)s
  top u_top (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
      .in0_V_TDATA(in0_V_TDATA), .in0_V_TVALID(in0_V_TVALID && !stalled), .in0_V_TREADY(open),
      .out0_V_TDATA(dat), .out0_V_TVALID(vld), .out0_V_TREADY(rdy)
  );
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      given <= '0;
      taken <= '0;
      total <= '0;
    end else begin
      if (vld && rdy) given <= given + 1'b1;
      if (in0_V_TVALID && in0_V_TREADY) begin
        taken <= taken + 1'b1;
        if (%(end)s) total <= taken + 1'b1;
      end
    end
  end
endmodule
"""
WHOLE = {
    "last_in": "",
    "last_out": "",
    "flip": "24'd0",
    "lost": "1'b0",
    "stalled": "1'b0",
    "assign": "",
    "end": "1'b0",
}
AT = 2 * GROUP + 7  # in the test set's first group, after the one that goes alone
FAULTS = {
    "flip": {"flip": f"given == 32'd{AT} ? 24'h001000 : 24'd0"},
    "lost": {"lost": f"vld && given == 32'd{AT}"},
    "stalled": {"stalled": f"taken >= 32'd{AT}"},
}


def faulty(
    build: Build, folder: Path, faults: dict[str, str], lanes: int = LANES, order: str = "groups"
) -> Path:
    """A build whose hardware has a fault; its package belongs to it and promises what is right."""
    core = stitched(build.network, folder / "rtl", lanes)
    source = folder / "rtl" / "faulty.sv"
    source.write_text(FAULTY % {**WHOLE, **faults})
    ends = bool(faults.get("last_out"))
    (given,), (sink,) = core.inputs, core.outputs
    module = replace(
        core,
        top="faulty",
        sources=(*core.sources, source),
        inputs=(replace(given, last=ends),),
        outputs=(replace(sink, last=ends),),
    )
    save_module(module)
    return deploy_small(folder, build.network, module, lanes, order).deploy


def validate(deploy: Path, output: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and validation.json of the command on the simulated system."""
    words = [
        "validate",
        "--deploy",
        str(deploy),
        "--device",
        "sim",
        "--image",
        "none",
        "--output",
        str(output),
    ]
    status = main([*words, *arguments])
    return status, json.loads((output / "validation.json").read_text())


def test_right_hardware_is_equal_and_reported(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = ImageSample(
        "cell.ptu", build.counts[:3], build.codes[:3], np.eye(3, dtype=bool), 100 * np.eye(3), np.ones(3)
    )
    image.save(tmp_path / "cell.npz")
    status, report = validate(build.deploy, tmp_path, "--image", str(tmp_path / "cell.npz"))
    assert status == 0
    assert (report["outcome"], report["measured_in"]) == ("equal", "simulated cycles")
    for run, pixels in ((report, PIXELS), (report["image"], 3), (report["pauses"], PIXELS)):
        assert (run["pixels"], run["mismatches"]) == (pixels, 0)
    assert report["build_id"] == build_identifier(load_module(build.output / "rtl"))
    assert report["accuracy"]["rmse"].keys() == {"full", "short", "long"}
    page = (tmp_path / "validation.html").read_text()
    assert "cell.ptu" in page and page.count("<svg") == 3
    assert "EQUAL" in capsys.readouterr().out


def test_speed_is_cycles_of_the_simulation_not_time(build: Build, tmp_path: Path) -> None:
    """Two runs take different times and the same cycles."""
    speeds = [validate(build.deploy, tmp_path)[1] for _ in range(2)]
    assert speeds[0]["seconds"] == speeds[1]["seconds"]
    cycles = speeds[0]["seconds"] * 200e6
    assert cycles == pytest.approx(round(cycles)) and speeds[0]["latency"]["seconds"] < speeds[0]["seconds"]


def test_flipped_bit_of_a_result_is_different_and_located(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = validate(faulty(build, tmp_path / "build", FAULTS["flip"]), tmp_path)
    assert (status, report["outcome"], report["mismatches"]) == (1, "different", 1)
    step, lane = divmod(AT - GROUP, LANES)  # one group went before, for the latency
    pixel = lane if step < PRESET.gates else LANES + lane
    first = report["first_mismatch"]
    assert (first["pixel"], first["step"], first["output"]) == (pixel, step % PRESET.gates, 1)
    assert abs(first["expected"] - first["got"]) == 16
    text = capsys.readouterr().err
    assert f"first mismatch: pixel {pixel}, step {step % PRESET.gates}, output 1" in text
    assert text.rstrip().endswith("DIFFERENT")


@pytest.mark.parametrize(("fault", "left"), [("lost", "write_V: waits"), ("stalled", "read_V: waits")])
def test_lost_bytes_and_a_stalled_device_are_timeouts(
    build: Build, tmp_path: Path, fault: str, left: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = validate(faulty(build, tmp_path / "build", FAULTS[fault]), tmp_path)
    assert (status, report["outcome"], report["error"]) == (2, "failed", "DeviceTimeoutError")
    assert "no transfer for" in report["message"] and left in report["message"]
    assert "DeviceTimeoutError" in (tmp_path / "validation.html").read_text()
    assert "validation failed: DeviceTimeoutError" in capsys.readouterr().err


def test_hardware_of_another_build_is_refused_by_both_identifiers(
    build: Build, network: Seq2SeqNetwork, tmp_path: Path
) -> None:
    other = replace(network, head=replace(network.head, bias=network.head.bias + 1))
    made = make_build(tmp_path / "other", other)
    status, report = validate(build.deploy, tmp_path, "--build", str(made.output))
    assert (status, report["error"]) == (2, "WrongBuildError")
    for output in (build.output, made.output):
        assert build_identifier(load_module(output / "rtl")) in report["message"]


def test_other_weights_under_the_right_identifier_are_different(
    build: Build, network: Seq2SeqNetwork, tmp_path: Path
) -> None:
    """A package made for the very hardware, but promising another network."""
    other = replace(network, head=replace(network.head, bias=network.head.bias + 500))
    module = stitched(other, tmp_path / "build" / "rtl")
    made = deploy_small(tmp_path / "build", network, module)
    status, report = validate(made.deploy, tmp_path)
    assert (status, report["outcome"]) == (1, "different")
    assert report["mismatches"] > PIXELS


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ("MAGIC = 32'h4E524C46", "MAGIC = 32'h4E524C47", "its magic is 0x4e524c47 and not 0x4e524c46"),
        ("VERSION = 32'd1", "VERSION = 32'd2", "its map version is 0x00000002"),
    ],
)
def test_registers_of_something_else_are_refused(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, was: str, becomes: str, reason: str
) -> None:
    text = register_sources()[0].read_text()
    assert was in text
    altered = tmp_path / "control_registers.sv"
    altered.write_text(text.replace(was, becomes))
    monkeypatch.setattr(accelerator, "register_sources", lambda: (altered,))
    status, report = validate(build.deploy, tmp_path)
    assert (status, report["error"]) == (2, "WrongBuildError")
    assert reason in report["message"]


ENDS = {
    "last_in": "    input  logic in0_V_TLAST,",
    "last_out": "    output logic out0_V_TLAST,",
    "end": "in0_V_TLAST",
}


@pytest.mark.parametrize(
    ("last", "status", "message"),
    [
        ("ending", 0, ""),
        ("1'b0", 2, f"TLAST is missing on transfer {PRESET.gates}, the last"),
        ("ending || given + 32'd4 == total", 2, f"TLAST came early, with transfer {PRESET.gates - 3} of"),
    ],
    ids=["right", "missing", "early"],
)
def test_end_of_a_transfer_is_checked(
    build: Build, tmp_path: Path, last: str, status: int, message: str
) -> None:
    """One lane, pixel after pixel: a transfer may end after any pixel, and TLAST tells on both sides."""
    faults = {**ENDS, "assign": f"  assign out0_V_TLAST = {last};"}
    deploy = faulty(build, tmp_path / "build", faults, lanes=1, order=PIXEL_ORDER)
    found, report = validate(deploy, tmp_path)
    assert found == status
    if status:
        assert report["error"] == "DeviceError" and message in report["message"]


def test_image_that_cannot_be_prepared_ends_with_two(
    build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["validate", "--deploy", str(build.deploy), "--device", "sim", "--output", str(tmp_path)]
    assert main([*words, "--image", str(tmp_path / "absent.ptu")]) == 2
    assert "must be the output folder of a build" in capsys.readouterr().err


def test_folder_that_is_no_package_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--deploy", str(tmp_path), "--device", "sim", "--image", "none"]) == 2
    assert "accelerator.json must exist" in capsys.readouterr().err
