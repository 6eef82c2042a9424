# SPDX-License-Identifier: BSD-3-Clause
"""FINN's flow up to its calls of Vivado and Vitis HLS, answered by the strict stand-in of tests/vendor.

This checks scripts. It synthesises nothing, and no number in here comes from a vendor's tool.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl; on Debian and Ubuntu: apt install python3-tk")

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.finn_flow import VIVADO_STEPS, finn_period_ns
from finn_flirnn.build.hardware import TOP
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.toolchain import prepare_finn
from finn_flirnn.rtl import primitive_models
from tests.vendor import LABEL, vitis_hls
from tests.vendor.component import AXILITE, AXIS, read_component
from tests.vendor.flow import run_flow
from tests.vendor.install import Installation, install
from tests.vendor.running import complaint_of, edited, run

pytestmark = [
    # qonnx on the way to the shell; nothing behind it looks at the layout
    pytest.mark.filterwarnings("ignore:Assuming 4D input is NCHW"),
    # FINN leaves the HLS sources that it writes open
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
    ),
]
NODE, REGISTERS = "Accelerator_rtl_0", "StreamingDataflowPartition_1"
CELL = f"{REGISTERS}_{NODE}"


@dataclass(frozen=True)
class Made:
    """One run of the flow. stitch, shell, hls: folders of scripts that it left. design: that it took."""

    tools: Installation
    model: Path
    finn: Path
    stitch: Path
    shell: Path
    hls: Path
    design: Path
    skipped: tuple[object, ...]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("vendor")
    tools = install(folder / "tools")
    with mock.patch.dict(os.environ, tools.environment), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        prepare_finn(folder / "build")
        result, model, design = run_flow(folder)
        build = folder / "out/finn/build"
        (stitch,) = build.glob("vivado_stitch_proj_StreamingDataflowPartition_1_*")
        (shell,) = build.glob("vivado_zynq_proj_*")
        hls = next(build.glob("code_gen_ipgen_*IODMA_hls_0_*"))
        yield Made(tools, model, folder / "out/finn", stitch, shell, hls, design, result.skipped)


def commands(tools: Installation, name: str) -> list[list[str]]:
    """The recorded calls of one vendor command, of all runs."""
    lines = [line for p in tools.journals.glob("*.jsonl") for line in p.read_text().splitlines()]
    return [words for words in map(json.loads, lines) if words[0] == name]


# the flow itself


def test_the_zynq_flow_runs_to_its_end_with_no_step_left_out(made: Made) -> None:
    assert made.skipped == ()
    assert made.tools.errors() == ""
    assert (made.finn / "report/post_route_timing.rpt").is_file()
    assert VIVADO_STEPS[-1] == "step_deployment_package" and (made.finn / "deploy/bitfile").is_dir()


def test_what_stands_in_for_a_bitfile_says_so(made: Made) -> None:
    for name in ("finn-accel.bit", "finn-accel.hwh"):
        assert LABEL in (made.finn / "bitfile" / name).read_text()


def test_the_shell_holds_the_dmas_that_the_driver_asks_for(made: Made) -> None:
    text = (made.finn / "bitfile/finn-accel.hwh").read_text()
    assert set(re.findall(r'MODULE INSTANCE="([io]dma0)"', text)) == {"idma0", "odma0"}
    assert set(re.findall(r'INSTANCE="([io]dma0)" BASEVALUE="(\w+)"', text)) == {
        ("idma0", "0xa0000000"),
        ("odma0", "0xa0002000"),
    }


def test_the_shell_connects_the_registers_under_the_name_that_the_driver_asks_for(made: Made) -> None:
    text = (made.finn / "bitfile/finn-accel.hwh").read_text()
    assert f'INSTANCE="{REGISTERS}" BASEVALUE="0xa0001000" SIZE="0x1000"' in text
    script = (made.shell / "ip_config.tcl").read_text()
    assert re.search(rf"connect_bd_intf_net .*{REGISTERS}/s_axi_control_0\] .*axi_interconnect_0/M01", script)


def test_the_bitstream_holds_the_stitched_designs_own_files_and_its_identifier(made: Made) -> None:
    core = load_module(made.design)
    ip = read_component(made.stitch / "ip" / "component.xml")
    packaged = {file.name: file.read_bytes() for file in ip.files}
    for path in (*core.sources, *core.data):
        assert packaged[path.name] == path.read_bytes()
    top = packaged[f"{NODE}.v"].decode()
    assert f".build(64'h{build_identifier(core)})" in top


def test_the_stitched_ip_has_the_networks_streams(made: Made) -> None:
    ip = read_component(made.stitch / "ip" / "component.xml")
    assert {(i.name, i.kind, i.mode, i.width, i.clock) for i in ip.interfaces.values()} == {
        ("s_axi_control_0", AXILITE, "Slave", 32, "ap_clk"),
        ("s_axis_0", AXIS, "Slave", 8, "ap_clk"),
        ("m_axis_0", AXIS, "Master", 24, "ap_clk"),
    }
    assert ip.ranges == {"s_axi_control_0": 4096}


def test_the_stitching_tcl_takes_up_every_generated_source(made: Made) -> None:
    added = {words[-1] for words in commands(made.tools, "add_files")}
    fifos = {str(p) for p in (made.finn / "build").glob("code_gen_ipgen_*_1_StreamingFIFO_rtl_*/*.*v")}
    core = load_module(made.design)
    design = {str(path) for path in (*core.sources, *core.data)}
    assert len(fifos) > 1 and len(design) > 15 and fifos | design <= added


def test_only_the_two_dmas_need_vitis_hls(made: Made) -> None:
    tops = [words[1] for words in commands(made.tools, "set_top")]
    assert len(tops) == 2 and all("IODMA_hls" in top for top in tops)


@pytest.mark.parametrize("clock_mhz", [7, 30, 250, 333])
def test_the_shell_is_asked_for_the_configured_clock(clock_mhz: int) -> None:
    """FINN truncates 1 / period to whole MHz: 1000 / 30 ns would become 29 MHz."""
    assert int(1 / (finn_period_ns(1000.0 / clock_mhz) * 0.001)) == clock_mhz


# other boards: the shell's Tcl is the same but for the board


@pytest.mark.parametrize(
    ("board", "part", "base"),
    [
        ("KV260_SOM", "xck26-sfvc784-2LV-c", "0xa0000000"),
        ("Ultra96-V2", "xczu3eg-sbva484-1-i", "0xa0000000"),
        ("Pynq-Z2", "xc7z020clg400-1", "0x40000000"),
    ],
)
def test_the_shell_of_every_zynq_board_passes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, part: str, base: str
) -> None:
    text = (made.shell / "ip_config.tcl").read_text()
    text = text.replace("set BOARD ZCU104", f"set BOARD {board}")
    text = re.sub(r"set FPGA_PART \S+", f"set FPGA_PART {part}", text)
    assert run(text, tmp_path, monkeypatch) == ""
    (handoff,) = tmp_path.rglob("top.hwh")
    assert f'INSTANCE="idma0" BASEVALUE="{base}"' in handoff.read_text()


# planted errors


@pytest.fixture
def stitching(made: Made, tmp_path: Path) -> str:
    """FINN's stitching Tcl, told to work in this test's folder."""
    shutil.copytree(made.stitch / "data", tmp_path / "data")
    return (made.stitch / "make_project.tcl").read_text().replace(str(made.stitch), str(tmp_path))


def test_the_unchanged_stitching_tcl_passes(
    stitching: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(stitching, tmp_path, monkeypatch) == ""


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (
            r"^add_files -norecurse \S+/credits.sv$",
            "add_files -norecurse /absent/credits.sv",
            "does not exist",
        ),
        (r"^add_files -norecurse \S+/credits.sv$", "", "UnknownModule credits"),
        (rf"^add_files -norecurse \S+/{NODE}.v$", "", f"no file of the project defines module {NODE}"),
        (
            r"^add_files -norecurse \S+/credits.sv$",
            r"\g<0>\nadd_files -norecurse "
            + str(next(path for path in primitive_models() if path.stem == "DSP48E2")),
            "DSP48E2 is the vendor's",
        ),
        (rf"reference {NODE} ", f"reference {TOP} ", "a module reference must be Verilog"),
        (rf"^(connect_bd_intf_net .*{CELL}/in0_V\])$", "", f"/{CELL}/in0_V is not connected"),
        (rf"^(connect_bd_intf_net .*{CELL}/in0_V\])$", r"\1\n\1", "is connected already"),
        (
            rf"^make_bd_intf_pins_external .*{CELL}/s_axi_control\]$",
            "",
            f"{CELL}/s_axi_control is not connected",
        ),
        (rf"^connect_bd_net .*ap_clk\] \[get_bd_pins {CELL}/ap_clk\]$", "", "clk input .* not connected"),
        (rf"^connect_bd_net .*rst_n\] \[get_bd_pins {CELL}/ap_rst_n\]$", "", "rst input .* not connected"),
        (rf"\[get_bd_pins {CELL}/ap_rst_n\]", f"[get_bd_pins {CELL}/ap_clk]", "net of different kinds"),
        (rf"{CELL}/in0_V\]", f"{CELL}/in7_V]", f"nothing matches {CELL}/in7_V"),
        (r"^validate_bd_design$", "", "must be validated"),
        (r"^update_ip_catalog$", "update_ip_catalogue", "invalid command name"),
        (r"^set_property ip_repo_paths \[list ", r"\g<0>/absent ", "IP repository /absent does not exist"),
        (r"ipx::update_checksums \$core", "", "update_checksums must come before"),
        (r"-import_files$", "", "needs other folders"),
        (r"set_property top (\w+)_wrapper", r"set_property top \1", "wrapped and top"),
        (r"set_property core_revision", "set_property core_revison", "no property core_revison"),
    ],
)
def test_an_error_planted_in_the_stitching_is_found(
    stitching: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    assert re.search(complaint, run(edited(stitching, pattern, replacement), tmp_path, monkeypatch))


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"\[23:0\] out0_V_TDATA", "[31:0] out0_V_TDATA", "is 32 bits wide and .* 24"),
        (r"\[23:0\] out0_V_TDATA", "[22:0] out0_V_TDATA", "no whole number of bytes"),
        (r"output wire out0_V_TVALID", "output wire out0_V_VALID", "a stream without TVALID"),
        (r"input  wire out0_V_TREADY", "output wire out0_V_TREADY", "signals in wrong directions"),
        (r"\.in0_V_TVALID\(in0_V_TVALID\)", ".in0_V_VALID(in0_V_TVALID)", "in0_V_VALID"),
        (r"s_axi_control_BVALID,$", "s_axi_control_BLID,", "s_axi_control_BVALID"),
        (r"\[31:0\] s_axi_control_RDATA", "[63:0] s_axi_control_RDATA", "RDATA of 64 bits"),
        (r"output wire s_axi_control_BVALID", "input wire s_axi_control_BVALID", "directions: .'BVALID"),
        (r"^endmodule", f"endmodule\nmodule {TOP};\nendmodule", f"module {TOP} is defined in"),
        (r"^endmodule", "", f"module {NODE}"),
    ],
)
def test_an_error_planted_in_a_module_is_found(
    stitching: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    (original,) = re.findall(r"^add_files -norecurse (\S+/Accelerator_rtl_0.v)$", stitching, re.MULTILINE)
    changed = tmp_path / f"{NODE}.v"
    changed.write_text(edited(Path(original).read_text(), pattern, replacement))
    assert re.search(complaint, run(stitching.replace(original, str(changed)), tmp_path, monkeypatch))


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (
            r"set axi_peripheral_base \[expr \$offset \+ \$range\]",
            "",
            "idma0.* and .*s_axi_control_0 overlap at 0xa0000000",
        ),
        (r"-offset \$offset", "-offset [expr $offset + 0x80]", "no aligned power of two"),
        (
            r"set axi_peripheral_base 0xA0000000",
            "set axi_peripheral_base 0x10000000",
            "out of the processor's reach",
        ),
        (r"expr \$range < 4096 \? 4096", "expr $range < 4096 ? 32", "decodes more addresses"),
        (r"^\s*assign_axi_addr_proc odma0/\S+$", "", "odma0/s_axi_control_0 has no address"),
        (r"^connect_bd_intf_net .*odma0/s_axis_0\].*$", "", "odma0/s_axis_0 is not connected"),
        (r"^connect_bd_intf_net .*idma0/m_axi_gmem0\].*$", "", "idma0/m_axi_gmem0 is not connected"),
        (r"^connect_bd_net .*idma0/ap_clk\].*$", "", "clk input /idma0/ap_clk is not connected"),
        (
            r"^(connect_bd_net \[get_bd_pins )idma0/ap_clk\] .*$",
            r"\1idma0/ap_clk] [get_bd_pins zynq_ps/pl_clk0]",
            "have different clocks",
        ),
        (
            r"clk_wiz_0/clk_out1\] \[get_bd_pins axi_interconnect_0/S00_ACLK",
            "clk_wiz_0/locked] [get_bd_pins axi_interconnect_0/S00_ACLK",
            "net of different kinds",
        ),
        (r"set NUM_AXILITE 3", "set NUM_AXILITE 4", "M03_AXI is not connected"),
        (
            rf"^connect_bd_intf_net .*{REGISTERS}/s_axi_control_0\].*$",
            "",
            f"{REGISTERS}/s_axi_control_0 is not connected",
        ),
        (
            rf"^assign_axi_addr_proc {REGISTERS}/s_axi_control_0$",
            "",
            f"{REGISTERS}/s_axi_control_0 has no address",
        ),
        (r"set NUM_AXIMM 2", "set NUM_AXIMM 1", "nothing matches smartconnect_0/S01_AXI"),
        (r"CONFIG.PSU__USE__S_AXI_GP2", "CONFIG.PSU__USE__S_AXI_GP9", "has no parameter PSU__USE__S_AXI_GP9"),
        (r"xilinx_finn:finn:StreamingDataflowPartition_1:1.0", "xilinx_finn:finn:absent:1.0", "no IP"),
        (r"set BOARD ZCU104", "set BOARD ZCU111", 'can\'t read "ZYNQ_TYPE"'),
        (
            r"part0:1.1 \[current_project\]",
            "part0:9.9 [current_project]",
            "no board files for xilinx.com:zcu104",
        ),
    ],
)
def test_an_error_planted_in_the_shell_is_found(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    text = (made.shell / "ip_config.tcl").read_text()
    assert re.search(complaint, run(edited(text, pattern, replacement), tmp_path, monkeypatch))


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (r"-I\$config_bnnlibdir", "", "bnn-library.h"),
        (r"^csynth_design$", "", "must follow csynth_design"),
        (r"set_top \$config_toplevelfxn", "set_top absent", "no function absent"),
    ],
)
def test_an_error_planted_in_the_hls_script_is_found(
    made: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pattern: str,
    replacement: str,
    complaint: str,
) -> None:
    (script,) = made.hls.glob("hls_syn_*.tcl")
    text = edited(script.read_text(), pattern, replacement)
    assert re.search(complaint, complaint_of(vitis_hls.main, [], text, tmp_path, monkeypatch))
