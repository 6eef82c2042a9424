# SPDX-License-Identifier: BSD-3-Clause
"""Finding the outside tools, and preparing FINN without leaving traces."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

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
    for name in ("XILINX_VIVADO", "XILINX_HLS", "XILINX_VITIS", "CXX"):
        monkeypatch.delenv(name, raising=False)
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
