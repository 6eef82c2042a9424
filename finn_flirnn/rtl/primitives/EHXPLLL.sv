// SPDX-License-Identifier: BSD-3-Clause
// Lattice ECP5's PLL, the ports that we use: in simulation the output clock is the input clock, and the PLL
// locks at once. Source: Lattice FPGA-TN-02200.
module EHXPLLL #(
    parameter CLKI_DIV = 1,
    parameter CLKFB_DIV = 1,
    parameter CLKOP_DIV = 8,
    parameter CLKOP_CPHASE = 0,
    parameter FEEDBK_PATH = "CLKOP"
) (
    input  logic CLKI,
    input  logic CLKFB,
    input  logic RST,
    output logic CLKOP,
    output logic LOCK
);
  logic unused;
  assign unused = &{
      1'b0, CLKFB, CLKI_DIV[0], CLKFB_DIV[0], CLKOP_DIV[0], CLKOP_CPHASE[0], FEEDBK_PATH[0]
  };
  assign CLKOP = CLKI;
  assign LOCK = !RST;
endmodule
