# SPDX-License-Identifier: BSD-3-Clause
"""The command line: exit status, one message, no traceback, nothing written for a refused request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.build import command
from finn_flirnn.build.config import find_config
from finn_flirnn.build.errors import EXIT_INTERRUPTED
from finn_flirnn.build.main import main
from finn_flirnn.build.steps import STEPS
from finn_flirnn.build.toolchain import Toolchain
from finn_flirnn.common.errors import EXIT_FAILED, EXIT_USAGE

HERE = Path("/usr/bin/true")
COMPLETE = Toolchain(cxx=HERE, make=HERE)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads(find_config("quick_8bit").read_text()))


def run(tmp_path: Path, config: dict[str, Any], *arguments: str) -> int:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return main(["build", "--config", str(path), "--output", str(tmp_path / "out"), *arguments])


def test_list_names_configurations_and_steps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "zcu104_8bit" in shown
    assert all(step.name in shown for step in STEPS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--config is missing"),
        (["--config", "no_such_config"], "zcu104_8bit"),
        (["--config", "quick_8bit", "--until", "nowhere"], "choose from model, software"),
        (["--config", "quick_8bit", "--model", "weights.npz"], "must be a .onnx file"),
        (["--config", "quick_8bit", "--model", "missing.onnx"], "there is no file missing.onnx"),
    ],
)
def test_wrong_usage_is_refused_in_one_message(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *arguments, "--output", str(tmp_path / "out")]) == EXIT_USAGE
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown
    assert not (tmp_path / "out").exists()


def test_all_problems_of_a_configuration_are_shown(
    tmp_path: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config |= {"clock_mhz": 0, "board": "ZX81"}
    config["folding"]["encoder"]["pe"] = 5
    assert run(tmp_path, config) == EXIT_USAGE
    shown = capsys.readouterr().err
    assert all(path in shown for path in ("clock_mhz", "board", "folding.encoder.pe"))
    assert "[1, 2, 4, 8, 16, 32]" in shown


@pytest.mark.parametrize("content", [b"", b"not an onnx file", b"\x08\x07"], ids=["empty", "text", "cut"])
def test_a_corrupt_model_file_is_refused(
    content: bytes, tmp_path: Path, config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_bytes(content)
    assert run(tmp_path, config, "--model", str(tmp_path / "bad.onnx")) == EXIT_USAGE
    assert "must be a valid ONNX model" in capsys.readouterr().err


def test_a_missing_vivado_is_an_error_if_it_was_asked_for(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "find_tools", lambda: COMPLETE)
    assert run(tmp_path, config | {"flow": "vivado"}) == EXIT_FAILED
    shown = capsys.readouterr().err
    assert '"flow": "vivado" needs Vivado' in shown and "settings64.sh" in shown
    assert not (tmp_path / "out").exists()


def test_a_missing_compiler_is_told_before_anything_is_built(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "find_tools", lambda: replace(COMPLETE, cxx=None))
    assert run(tmp_path, config) == EXIT_FAILED
    shown = capsys.readouterr().err
    assert "a C++ compiler not found; install g++" in shown and "--until rtl" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OSError(28, "No space left on device"), EXIT_FAILED, "the disk is full"),
        (PermissionError(13, "Permission denied"), EXIT_FAILED, "Permission denied"),
        (KeyboardInterrupt(), EXIT_INTERRUPTED, "--resume"),
        (RuntimeError("a tool said no"), EXIT_FAILED, "a tool said no"),
    ],
    ids=["full disk", "permission", "interrupt", "tool"],
)
def test_what_a_build_raises_becomes_a_message_and_a_status(
    error: BaseException,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(command, "build", fail)
    assert main(["build", "--config", "quick_8bit"]) == status
    shown = capsys.readouterr().err
    assert message in shown
    assert "Traceback" not in shown


def test_an_output_that_is_a_file_is_refused(
    tmp_path: Path,
    config: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "find_tools", lambda: COMPLETE)
    (tmp_path / "out").write_text("mine")
    assert run(tmp_path, config) == EXIT_FAILED
    assert "exists" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["image.ptu", "--build", "nowhere"], "must be the output folder of a build"),
        (["image.ptu", "--build", "nowhere", "--rtl", "-1"], "must not be negative"),
    ],
)
def test_image_refuses_what_is_not_there(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", *arguments]) == EXIT_USAGE
    assert message in capsys.readouterr().err


def test_doctor_names_what_is_missing_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from finn_flirnn.build import doctor

    monkeypatch.setattr(doctor, "find_tools", lambda: Toolchain(make=HERE))
    assert main(["doctor"]) == EXIT_FAILED
    shown = capsys.readouterr()
    assert "finn-plus              1.6.1" in shown.out
    assert "settings64.sh" in shown.out
    assert "install g++ and make" in shown.err


def test_doctor_tells_for_every_board_whether_a_bitstream_can_be_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from finn_flirnn.build import doctor

    tools = replace(
        COMPLETE,
        vivado=HERE,
        vivado_root=tmp_path / "2023.1",
        vitis_hls=HERE,
        finn_deps=tmp_path,
    )
    monkeypatch.setattr(doctor, "find_tools", lambda: tools)
    assert main(["doctor"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "simulate hardware yes" in shown
    assert "bitstream ZCU104 yes" in shown
    assert f"bitstream Pynq-Z2 no: the board files of tul.com.tw:pynq-z2 are not in {tmp_path}" in shown
    assert "bitstream U250 no: v++ and XILINX_VITIS" in shown
    assert "FINN+ 1.6.1 is meant for Vivado 2022.2 and 2024.2; this is 2023.1." in shown
    assert "licence manager" in shown and "free disk" in shown


def test_interrupted_study_goes_on_with_the_same_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("finn_flirnn.study.command.run", interrupted)
    assert main(["study", "--grid", "quick"]) == EXIT_INTERRUPTED
    assert "go on with the same command" in capsys.readouterr().err
