# SPDX-License-Identifier: BSD-3-Clause
"""FINN's Vitis flow for the U250 up to its calls of v++, answered by the strict stand-in of tests/vendor.

This checks scripts. It synthesises nothing, and no number in here comes from a vendor's tool.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl; on Debian and Ubuntu: apt install python3-tk")

from finn_flirnn.build.steps.bitfile import XCLBIN
from finn_flirnn.build.toolchain import find_tools, prepare_finn
from tests.vendor import LABEL, kernels
from tests.vendor.flow import run_flow
from tests.vendor.install import PLATFORM, Installation, install
from tests.vendor.running import edited, run

pytestmark = [
    pytest.mark.filterwarnings("ignore:Assuming 4D input is NCHW"),
    # FINN leaves the HLS sources that it writes open
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
    ),
]
NETWORK = "StreamingDataflowPartition_1"


@dataclass(frozen=True)
class Made:
    """One run of the flow. link: folder of the linker's script; packaging: of the network's kernel."""

    tools: Installation
    finn: Path
    link: Path
    packaging: Path
    skipped: tuple[object, ...]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("vendor")
    tools = install(folder / "tools", alveo=True)
    with mock.patch.dict(os.environ, tools.environment), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        prepare_finn(folder / "build")
        result, _, _ = run_flow(folder, board="U250")
        build = folder / "out/finn/build"
        (link,) = build.glob("vitis_link_device_0_*")
        (packaging,) = build.glob(f"vivado_stitch_proj_{NETWORK}_*")
        yield Made(tools, folder / "out/finn", link, packaging, result.skipped)


def test_the_vitis_flow_runs_to_its_end_with_no_step_left_out(made: Made) -> None:
    assert made.skipped == ()
    assert made.tools.errors() == ""
    assert (made.finn / "deploy/bitfile/finn-accel-0.xclbin").is_file()
    assert LABEL in (made.finn / XCLBIN).read_text()


def test_the_tools_of_an_alveo_card_are_found(made: Made) -> None:
    assert find_tools().missing_for_alveo is None


def test_the_network_stands_between_two_dmas_with_a_memory_each(made: Made) -> None:
    lines = (made.link / "config.txt").read_text().splitlines()
    assert [line for line in lines if line.startswith(("sc=", "sp="))] == [
        f"sc=idma_0.m_axis_0:{NETWORK}.s_axis_0",
        f"sc={NETWORK}.m_axis_0:odma_0.s_axis_0",
        "sp=idma_0.m_axi_gmem0:DDR[0]",
        "sp=odma_0.m_axi_gmem0:DDR[1]",
    ]


def test_the_linker_is_asked_for_the_clock_and_the_platform(made: Made) -> None:
    words = (made.link / "run_link.sh").read_text().split()
    assert words[words.index("--kernel_frequency") + 1] == "250"
    assert words[words.index("--platform") + 1] == PLATFORM


def test_the_networks_kernel_has_its_streams_and_registers(made: Made) -> None:
    kernel = json.loads((made.packaging / f"{NETWORK}.xo").read_text())
    assert {(port["name"], port["kind"], port["width"]) for port in kernel["ports"]} == {
        ("s_axis_0", "axis", 8),
        ("m_axis_0", "axis", 24),
        ("s_axi_control_0", "axilite", 32),
    }


# planted errors


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"ap_uint&lt;24>", "ap_uint&lt;32>", "m_axis_0 is 32 bits wide, its port 24"),
        (r"m_axis_0:4:2:m_axis_0", "m_axis_0:4:2:m_axis_1", "has no port m_axis_1"),
        (r"m_axis_0:4:2", "m_axis_0:4:3", "must be numbered from 0 on"),
        (r" -kernel_xml_args \{m_axis_0:[^}]*\}", "", "no argument for m_axis_0"),
        (r"s_axis_0:4:1", "s_axis_0:0:1", "has no port s_axis_0"),
        (r"-ip_directory \S+", "-ip_directory /absent", "holds no component.xml"),
        (r":uint:0\}", ":uint}", "8 fields needed, 7 given"),
        (r"package_xo -force", "package_xo -farce", "unknown option -farce"),
    ],
)
def test_an_error_planted_in_the_kernels_packaging_is_found(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    text = (made.packaging / "gen_xo.tcl").read_text().replace(f"{NETWORK}.xo", "planted.xo")
    assert re.search(complaint, run(edited(text, pattern, replacement), tmp_path, monkeypatch))


def linked(made: Made, config: str, folder: Path, **changed: Any) -> str:
    """What the linker complains of, given another configuration or other words."""
    script = (made.link / "run_link.sh").read_text().split()[2:]
    words = [changed.get(word, word) for word in script]
    words[words.index("--config") + 1] = str(folder / "config.txt")
    (folder / "config.txt").write_text(config)
    with (
        mock.patch.dict(os.environ, {"STANDIN_JOURNALS": str(folder)}),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.chdir(folder)
        status = kernels.main(["v++", *words])
    errors = "".join(path.read_text() for path in folder.glob("*.error"))
    assert bool(status) == bool(errors) == (not (folder / "a.xclbin").exists())
    return errors


def test_the_unchanged_configuration_links(made: Made, tmp_path: Path) -> None:
    assert linked(made, (made.link / "config.txt").read_text(), tmp_path) == ""


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"^sc=idma_0.*$", "", r"idma_0.m_axis_0 must be connected once, is 0 times"),
        (r"^(sc=idma_0.*)$", r"\1\n\1", r"must be connected once, is 2 times"),
        (r"^sc=(idma_0.*):(.*)$", r"sc=\2:\1", "joins Interface"),
        (r"^sc=idma_0.m_axis_0:.*$", "sc=idma_0.m_axis_0:odma_0.s_axis_0", "joins Interface"),
        (r"^sp=idma_0.*$", "", r"idma_0.m_axi_gmem0 must be connected once, is 0 times"),
        (r"DDR\[1\]", "DDR[x]", "no such memory"),
        (r"m_axi_gmem0:DDR\[0\]", "m_axi_gmem7:DDR[0]", "m_axi_gmem7 is no aximm port"),
        (r"^nk=StreamingDataflowPartition_2:", "nk=Absent:", "names no kernel"),
        (r"^nk=(.*):odma_0$", r"nk=\1:idma_0", "or a unit twice"),
        (r"^nk=.*:odma_0$", r"\g<0>\nslr=odma_0:SLR7", "no such unit or region"),
        (r"^\[vivado\]$", "[vivaldi]", "section vivaldi is not known"),
    ],
)
def test_an_error_planted_in_the_linkers_configuration_is_found(
    made: Made, tmp_path: Path, pattern: str, replacement: str, complaint: str
) -> None:
    text = edited((made.link / "config.txt").read_text(), pattern, replacement)
    assert re.search(complaint, linked(made, text, tmp_path))


def test_a_platform_that_is_not_installed_is_found(made: Made, tmp_path: Path) -> None:
    config = (made.link / "config.txt").read_text()
    assert "platform absent is not in" in linked(made, config, tmp_path, **{PLATFORM: "absent"})
