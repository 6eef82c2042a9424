// SPDX-License-Identifier: BSD-3-Clause
// Keeps the old states, words of SIMD units, until the blend takes them, CELL units a transfer.
// DEPTH: words to keep.
module gru_hold #(
    parameter int HBITS = 8,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int DEPTH = 16
) (
    input  logic                  clk,
    input  logic                  rst_n,
    input  logic [SIMD*HBITS-1:0] idat,
    input  logic                  ivld,
    output logic                  irdy,
    output logic [CELL*HBITS-1:0] odat,
    output logic                  ovld,
    input  logic                  ordy
);
  logic [SIMD*HBITS-1:0] word;
  logic word_vld, word_rdy;

  stream_fifo #(.WIDTH(SIMD * HBITS), .DEPTH(DEPTH)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy),
      .odat(word), .ovld(word_vld), .ordy(word_rdy)
  );
  stream_narrow #(.WIDTH(CELL * HBITS), .FACTOR(SIMD / CELL)) u_narrow (
      .clk(clk), .rst_n(rst_n),
      .idat(word), .ivld(word_vld), .irdy(word_rdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
