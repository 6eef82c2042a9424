// SPDX-License-Identifier: BSD-3-Clause
// Sum of LENGTH products in cascade: odat = sum(a[k] * b[k]) + START, its lowest SUM_BITS bits.
// Systolic: a[k] and b[k] come k cycles after a[0] and b[0]. Latency 2 + LENGTH cycles from a[0], one sum
// a cycle. DSP: each product takes a DSP; else LUTs.
module mac_chain #(
    parameter int          LENGTH = 8,
    parameter int          A_BITS = 27,
    parameter int          B_BITS = 8,
    parameter int          SUM_BITS = 38,
    parameter logic [47:0] START = '0,
    parameter bit          DSP = 1'b1
) (
    input  logic                           clk,
    input  logic [LENGTH-1:0][A_BITS-1:0] a,
    input  logic [LENGTH-1:0][B_BITS-1:0] b,
    output logic [           SUM_BITS-1:0] odat
);
  logic [LENGTH:0][47:0] carry;
  logic [LENGTH-1:0][SUM_BITS-1:0] sums;
  logic unused;

  assign carry[0] = '0;
  for (genvar k = 0; k < LENGTH; k++) begin : gen_cell
    localparam logic [47:0] FIRST = (k == 0) ? START : '0;
    if (DSP) begin : gen_dsp
      dsp_mac #(
          .A_BITS(A_BITS), .B_BITS(B_BITS), .SUM_BITS(SUM_BITS), .CASCADE(k > 0), .START(FIRST)
      ) u_mac (
          .clk(clk), .a(a[k]), .b(b[k]), .pcin(carry[k]), .pcout(carry[k+1]), .p(sums[k])
      );
    end else begin : gen_lut
      lut_mac #(
          .A_BITS(A_BITS), .B_BITS(B_BITS), .SUM_BITS(SUM_BITS), .CASCADE(k > 0), .START(FIRST)
      ) u_mac (
          .clk(clk), .a(a[k]), .b(b[k]), .pcin(carry[k]), .pcout(carry[k+1]), .p(sums[k])
      );
    end
  end
  assign odat = sums[LENGTH-1];
  assign unused = &{1'b0, carry, sums};
endmodule
