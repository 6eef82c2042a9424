# SPDX-License-Identifier: BSD-3-Clause
"""Simulation models of what Yosys leaves in a netlist, for each family.

Yosys' own models (``cells_sim.v``) have most cells. Missing are block memories, DSP48E2 and MULT18X18D.
Ours know the attributes and ports that Yosys sets for this project's designs; Verilator refuses a netlist
that sets another one, and a known attribute with a value that is not modelled stops the compilation.

Sources: AMD UG473 and UG573 (block RAM), Lattice FPGA-TN-02204 (DP16KD), FPGA-TN-02205 (MULT18X18D).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from finn_flirnn.codegen.template import render
from finn_flirnn.synth.cells import Family
from finn_flirnn.synth.yosys import SynthesisError, yosys_share

MODELS = Path(__file__).resolve().parent / "models"

INCLUDE = re.compile(r'^`include "([\w.]+)"$', re.MULTILINE)
LIBRARIES = {Family.XC7: "xilinx", Family.XCUP: "xilinx", Family.ECP5: "ecp5"}
"""Folders of Yosys' models."""

_AMD_MEMORY = """// $name: see block_memory.sv. One port at most writes; no output registers, resets, cascade.
// INIT_A, INIT_B: outputs before the first read; anything here.
module $name #(
    parameter int READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
    parameter int DOA_REG = 0, DOB_REG = 0,
    parameter WRITE_MODE_A = "NO_CHANGE", WRITE_MODE_B = "NO_CHANGE",
    parameter logic [71:0] INIT_A = '0, INIT_B = '0, SRVAL_A = '0, SRVAL_B = '0,
$attributes
    parameter logic [255:0]
$contents
) (
    input logic CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, RSTRAMARSTRAM, RSTRAMB,
    input logic REGCEAREGCE, REGCEB, RSTREGARSTREG, RSTREGB,
$ports
    input logic [$address_high:0] ADDRARDADDR, ADDRBWRADDR,
    input logic [$enables_a_high:0] WEA,
    input logic [$enables_b_high:0] WEBWE,
    input logic [$data_high:0] $di_a, $di_b,
    input logic [$parity_high:0] $dip_a, $dip_b,
    output logic [$data_high:0] $do_a, $do_b,
    output logic [$parity_high:0] $dop_a, $dop_b
);
  localparam int BYTES = $bytes;
  localparam int HALF = 9 * $port_bytes;  // bits of a port's own pins
  localparam bit WRITE_BY_A = WRITE_WIDTH_A > 0;
  localparam int WRITE = WRITE_BY_A ? WRITE_WIDTH_A : WRITE_WIDTH_B;
  if (DOA_REG != 0 || DOB_REG != 0) begin : gen_check_registers
    $$error("$name: output registers are not modelled");
  end
  if (WRITE_WIDTH_A > 0 && WRITE_WIDTH_B > 0) begin : gen_check_writers
    $$error("$name: two writing ports are not modelled");
  end
$checks
  function automatic int while_writing();
    automatic logic [79:0] mode = WRITE_BY_A ? 80'(WRITE_MODE_A) : 80'(WRITE_MODE_B);
    return mode == "READ_FIRST" ? 0 : mode == "WRITE_FIRST" ? 1 : 2;
  endfunction
  localparam logic [8*BYTES-1:0] DATA = {$data};
  localparam logic [BYTES-1:0] PARITY = {$parity};
  function automatic logic [9*BYTES-1:0] start();
    for (int i = 0; i < BYTES; i++) start[9*i+:9] = {PARITY[i], DATA[8*i+:8]};
  endfunction

  logic [HALF-1:0] in_a, in_b;
  logic [71:0] idat, odat_a, odat_b, wide;
  logic [7:0] write;
  for (genvar i = 0; i < $port_bytes; i++) begin : gen_byte
    assign in_a[9*i+:9] = {$dip_a[i], $di_a[8*i+:8]};
    assign in_b[9*i+:9] = {$dip_b[i], $di_b[8*i+:8]};
    assign {$dop_a[i], $do_a[8*i+:8]} = odat_a[9*i+:9];
    assign {$dop_b[i], $do_b[8*i+:8]} = wide[9*i+:9];
  end
  // a port twice as wide takes the other port's pins as its upper half
  assign wide = (READ_WIDTH_A > HALF) ? odat_a >> HALF : odat_b;
  assign idat = (WRITE > HALF) ? 72'({in_b, in_a}) : WRITE_BY_A ? 72'(in_a) : 72'(in_b);
  assign write = WRITE_BY_A ? 8'(WEA) & {8{ENARDEN}} : 8'(WEBWE) & {8{ENBWREN}};
  block_memory #(
      .ADDR($address_bits), .READ_A(READ_WIDTH_A), .READ_B(READ_WIDTH_B), .WRITE(WRITE),
      .WRITE_BY_A(WRITE_BY_A), .WHILE_WRITING(while_writing()), .OTHER_OLD(while_writing() == 0),
      .INIT(start())
  ) u_memory (
      .clk_a(CLKARDCLK), .clk_b(CLKBWRCLK), .read_a(ENARDEN), .read_b(ENBWREN), .write(write),
      .addr_a(ADDRARDADDR[$address_bits-1:0]), .addr_b(ADDRBWRADDR[$address_bits-1:0]),
      .idat(idat), .odat_a(odat_a), .odat_b(odat_b)
  );
  always_ff @(posedge CLKARDCLK)
    assert (!RSTRAMARSTRAM || READ_WIDTH_A == 0) else $$fatal(1, "$name: resets are not modelled");
  always_ff @(posedge CLKBWRCLK)
    assert (!RSTRAMB || READ_WIDTH_B == 0) else $$fatal(1, "$name: resets are not modelled");
endmodule
"""

