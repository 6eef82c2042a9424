// SPDX-License-Identifier: BSD-3-Clause
// ECP5 cells that only a routed netlist has: nextpnr's packing makes them of LUT4, CCU2C, TRELLIS_DPR16X4, pads.
// Source: nextpnr, ecp5/cells.cc and pack.cc. Yosys' own TRELLIS_COMB does not drive FCO in mode CCU2.

// A LUT, half a CCU2C, or a bit of distributed memory; and the multiplexer that stands beside it.
module TRELLIS_COMB #(
    parameter MODE = "LOGIC",
    parameter [15:0] INITVAL = 16'h0,
    parameter CCU2_INJECT1 = "NO",
    parameter WREMUX = "WRE",
    parameter WCKMUX = "WCK",
    parameter [0:0] IS_Z1 = 1'b0
) (
    input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK, DI0, DI1,
    output F, FCO, OFX
);
  generate
    if (MODE == "LOGIC") begin : gen_logic
      assign F = INITVAL[{D, C, B, A}];
      assign FCO = 1'b0;
    end else if (MODE == "CCU2") begin : gen_carry
      wire own = INITVAL[{D, C, B, A}], generates = INITVAL[{2'b00, B, A}];
      wire inject = CCU2_INJECT1 == "YES";
      assign F = own ^ (FCI & !inject);
      assign FCO = own ? FCI : generates & !inject;
    end else if (MODE == "DPRAM") begin : gen_memory
      if (WREMUX != "WRE" || WCKMUX != "WCK") $error("TRELLIS_COMB: inverted writes are not modelled");
      reg [15:0] ram = INITVAL;
      always @(posedge WCK) if (WRE) ram[{WAD3, WAD2, WAD1, WAD0}] <= WD;
      assign F = ram[{A, C, B, D}];
      assign FCO = 1'b0;
    end else if (MODE == "RAMW_BLOCK") begin : gen_reserved  // its place is the write port's
      assign F = 1'b0;
      assign FCO = 1'b0;
    end else $error("TRELLIS_COMB: mode %s is not modelled", MODE);
    assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
  endgenerate
endmodule

// The write port of four bits of memory: wires only.
module TRELLIS_RAMW (
    input A0, B0, C0, D0, A1, B1, C1, D1,
    output WDO0, WDO1, WDO2, WDO3, WADO0, WADO1, WADO2, WADO3
);
  assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
  assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A pad of one direction.
module TRELLIS_IO #(
    parameter DIR = "INPUT", DATAMUX_ODDR = "PADDO", DATAMUX_MDDR = "PADDO"
) (
    inout B,
    input I, T, IOLDO, IOLTO,
    output O
);
  generate
    if (DATAMUX_ODDR != "PADDO" || DATAMUX_MDDR != "PADDO") $error("TRELLIS_IO: registers are not modelled");
    if (DIR == "INPUT") assign O = B;
    else if (DIR == "OUTPUT") assign B = I;
    else $error("TRELLIS_IO: direction %s is not modelled", DIR);
  endgenerate
endmodule

// A clock's way into the global net.
module DCCA (input CLKI, CE, output CLKO);
  assign CLKO = CLKI;
endmodule
