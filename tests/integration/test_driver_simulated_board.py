# SPDX-License-Identifier: BSD-3-Clause
"""The driver and validate.py against the Verilated stitched design in place of the board."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment, build_identifier
from finn_flirnn.build.rtl_files import collect_sources, load_module
from finn_flirnn.build.simulated_board import SimulatedBoard, open_board
from finn_flirnn.codegen import (
    DenseFolding,
    GruFolding,
    Instance,
    Link,
    RtlModule,
    StreamPort,
    emit_dense,
    emit_gru,
    stitch,
)
from finn_flirnn.driver import Accelerator, DeviceError, DeviceTimeoutError, SimulatedDevice, WrongBuildError
from finn_flirnn.numerics import Format, Seq2SeqNetwork
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135

FAKES = Path(__file__).parents[1] / "fakes"
PRESET = replace(PAPER135, gates=24)
LANES, PIXELS = 3, 7


@dataclass(frozen=True)
class Build:
    """The output directory of a small build."""

    output: Path
    network: Seq2SeqNetwork
    counts: np.ndarray

    @property
    def deploy(self) -> Path:
        return self.output / "deploy"

    @property
    def codes(self) -> np.ndarray:
        """Output codes of the oracle for the example decays."""
        inputs = self.network.input_format.quantise(normalise(self.counts))
        return self.network.run(inputs[:, :, np.newaxis])


def make_build(output: Path, network: Seq2SeqNetwork) -> Build:
    """Hardware and deployment package, as the steps of build.py make them."""
    scratch = output / "rtl"
    layers = {
        "encoder": emit_gru(network.encoder, network.steps, GruFolding(2, 2, 1, LANES), scratch, "encoder"),
        "decoder": emit_gru(network.decoder, network.steps, GruFolding(2, 2, 1, LANES), scratch, "decoder"),
        "head": emit_dense(network.head, DenseFolding(3, 2), scratch, "head"),
    }
    top = stitch(
        scratch,
        "top",
        [Instance(name, module) for name, module in layers.items()],
        [
            Link(("encoder", "out0_V"), ("decoder", "in0_V"), 8),
            Link(("decoder", "out0_V"), ("head", "in0_V"), 8),
        ],
    )
    module = collect_sources(top, scratch)
    spec = DeploymentSpec(
        name="small",
        board="ZCU104",
        clock_mhz=200.0,
        lanes=LANES,
        model_sha256="ab" * 32,
        pixels_per_s=1000.0,
        output_names=("full", "short", "long"),
        gate_step_ns=PRESET.gate_step_ns,
        conditions={},
    )
    counts = simulate(PRESET, PIXELS, seed=5).counts
    assemble_deployment(output, spec, network, module, counts)
    return Build(output, network, counts)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        fakes = importlib.import_module("oracle_engine")
    return make_build(tmp_path_factory.mktemp("build"), fakes.small_network(PRESET.gates))


def run_validate(build: Build, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """validate.py of the package, as a user runs it: exit status, JSON result, terminal output."""
    report = build.output / "result.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "validate.py", "--device", "sim", "--json", str(report), *arguments]
    done = subprocess.run(
        command,
        cwd=build.deploy,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stderr
    return done.returncode, json.loads(report.read_text()), done.stdout + done.stderr


def test_validate_finds_every_code_of_the_design_equal(build: Build) -> None:
    status, result, text = run_validate(build, "--build", str(build.output))
    assert status == 0, text
    assert (result["outcome"], result["mismatches"]) == ("equal", 0)
    assert (result["pixels"], result["codes"]) == (PIXELS, PIXELS * PRESET.gates * 3)


def test_driver_gives_the_oracles_components_with_a_jerky_dma(build: Build) -> None:
    board = SimulatedBoard(load_module(build.output / "rtl"), stalls=0.3)
    with Accelerator.open(build.deploy, SimulatedDevice(board)) as accelerator:
        components = accelerator.infer(build.counts)
    expected = build.network.output_format.dequantise(build.codes).astype(np.float32)
    assert np.array_equal(components, expected)


def test_design_of_another_model_is_refused_by_name(build: Build, tmp_path: Path) -> None:
    head = replace(build.network.head, bias=build.network.head.bias + 1)
    other = make_build(tmp_path / "other", replace(build.network, head=head))
    status, result, text = run_validate(build, "--build", str(other.output))
    assert (status, result["error"]) == (2, "WrongBuildError"), text
    assert build_identifier(load_module(other.output / "rtl")) in result["message"]


def test_altered_weight_is_another_build(build: Build, tmp_path: Path) -> None:
    shutil.copytree(build.output / "rtl", tmp_path / "rtl")
    bias = tmp_path / "rtl" / "encoder_bias.sv"
    bias.write_text(bias.read_text() + "// touched\n")
    with pytest.raises(WrongBuildError, match="says that it is"):
        Accelerator.open(build.deploy, SimulatedDevice(open_board(tmp_path)))


@pytest.mark.parametrize("damage", ["no rtl", "no source", "bad source"])
def test_build_that_cannot_be_simulated_is_named(build: Build, tmp_path: Path, damage: str) -> None:
    if damage != "no rtl":
        shutil.copytree(build.output / "rtl", tmp_path / "rtl")
    if damage == "no source":
        (tmp_path / "rtl" / "head.sv").unlink()
    if damage == "bad source":
        (tmp_path / "rtl" / "head.sv").write_text("module head; nonsense\n")
    status, result, text = run_validate(build, "--build", str(tmp_path))
    assert (status, result["error"]) == (2, "DeploymentError"), text
    assert "cannot be simulated" in result["message"]


SINK = """
module sink (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [7:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [7:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  logic unused;
  assign unused = &{1'b0, ap_clk, ap_rst_n, in0_V_TDATA, in0_V_TVALID, out0_V_TREADY};
  assign in0_V_TREADY = 1'b1;
  assign out0_V_TDATA = 8'h0;
  assign out0_V_TVALID = %s;
endmodule
"""


def byte_port(name: str) -> StreamPort:
    return StreamPort(name, 1, Format(8, 0))


def little_board(folder: Path, valid: str) -> SimulatedDevice:
    """A design that takes everything and gives nothing, or never stops giving."""
    source = folder / "sink.sv"
    source.write_text(SINK % valid)
    ports = (byte_port("in0_V"),), (byte_port("out0_V"),)
    return SimulatedDevice(SimulatedBoard(RtlModule("sink", folder, (source,), (), *ports)))


def test_design_that_stands_still_times_out(tmp_path: Path) -> None:
    with pytest.raises(DeviceTimeoutError, match="no transfer for"):
        little_board(tmp_path, "1'b0").transfer(bytes(3), 3)


def test_design_that_gives_too_much_is_a_device_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="more than it should"):
        little_board(tmp_path, "1'b1").transfer(bytes(3), 3)


def test_design_with_two_inputs_is_refused(tmp_path: Path) -> None:
    ports = (byte_port("in0_V"), byte_port("in1_V")), (byte_port("out0_V"),)
    with pytest.raises(ValueError, match="must have one input stream"):
        SimulatedBoard(RtlModule("sink", tmp_path, (), (), *ports))