_DP16KD = """// DP16KD: see block_memory.sv. One port at most writes; no output registers, no resets.
module DP16KD #(
    parameter int DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
    parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", GSR = "ENABLED",
    parameter logic [319:0]
$contents
) (
    input logic CLKA, CLKB, CEA, CEB, OCEA, OCEB, WEA, WEB, RSTA, RSTB, CSA0, CSA1, CSA2, CSB0, CSB1, CSB2,
    input logic $inputs,
    output logic $outputs
);
  localparam int BYTES = 2048;
$checks
  // 16 words of two bytes an attribute, each word in 20 bits
  localparam logic [20*BYTES/2-1:0] DATA = {$data};
  function automatic logic [9*BYTES-1:0] start();
    for (int i = 0; i < BYTES / 2; i++) start[18*i+:18] = DATA[20*i+:18];
  endfunction
  logic [13:0] ada, adb;
  logic [17:0] dia, dib;
  logic [71:0] odat_a, odat_b;
  logic [3:0] bytes;
  assign ada = {$ada};
  assign adb = {$adb};
  assign dia = {$dia};
  assign dib = {$dib};
  // from 18 bits on, the lowest address bits enable bytes; 36 bits go in through both ports' pins
  assign bytes = (DATA_WIDTH_A < 18) ? 4'b0001 : (DATA_WIDTH_A == 18) ? {2'b00, ada[1:0]} : ada[3:0];
  block_memory #(
      .ADDR(14), .READ_A(DATA_WIDTH_A), .READ_B(DATA_WIDTH_B), .WRITE(DATA_WIDTH_A), .WRITE_BY_A(1'b1),
      .WHILE_WRITING(WRITEMODE_A == "READBEFOREWRITE" ? 0 : WRITEMODE_A == "WRITETHROUGH" ? 1 : 2),
      .OTHER_OLD(1'b0), .INIT(start())
  ) u_memory (
      .clk_a(CLKA), .clk_b(CLKB), .read_a(CEA), .read_b(CEB),
      .write((WEA && CEA) ? 8'(bytes) : 8'h00), .addr_a(ada), .addr_b(adb), .idat(72'({dib, dia})),
      .odat_a(odat_a), .odat_b(odat_b)
  );
  logic [35:0] out;
  assign out = (DATA_WIDTH_B == 36) ? odat_b[35:0] : {odat_b[17:0], odat_a[17:0]};
  assign {$dob, $doa} = out;
  always_ff @(posedge CLKB)
    assert (!(WEB && CEB)) else $$fatal(1, "DP16KD: writes by port B are not modelled");
  always_ff @(posedge CLKA or posedge CLKB)
    assert (!RSTA && !RSTB && !CSA0 && !CSA1 && !CSA2 && !CSB0 && !CSB1 && !CSB2)
    else $$fatal(1, "DP16KD: resets and chip selects are not modelled");
endmodule
"""

_MULT18X18D = """// MULT18X18D without its registers, as Yosys uses it: P = A * B.
module MULT18X18D (
    input logic $inputs,
    input logic SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output logic $outputs
);
  logic signed [18:0] a, b;
  logic signed [37:0] product;
  assign a = $$signed({SIGNEDA && A17, $a});
  assign b = $$signed({SIGNEDB && B17, $b});
  assign product = a * b;
  assign {$p} = product[35:0];
  always_comb
    assert (!SOURCEA && !SOURCEB) else $$fatal(1, "MULT18X18D: shifted-in operands are not modelled");
endmodule
"""


def cell_models(family: Family) -> str:
    """Verilog of all models of a family's cells that a netlist may need.

    Raises SynthesisError if Yosys' own models are missing.
    """
    replaced = ["DP16KD"] if family is Family.ECP5 else ["RAMB18E1", "RAMB36E1"]
    theirs = _read(yosys_share() / LIBRARIES[family], "cells_sim.v")
    return "\n".join([own_models(family), without(theirs, replaced)])


