# SPDX-License-Identifier: BSD-3-Clause
"""Small designs go through nextpnr-ecp5 to a bitstream; what fails says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.numerics import Format
from finn_flirnn.synth import PlacementError, SynthesisError, TimingError, synthesise
from finn_flirnn.synth.nextpnr import Tool, run_tool
from finn_flirnn.synth.out_of_context import out_of_context_timing
from finn_flirnn.synth.place import (
    Ecp5Part,
    PlacementReport,
    pack_bitstream,
    place_and_route,
)

SMALL = Ecp5Part(size="25k")
SQUARES = """
module squares (input logic clk, input logic in, output logic out);
  logic [15:0] a;
  logic [31:0] sum;
  always_ff @(posedge clk) begin
    a <= {a[14:0], in};
    sum <= sum + a * a;
    out <= ^sum;
  end
endmodule
"""
WIRES = "module squares (input clk, input in, output out); assign out = in ^ clk; endmodule\n"
PINS = "".join(f'LOCATE COMP "{port}" SITE "{site}";\n' for port, site in (("clk", "G2"), ("in", "M1")))


def netlist(folder: Path, text: str = SQUARES) -> Path:
    source = folder / "squares.sv"
    source.write_text(text)
    target = folder / "squares.json"
    synthesise(RtlModule("squares", folder, (source,), (), (), ()), "ecp5", netlist=target)
    return target


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> PlacementReport:
    folder = tmp_path_factory.mktemp("squares")
    return place_and_route(netlist(folder), folder / "routed", clock_mhz=40, part=SMALL)


def test_report_tells_clock_cells_and_critical_path(routed: PlacementReport) -> None:
    assert list(routed.clocks) == ["clk"]
    assert routed.fmax_mhz > routed.clocks["clk"].required_mhz == 40
    assert routed.utilisation["MULT18X18D"].used == 1
    assert routed.utilisation["TRELLIS_COMB"].available == 24288
    assert routed.critical_path[0].kind == "clk-to-q"
    assert routed.critical_ns == pytest.approx(1000 / routed.fmax_mhz, abs=0.01)


def test_bitstream_begins_as_the_device_expects_it(routed: PlacementReport, tmp_path: Path) -> None:
    bits = pack_bitstream(routed.config, tmp_path / "bitfile" / "squares.bit").read_bytes()
    assert b"Part: LFE5U-25F-6CABGA381" in bits[:200]
    assert bytes.fromhex("ffffbdb3") in bits[:200]  # the preamble of an ECP5 bitstream, Lattice TN-02039


def test_missed_clock_says_by_how_much(routed: PlacementReport, tmp_path: Path) -> None:
    with pytest.raises(TimingError, match=r"clk must run at 500.00 MHz and reaches .* ns too slow"):
        place_and_route(netlist(tmp_path), tmp_path, clock_mhz=500, part=SMALL)
    slower = replace(routed, clocks={n: replace(c, required_mhz=900) for n, c in routed.clocks.items()})
    with pytest.raises(TimingError, match="shorten the critical path"):
        slower.check_timing()


def test_equal_seeds_give_equal_configurations(routed: PlacementReport, tmp_path: Path) -> None:
    again = place_and_route(netlist(tmp_path), tmp_path, clock_mhz=40, part=SMALL)
    assert again.config.read_bytes() == routed.config.read_bytes()


def test_port_that_the_constraints_leave_out_is_an_error(tmp_path: Path) -> None:
    pins = tmp_path / "pins.lpf"
    pins.write_text(PINS)
    with pytest.raises(PlacementError, match="out"):
        place_and_route(netlist(tmp_path), tmp_path, clock_mhz=40, part=SMALL, constraints=pins)


def test_design_without_registers_has_no_fmax(tmp_path: Path) -> None:
    report = place_and_route(netlist(tmp_path, WIRES), tmp_path, clock_mhz=40, part=SMALL)
    assert report.critical_path == ()
    with pytest.raises(PlacementError, match="no clock"):
        _ = report.fmax_mhz


def test_module_by_itself_has_an_fmax(tmp_path: Path) -> None:
    text = """module scale (
    input logic ap_clk, input logic ap_rst_n,
    input logic [15:0] in0_V_TDATA, input logic in0_V_TVALID, output logic in0_V_TREADY,
    output logic [31:0] out0_V_TDATA, output logic out0_V_TVALID, input logic out0_V_TREADY
);
  assign in0_V_TREADY = out0_V_TREADY || !out0_V_TVALID;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) out0_V_TVALID <= 1'b0;
    else if (in0_V_TREADY) out0_V_TVALID <= in0_V_TVALID;
    if (in0_V_TREADY) out0_V_TDATA <= in0_V_TDATA * in0_V_TDATA;
  end
endmodule
"""
    source = tmp_path / "scale.sv"
    source.write_text(text)
    ports = (StreamPort("in0_V", 1, Format(16, 0)),), (StreamPort("out0_V", 1, Format(32, 0)),)
    module = RtlModule("scale", tmp_path, (source,), (), *ports)
    report = out_of_context_timing(module, tmp_path / "alone", clock_mhz=100, part=SMALL)
    assert list(report.clocks) == ["clk"]
    assert 50 < report.fmax_mhz < 400
    assert report.utilisation["MULT18X18D"].used == 1
    assert report.utilisation["TRELLIS_IO"].used == 4


def test_tool_that_refuses_its_input_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match=r"nextpnr failed with status .*\n.*absent.json"):
        run_tool(Tool.NEXTPNR, ["--25k", "--json", tmp_path / "absent.json"], tmp_path)
    with pytest.raises(PlacementError, match="not done after"):
        run_tool(Tool.ECPPACK, ["--help"], tmp_path, timeout_s=0.01)


def test_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="size='90k'"):
        Ecp5Part(size="90k")


def test_placement_errors_are_synthesis_errors() -> None:
    assert issubclass(TimingError, SynthesisError)
