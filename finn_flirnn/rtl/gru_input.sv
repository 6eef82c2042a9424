// SPDX-License-Identifier: BSD-3-Clause
// Input products of a GRU, CELL units with three gates a transfer, in step with the cell: a matrix-vector
// unit of its own, so that a one-column input wastes no column group of the recurrent product.
// INPUTS = 0: always ready with zero, no hardware.
module gru_input #(
    parameter int INPUTS = 1,
    parameter int XSIMD = 1,
    parameter int XBITS = 8,
    parameter bit XSIGNED = 1'b0,
    parameter int WXBITS = 8,
    parameter int CELL = 2,
    parameter int GROUPS = 4,
    parameter int XACC = 18,
    parameter int CHAINS = 1,  // these five: see matrix_vector
    parameter int PACK_SHIFT = 0,
    parameter int PACK_HIGH = 8,
    parameter bit SINGLE_DSP = 1'b1,
    parameter bit W_LATENCY = 1'b0,
    parameter int WXADDRS = 1,  // widths of the weight memory's ports
    parameter int WXWIDTH = 1
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic [XSIMD*XBITS-1:0] x_dat,
    input  logic                   x_vld,
    output logic                   x_rdy,
    output logic [    WXADDRS-1:0] wx_addr,
    input  logic [    WXWIDTH-1:0] wx_dat,
    output logic [CELL*3*XACC-1:0] odat,
    output logic                   ovld,
    input  logic                   ordy
);
  if (INPUTS == 0) begin : gen_none
    logic unused;
    assign unused = &{1'b0, clk, rst_n, x_dat, x_vld, wx_dat, ordy};
    assign x_rdy = 1'b0;
    assign wx_addr = '0;
    assign odat = '0;
    assign ovld = 1'b1;
  end else begin : gen_input
    localparam int ABITS = XSIGNED ? XBITS : XBITS + 1;
    localparam int XSF = INPUTS / XSIMD;
    logic [XSIMD-1:0][XBITS-1:0] codes;
    logic [XSIMD-1:0][ABITS-1:0] operand;
    assign codes = x_dat;
    for (genvar s = 0; s < XSIMD; s++) begin : gen_operand
      if (XSIGNED) begin : gen_signed
        assign operand[s] = codes[s];
      end else begin : gen_unsigned
        assign operand[s] = {1'b0, codes[s]};
      end
    end
    matrix_vector #(
        .UNITS(CELL), .GATES(3), .SIMD(XSIMD), .NF(GROUPS), .SF(XSF), .CELL(CELL), .WBITS(WXBITS),
        .ABITS(ABITS), .ACC_BITS(XACC), .CHAINS(CHAINS), .PACK_SHIFT(PACK_SHIFT),
        .PACK_HIGH(PACK_HIGH), .SINGLE_DSP(SINGLE_DSP), .W_LATENCY(W_LATENCY)
    ) u_mvu (
        .clk(clk), .rst_n(rst_n),
        .idat(operand), .ivld(x_vld), .irdy(x_rdy), .waddr(wx_addr), .wdat(wx_dat),
        .odat(odat), .ovld(ovld), .ordy(ordy)
    );
  end
endmodule