def own_models(family: Family) -> str:
    """Verilog of the models of a family's cells that Yosys has none of."""
    if family is Family.ECP5:
        cells = [_dp16kd(), _mult18x18d()]
    else:
        cells = [_amd_memory(kilobits, family) for kilobits in (18, 36)]
    return "\n".join([(MODELS / "block_memory.sv").read_text(), *cells])


def without(verilog: str, modules: Sequence[str]) -> str:
    """Verilog text without the modules of these names. Raises SynthesisError if one is not there.

    >>> without("module a(); endmodule\\nmodule b(); endmodule", ["a"])
    '\\nmodule b(); endmodule'
    """
    for module in modules:
        found = re.search(rf"\bmodule {module}\s*\(.*?\bendmodule\b", verilog, re.DOTALL)
        if not found:
            raise SynthesisError(f"Yosys' models hold no {module}; adapt synth/cell_models.py to this pyosys")
        verilog = verilog[: found.start()] + verilog[found.end() :]
    return verilog


def _read(folder: Path, name: str) -> str:
    path = folder / name
    if not path.is_file():
        raise SynthesisError(f"{path} is missing; reinstall pyosys")
    return INCLUDE.sub(lambda match: _read(folder, match.group(1)), path.read_text())


def _numbered(prefix: str, count: int) -> list[str]:
    """Names with hexadecimal numbers of two digits, the greatest first."""
    return [f"{prefix}_{i:02X}" for i in reversed(range(count))]


def _amd_memory(kilobits: int, family: Family) -> str:
    newer = family is Family.XCUP
    scale = kilobits // 18
    data, parity = _numbered("INIT", 64 * scale), _numbered("INITP", 8 * scale)
    attributes, checks = "", ""
    if not newer:
        attributes = '    parameter RAM_MODE = "TDP", RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE",'
        checks = _check('RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE"', "RAMB36E1", "a cascade")
    pins = {
        "di_a": ("DINADIN", "DIADI"), "di_b": ("DINBDIN", "DIBDI"),
        "dip_a": ("DINPADINP", "DIPADIP"), "dip_b": ("DINPBDINP", "DIPBDIP"),
        "do_a": ("DOUTADOUT", "DOADO"), "do_b": ("DOUTBDOUT", "DOBDO"),
        "dop_a": ("DOUTPADOUTP", "DOPADOP"), "dop_b": ("DOUTPBDOUTP", "DOPBDOP"),
    }  # fmt: skip
    return render(
        _AMD_MEMORY,
        name=f"RAMB{kilobits}E{2 if newer else 1}",
        attributes=attributes,
        contents=_defaults([*data, *parity]),
        ports="    input logic ADDRENA, ADDRENB, SLEEP," if newer else "",
        # a RAMB36E1 has an address bit more, for cascades
        address_high=13 + (scale - 1) * (1 if newer else 2),
        address_bits=13 + scale,
        enables_a_high=2 * scale - 1,
        enables_b_high=4 * scale - 1,
        data_high=16 * scale - 1,
        parity_high=2 * scale - 1,
        port_bytes=2 * scale,
        bytes=2048 * scale,
        checks=checks,
        data=", ".join(data),
        parity=", ".join(parity),
        **{key: names[0 if newer else 1] for key, names in pins.items()},
    )


def _dp16kd() -> str:
    data = _numbered("INITVAL", 64)
    return render(
        _DP16KD,
        contents=_defaults(data),
        data=", ".join(data),
        inputs=", ".join([_bus("ADA", 14), _bus("ADB", 14), _bus("DIA", 18), _bus("DIB", 18)]),
        outputs=", ".join([_bus("DOA", 18), _bus("DOB", 18)]),
        ada=_bus("ADA", 14),
        adb=_bus("ADB", 14),
        dia=_bus("DIA", 18),
        dib=_bus("DIB", 18),
        doa=_bus("DOA", 18),
        dob=_bus("DOB", 18),
        checks=_check('REGMODE_A != "NOREG" || REGMODE_B != "NOREG"', "DP16KD", "an output register")
        + _check('CLKAMUX != "CLKA" || CLKBMUX != "CLKB"', "DP16KD", "an inverted clock"),
    )


def _mult18x18d() -> str:
    return render(
        _MULT18X18D,
        inputs=", ".join([_bus("A", 18), _bus("B", 18), _bus("C", 18)]),
        outputs=_bus("P", 36),
        a=_bus("A", 18),
        b=_bus("B", 18),
        p=_bus("P", 36),
    )


def _bus(name: str, width: int) -> str:
    """Single-bit ports of a bus, the most significant first."""
    return ", ".join(f"{name}{i}" for i in reversed(range(width)))


def _defaults(names: Sequence[str]) -> str:
    return ",\n".join(f"    {name} = '0" for name in names)


def _check(condition: str, name: str, what: str) -> str:
    lines = (
        f"  if ({condition}) begin : gen_check_{what.split()[-1]}",
        f'    $error("{name}: {what} is not modelled");',
        "  end\n",
    )
    return "\n".join(lines)
