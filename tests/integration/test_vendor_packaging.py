# SPDX-License-Identifier: BSD-3-Clause
"""Our own IP, as the step ip packages it, held to the RTL by the stand-in of tests/vendor."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl; on Debian and Ubuntu: apt install python3-tk")

from finn_flirnn.build.boards import board
from finn_flirnn.build.rtl_files import collect_sources
from finn_flirnn.build.steps import ip as package_ip
from finn_flirnn.codegen import DenseFolding, emit_dense
from tests.fakes.networks import random_network
from tests.vendor.component import read_component
from tests.vendor.running import edited, run


@pytest.fixture
def packaging(tmp_path: Path) -> str:
    """ip/package_ip.tcl of a build whose hardware is one dense head."""
    network = random_network(hidden=4, steps=8)
    collect_sources(emit_dense(network.head, DenseFolding(3, 2), tmp_path / "made", "head"), tmp_path / "rtl")
    config = SimpleNamespace(name="own.8-bit", clock_mhz=250.0, target=board("ZCU104"), group_pixels=2)

    def make(name: str) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        return tmp_path / name

    package_ip.run(SimpleNamespace(config=config, network=network, output=tmp_path, make=make))
    return (tmp_path / "ip" / "package_ip.tcl").read_text()


def test_our_packaging_makes_an_ip_with_the_designs_ports(
    packaging: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(packaging, tmp_path / "ip", monkeypatch) == ""
    ip = read_component(tmp_path / "ip/own_8_bit_ip/component.xml")
    assert ip.vlnv == "finn_flirnn:recurrent:own_8_bit:1.0"
    assert {(i.name, i.mode, i.width, i.clock) for i in ip.interfaces.values()} == {
        ("s_axi_control", "Slave", 32, "ap_clk"),
        ("in0_V", "Slave", 16, "ap_clk"),
        ("out0_V", "Master", 24, "ap_clk"),
    }
    assert ip.ranges == {"s_axi_control": 4096}
    assert {pin.name: pin.kind for pin in ip.pins.values()} == {"ap_clk": "clk", "ap_rst_n": "rst"}


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"^  head_w.sv$", "", "UnknownModule head_w"),
        (r"^  head_w.sv$", "  head_x.sv", "head_x.sv does not exist"),
        (r"-busif out0_V", "-busif out1_V", "no bus out1_V"),
        (
            r"set_property top finn_flirnn_accelerator ",
            "set_property top tail ",
            "no top module finn_flirnn_accelerator",
        ),
        (r"^  control_registers.sv$", "", "UnknownModule control_registers"),
        (r"-busif s_axi_control ", "-busif s_axi ", "no bus s_axi"),
        (r"^set_property range \d+", "set_property range 64", "no address block of 0x1000 bytes"),
        (r"^  ipx::add_address_block .*$", "", "no memory map s_axi_control"),
        (r"ipx::update_checksums \$core", "", "update_checksums must come before"),
    ],
)
def test_an_error_planted_in_our_packaging_is_found(
    packaging: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    text = edited(packaging, pattern, replacement)
    assert re.search(complaint, run(text, tmp_path / "ip", monkeypatch))
