// SPDX-License-Identifier: BSD-3-Clause
// The ring that both engines share (docs/adr/0001): source, input product, old states, sink.
// word: states to the recurrent product, SIMD units a transfer. operands: input sums and old states of
// CELL units for the cell, with the address of their biases; `take` hands them over. state: new states.
module gru_ring #(
    parameter int INPUTS = 1,
    parameter int STEPS = 135,
    parameter int LANES = 4,
    parameter bit HAS_INITIAL = 1'b0,
    parameter bit SEQUENCE = 1'b1,
    parameter int STATE_MEMORY = 0,
    parameter int STATE_ROW = 1,
    parameter int STATE_BANK = 4096,
    parameter bit PARK = 1'b0,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int SF = 8,
    parameter int HOLD = 48,  // words that may be between the source and the cell
    parameter int GROUPS = 16,
    parameter int XSIMD = 1,
    parameter int XBITS = 8,
    parameter bit XSIGNED = 1'b0,
    parameter int HBITS = 8,
    parameter int WXBITS = 8,
    parameter int XACC = 18,
    parameter int CHAINS = 1,  // these seven, of the input product: see gru_input
    parameter int PACK_SHIFT = 0,
    parameter int PACK_HIGH = 8,
    parameter bit SINGLE_DSP = 1'b1,
    parameter bit W_LATENCY = 1'b0,
    parameter int WXADDRS = 1,
    parameter int WXWIDTH = 1,
    localparam int GADDR = (GROUPS > 1) ? $clog2(GROUPS) : 1
) (
    input  logic                            clk,
    input  logic                            rst_n,
    input  logic [         XSIMD*XBITS-1:0] x_dat,
    input  logic                            x_vld,
    output logic                            x_rdy,
    input  logic [          CELL*HBITS-1:0] init_dat,
    input  logic                            init_vld,
    output logic                            init_rdy,
    output logic [             WXADDRS-1:0] wx_addr,
    input  logic [             WXWIDTH-1:0] wx_dat,
    output logic [          SIMD*HBITS-1:0] word_dat,
    output logic                            word_vld,
    input  logic                            word_rdy,
    output logic [CELL-1:0][2:0][XACC-1:0] x_sum,
    output logic [     CELL-1:0][HBITS-1:0] hold,
    output logic                            operands_vld,
    input  logic                            take,
    output logic [               GADDR-1:0] bias_addr,
    input  logic [          CELL*HBITS-1:0] state_dat,
    input  logic                            state_vld,
    output logic                            state_rdy,
    output logic [          CELL*HBITS-1:0] odat,
    output logic                            ovld,
    input  logic                            ordy
);
  logic [SIMD*HBITS-1:0] ring_dat;
  logic ring_vld, ring_rdy, source_vld, hold_rdy, hold_vld, x_sum_vld;

  gru_source #(
      .HBITS(HBITS), .SIMD(SIMD), .CELL(CELL), .SF(SF), .STEPS(STEPS), .LANES(LANES),
      .HAS_INITIAL(HAS_INITIAL)
  ) u_source (
      .clk(clk), .rst_n(rst_n),
      .init_dat(init_dat), .init_vld(init_vld), .init_rdy(init_rdy),
      .ring_dat(ring_dat), .ring_vld(ring_vld), .ring_rdy(ring_rdy),
      .odat(word_dat), .ovld(source_vld), .ordy(word_rdy && hold_rdy)
  );
  assign word_vld = source_vld && hold_rdy;

  gru_hold #(
      .HBITS(HBITS), .SIMD(SIMD), .CELL(CELL), .DEPTH(HOLD)
  ) u_hold (
      .clk(clk), .rst_n(rst_n),
      .idat(word_dat), .ivld(source_vld && word_rdy), .irdy(hold_rdy),
      .odat(hold), .ovld(hold_vld), .ordy(take)
  );

  gru_input #(
      .INPUTS(INPUTS), .XSIMD(XSIMD), .XBITS(XBITS), .XSIGNED(XSIGNED), .WXBITS(WXBITS), .CELL(CELL),
      .GROUPS(GROUPS), .XACC(XACC), .CHAINS(CHAINS), .PACK_SHIFT(PACK_SHIFT), .PACK_HIGH(PACK_HIGH),
      .SINGLE_DSP(SINGLE_DSP), .W_LATENCY(W_LATENCY), .WXADDRS(WXADDRS), .WXWIDTH(WXWIDTH)
  ) u_input (
      .clk(clk), .rst_n(rst_n),
      .x_dat(x_dat), .x_vld(x_vld), .x_rdy(x_rdy), .wx_addr(wx_addr), .wx_dat(wx_dat),
      .odat(x_sum), .ovld(x_sum_vld), .ordy(take)
  );
  assign operands_vld = hold_vld && x_sum_vld;

  gru_sink #(
      .HBITS(HBITS), .SIMD(SIMD), .CELL(CELL), .SF(SF), .GROUPS(GROUPS), .STEPS(STEPS), .LANES(LANES),
      .SEQUENCE(SEQUENCE), .STATE_MEMORY(STATE_MEMORY), .STATE_ROW(STATE_ROW), .STATE_BANK(STATE_BANK),
      .PARK(PARK)
  ) u_sink (
      .clk(clk), .rst_n(rst_n),
      .idat(state_dat), .ivld(state_vld), .irdy(state_rdy),
      .ring_dat(ring_dat), .ring_vld(ring_vld), .ring_rdy(ring_rdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  // the memory of biases is read while the operands enter the cell
  logic [GADDR-1:0] bias_next;
  successor #(.COUNT(GROUPS)) u_bias (.idat(bias_addr), .odat(bias_next));
  always_ff @(posedge clk) begin
    if (!rst_n) bias_addr <= '0;
    else if (take) bias_addr <= bias_next;
  end
endmodule
