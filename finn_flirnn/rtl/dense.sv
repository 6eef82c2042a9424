// SPDX-License-Identifier: BSD-3-Clause
// Dense layer at every position: y = requantise(W x + b), docs/numerics.md section 5.
// x: SIMD features a transfer, INPUTS a position; y: PE outputs a transfer, OUTPUTS a position.
// Initiation interval OUTPUTS/PE * INPUTS/SIMD cycles a position. Memories answer one cycle later.
// The biases hold half of 2**SHIFT beside, see round_saturate.
module dense #(
    parameter int INPUTS = 32,
    parameter int OUTPUTS = 3,
    parameter int PE = 3,
    parameter int SIMD = 2,
    parameter int XBITS = 8,
    parameter bit XSIGNED = 1'b1,
    parameter int WBITS = 8,
    parameter int ACC = 22,
    parameter int BIAS = 20,
    parameter int SUM = 23,
    parameter int SHIFT = 2,
    parameter int YBITS = 16,
    parameter bit YSIGNED = 1'b1,
    parameter bit YNARROW = 1'b0,
    parameter int CHAINS = 1,  // these five: see matrix_vector
    parameter int PACK_SHIFT = 0,
    parameter int PACK_HIGH = 8,
    parameter bit SINGLE_DSP = 1'b1,
    parameter bit W_LATENCY = 1'b0,
    parameter int WADDRS = 1,  // widths of the weight memory's ports
    parameter int WWIDTH = 1,
    localparam int NF = OUTPUTS / PE,
    localparam int SF = INPUTS / SIMD,
    localparam int BADDR = (NF > 1) ? $clog2(NF) : 1
) (
    input  logic                      clk,
    input  logic                      rst_n,
    input  logic [    SIMD*XBITS-1:0] i_dat,
    input  logic                      i_vld,
    output logic                      i_rdy,
    output logic [      PE*YBITS-1:0] odat,
    output logic                      ovld,
    input  logic                      ordy,
    output logic [        WADDRS-1:0] w_addr,
    input  logic [        WWIDTH-1:0] w_dat,
    output logic [         BADDR-1:0] bias_addr,
    input  logic [PE-1:0][BIAS-1:0]   bias_dat
);
  localparam int ABITS = XSIGNED ? XBITS : XBITS + 1;
  logic [SIMD-1:0][XBITS-1:0] codes;
  logic [SIMD-1:0][ABITS-1:0] operand;
  logic [PE-1:0][ACC-1:0] acc, acc_q;
  logic [PE-1:0][YBITS-1:0] y;
  logic acc_vld, enter, enough;

  assign codes = i_dat;
  for (genvar s = 0; s < SIMD; s++) begin : gen_operand
    if (XSIGNED) begin : gen_signed
      assign operand[s] = codes[s];
    end else begin : gen_unsigned
      assign operand[s] = {1'b0, codes[s]};
    end
  end

  // a unit of several folds is busy with one vector while the next gathers
  logic [SIMD*ABITS-1:0] word;
  logic word_vld, word_rdy;
  if (NF > 1) begin : gen_gather
    stream_fifo #(.WIDTH(SIMD * ABITS), .DEPTH(2 * SF)) u_fifo (
        .clk(clk), .rst_n(rst_n),
        .idat(operand), .ivld(i_vld), .irdy(i_rdy),
        .odat(word), .ovld(word_vld), .ordy(word_rdy)
    );
  end else begin : gen_direct
    assign word = operand;
    assign word_vld = i_vld;
    assign i_rdy = word_rdy;
  end

  matrix_vector #(
      .UNITS(PE), .GATES(1), .SIMD(SIMD), .NF(NF), .SF(SF), .CELL(PE), .WBITS(WBITS), .ABITS(ABITS),
      .ACC_BITS(ACC), .CHAINS(CHAINS), .PACK_SHIFT(PACK_SHIFT), .PACK_HIGH(PACK_HIGH), .SINGLE_DSP(SINGLE_DSP),
      .W_LATENCY(W_LATENCY)
  ) u_mvu (
      .clk(clk), .rst_n(rst_n),
      .idat(word), .ivld(word_vld), .irdy(word_rdy), .waddr(w_addr), .wdat(w_dat),
      .odat(acc), .ovld(acc_vld), .ordy(enter)
  );

  assign enter = acc_vld && enough;
  logic [BADDR-1:0] bias_next;
  successor #(.COUNT(NF)) u_bias (.idat(bias_addr), .odat(bias_next));
  always_ff @(posedge clk) begin
    acc_q <= acc;
    if (!rst_n) bias_addr <= '0;
    else if (enter) bias_addr <= bias_next;
  end

  for (genvar p = 0; p < PE; p++) begin : gen_output
    logic signed [SUM-1:0] sum;
    always_ff @(posedge clk) begin
      sum <= $signed({{(SUM - ACC) {acc_q[p][ACC-1]}}, acc_q[p]})
          + $signed({{(SUM - BIAS) {bias_dat[p][BIAS-1]}}, bias_dat[p]});
    end
    round_saturate #(
        .IN_BITS(SUM), .SHIFT(SHIFT), .OUT_BITS(YBITS), .OUT_SIGNED(YSIGNED), .OUT_NARROW(YNARROW)
    ) u_requant (
        .clk(clk), .idat(sum), .odat(y[p])
    );
  end

  pipeline_out #(.WIDTH(PE * YBITS), .LATENCY(3)) u_pipeline (
      .clk(clk), .rst_n(rst_n), .enter(enter), .enough(enough), .idat(y),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
