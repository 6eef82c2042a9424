# SPDX-License-Identifier: BSD-3-Clause
"""Finding the outside tools, and preparing FINN without leaving traces."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from finn_flirnn.build.amd import missing_for_board
from finn_flirnn.build.toolchain import Toolchain, find_tools, prepare_finn


def tool(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(stat.S_IRWXU)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH; no Xilinx settings."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in ("XILINX_VIVADO", "XILINX_HLS", "XILINX_VITIS", "XILINX_XRT", "PLATFORM_REPO_PATHS", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FINN_DEPS", str(tmp_path / "no-finn-deps"))
    return folder


def test_what_is_missing_is_named_with_a_remedy(bare: Path) -> None:
    tools = find_tools()
    assert tools == Toolchain()
    assert tools.vivado_version is None
    assert tools.missing_for_bitstream is not None and tools.missing_for_simulation is not None
    assert tools.missing_for_bitstream.startswith("vivado and vitis_hls not found; install")
    assert tools.missing_for_simulation == "a C++ compiler and make not found; install g++ and make"


def test_only_what_is_missing_is_named(bare: Path) -> None:
    tool(bare, "vivado")
    tool(bare, "make")
    tools = find_tools()
    assert tools.missing_for_bitstream is not None and tools.missing_for_simulation is not None
    assert tools.missing_for_bitstream.startswith("vitis_hls not found")
    assert tools.missing_for_simulation.startswith("a C++ compiler not found")


def test_vivado_on_the_path_tells_its_installation_and_release(bare: Path, tmp_path: Path) -> None:
    installed = tool(tmp_path / "Vivado" / "2023.1" / "bin", "vivado")
    (bare / "vivado").symlink_to(installed)
    tools = find_tools()
    assert tools.vivado_root == tmp_path / "Vivado" / "2023.1"
    assert tools.vivado_version == "2023.1"


def test_vivado_is_found_by_its_variable_alone_and_finn_will_find_it(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "Vivado" / "2022.2"
    vivado = tool(root / "bin", "vivado")
    monkeypatch.setenv("XILINX_VIVADO", str(root))
    assert find_tools().vivado == vivado
    with mock.patch.dict(os.environ):
        prepare_finn(tmp_path / "build")
        assert os.environ["PATH"].split(os.pathsep)[0] == str(vivado.parent)
        assert os.environ["XILINX_VIVADO"] == str(root)


@pytest.mark.parametrize("name", ["vitis_hls", "vitis-run"])
def test_either_name_of_vitis_hls_will_do(bare: Path, name: str) -> None:
    assert find_tools().vitis_hls is None
    assert tool(bare, name) == find_tools().vitis_hls


@pytest.mark.parametrize(
    ("release", "called", "not_called"),
    [
        ("2022.2", "vitis_hls", "vitis-run"),
        ("2024.2", "vitis_hls", "vitis-run"),
        ("2025.1", "vitis-run", "vitis_hls"),
    ],
)
def test_vitis_hls_is_the_command_that_finn_calls_for_the_release(
    bare: Path, tmp_path: Path, release: str, called: str, not_called: str
) -> None:
    (bare / "vivado").symlink_to(tool(tmp_path / "Vivado" / release / "bin", "vivado"))
    tool(bare, not_called)
    assert find_tools().vitis_hls is None
    assert tool(bare, called) == find_tools().vitis_hls


def test_vitis_hls_is_found_by_its_variable_alone_and_finn_will_find_it(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitis_hls = tool(tmp_path / "Vitis_HLS" / "2022.2" / "bin", "vitis_hls")
    monkeypatch.setenv("XILINX_HLS", str(vitis_hls.parents[1]))
    with mock.patch.dict(os.environ):
        assert prepare_finn(tmp_path / "build").vitis_hls == vitis_hls
        assert str(vitis_hls.parent) in os.environ["PATH"].split(os.pathsep)


def test_a_release_that_finn_cannot_read_is_named(bare: Path, tmp_path: Path) -> None:
    (bare / "vivado").symlink_to(tool(tmp_path / "latest" / "bin", "vivado"))
    tool(bare, "vitis_hls")
    tools = find_tools()
    assert tools.vivado_version == "unknown"
    assert tools.missing_for_bitstream is not None
    assert "latest names none; set XILINX_VIVADO" in tools.missing_for_bitstream


@pytest.fixture
def complete(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Vivado, Vitis HLS and FINN's dependencies without board files; gives the dependencies' folder."""
    (bare / "vivado").symlink_to(tool(tmp_path / "Vivado" / "2022.2" / "bin", "vivado"))
    tool(bare, "vitis_hls")
    assert find_tools().missing_for_bitstream == (
        "finn-hlslib and the board files that FINN brings are not here; run finn deps update, "
        "or set FINN_DEPS to where they are"
    )
    deps = tmp_path / "deps"
    (deps / "finn-hlslib").mkdir(parents=True)
    (deps / "finn-hlslib" / "bnn-library.h").touch()
    monkeypatch.setenv("FINN_DEPS", str(deps))
    return deps


def test_with_tools_and_dependencies_nothing_is_missing_for_a_board_that_vivado_knows(complete: Path) -> None:
    tools = find_tools()
    assert tools.finn_deps == complete
    assert tools.missing_for_bitstream is None
    assert missing_for_board(tools, "ZCU104") is None


def test_missing_board_files_are_named_with_a_remedy(complete: Path) -> None:
    missing = missing_for_board(find_tools(), "Pynq-Z2")
    assert missing is not None
    assert "board files of tul.com.tw:pynq-z2 are not in" in missing and "finn deps update" in missing
    other = complete / "board_files" / "pynq-z1" / "board.xml"
    other.parent.mkdir(parents=True)
    other.write_text('<board vendor="tul.com.tw" name="pynq-z1">\n')
    assert missing_for_board(find_tools(), "Pynq-Z2") is not None
    other.write_text('<board schema_version="2.0" vendor="tul.com.tw" name="pynq-z2">\n')
    assert missing_for_board(find_tools(), "Pynq-Z2") is None


def test_a_card_needs_vitis_and_xrt_too(complete: Path, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = missing_for_board(find_tools(), "U250")
    assert missing is not None
    assert missing.startswith(
        "v++ and XILINX_VITIS and XILINX_XRT and PLATFORM_REPO_PATHS not found; install"
    )
    tool(bare, "v++")
    for name in ("XILINX_VITIS", "XILINX_XRT", "PLATFORM_REPO_PATHS"):
        monkeypatch.setenv(name, str(bare))
    assert missing_for_board(find_tools(), "U250") is None


def test_another_compiler_can_be_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "clang++")
    assert find_tools().cxx is None
    assert tool(bare, "clang++") == find_tools().cxx


def test_preparing_finn_touches_neither_home_nor_the_settings_there(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\n"
        "from finn_flirnn.build.toolchain import prepare_finn\n"
        "prepare_finn(Path('build'))\n"
        "from finn.builder.build_dataflow import build_dataflow_cfg\n"
        "from finn.util.settings import get_settings\n"
        "assert get_settings().finn_build_dir == Path('build').resolve()\n"
        "from qonnx.custom_op.registry import is_custom_op\n"
        "assert is_custom_op('finn.custom_op.fpgadataflow.rtl', 'GRU_rtl')\n"
    )
    project = Path(__file__).parents[2]
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("FINN_", "XILINX_"))},
        "HOME": str(home),
        "PYTHONPATH": str(project),
    }
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert not (home / ".finn").exists()
