# SPDX-License-Identifier: BSD-3-Clause
"""The driver and validate.py against the Verilated system in place of the board."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.simulated_board import open_board, simulated_board, system_of
from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.driver import (
    Accelerator,
    AcceleratorMetadata,
    DeviceError,
    DeviceTimeoutError,
    SimulatedDevice,
    WrongBuildError,
)
from finn_flirnn.numerics import Format
from finn_flirnn.physics.preprocess import normalise
from tests.fakes.small_build import PIXELS, PRESET, Build, make_build

FAKES = Path(__file__).parents[1] / "fakes"


def group_bytes(build: Build) -> tuple[int, int]:
    meta = AcceleratorMetadata.read(build.deploy)
    return meta.group_input_bytes, meta.group_output_bytes


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
    board = simulated_board(load_module(build.output / "rtl"), group_bytes(build), stalls=0.3)
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
        Accelerator.open(build.deploy, SimulatedDevice(open_board(tmp_path, group_bytes(build), None, 0.0)))


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
    return SimulatedDevice(simulated_board(RtlModule("sink", folder, (source,), (), *ports), (3, 3)))


def test_design_that_stands_still_times_out(tmp_path: Path) -> None:
    with pytest.raises(DeviceTimeoutError, match="no transfer for"):
        little_board(tmp_path, "1'b0").transfer(bytes(3), 3)


def test_design_that_gives_too_much_is_a_device_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="more than it should"):
        little_board(tmp_path, "1'b1").transfer(bytes(3), 3)


def test_design_with_two_inputs_is_refused(tmp_path: Path) -> None:
    ports = (byte_port("in0_V"), byte_port("in1_V")), (byte_port("out0_V"),)
    with pytest.raises(ValueError, match="must have one input stream"):
        simulated_board(RtlModule("sink", tmp_path, (), (), *ports), (3, 3))


def test_system_goes_on_from_transfer_to_transfer_and_counts_groups(build: Build) -> None:
    """No reset between transfers; the registers' counters tell of them all."""
    board = simulated_board(load_module(build.output / "rtl"), group_bytes(build), stalls=0.2)
    inputs = build.network.input_format.quantise(normalise(build.counts))[:, :, np.newaxis]
    with Accelerator.open(build.deploy, SimulatedDevice(board)) as accelerator:
        parts = [accelerator.infer_codes(part) for part in (inputs[:3], inputs[3:4], inputs[4:])]
        status = accelerator.status()
    assert np.array_equal(np.concatenate(parts), build.codes)
    assert status is not None and (status.groups_accepted, status.groups_finished) == (3, 3)
    assert status.build_id == AcceleratorMetadata.read(build.deploy).build_id


def test_memory_words_are_as_wide_as_finns_shell_has_them(build: Build, tmp_path: Path) -> None:
    """24 steps of 3 lanes: 576 bits in, 3 x 8 x 72 out; both are odd multiples of 64."""
    core = load_module(build.output / "rtl")
    system = system_of(core, group_bytes(build), tmp_path)
    words = {port.name: port.padded_bits for port in (*system.inputs, *system.outputs)}
    assert (words["read_V"], words["write_V"]) == (64, 64)
