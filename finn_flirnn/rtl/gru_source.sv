// SPDX-License-Identifier: BSD-3-Clause
// Start of the ring: gives, step by step and lane by lane, the state words that the engine works on:
// h(t-1) from the ring's FIFO, or at t = 0 the initial state (zero if it has none).
// init carries CELL units a transfer; all other words carry SIMD units, SF words a vector.
module gru_source #(
    parameter int HBITS = 8,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int SF = 2,
    parameter int STEPS = 135,
    parameter int LANES = 4,
    parameter bit HAS_INITIAL = 1'b0
) (
    input  logic                  clk,
    input  logic                  rst_n,
    input  logic [CELL*HBITS-1:0] init_dat,
    input  logic                  init_vld,
    output logic                  init_rdy,
    input  logic [SIMD*HBITS-1:0] ring_dat,
    input  logic                  ring_vld,
    output logic                  ring_rdy,
    output logic [SIMD*HBITS-1:0] odat,
    output logic                  ovld,
    input  logic                  ordy
);
  logic start, take, last_word, last_step;
  logic [SIMD*HBITS-1:0] first_dat;
  logic first_vld, first_rdy;

  if (HAS_INITIAL) begin : gen_initial
    // the states arrive CELL units at a time: whole vectors gather while others are in work
    logic [SIMD*HBITS-1:0] wide_dat;
    logic wide_vld, wide_rdy;
    stream_widen #(.WIDTH(CELL * HBITS), .FACTOR(SIMD / CELL)) u_widen (
        .clk(clk), .rst_n(rst_n),
        .idat(init_dat), .ivld(init_vld), .irdy(init_rdy),
        .odat(wide_dat), .ovld(wide_vld), .ordy(wide_rdy)
    );
    stream_fifo #(.WIDTH(SIMD * HBITS), .DEPTH(2 * SF)) u_gather (
        .clk(clk), .rst_n(rst_n),
        .idat(wide_dat), .ivld(wide_vld), .irdy(wide_rdy),
        .odat(first_dat), .ovld(first_vld), .ordy(first_rdy)
    );
  end else begin : gen_zero
    logic unused;
    assign unused = &{1'b0, init_dat, init_vld, first_rdy};
    assign init_rdy = 1'b0;
    assign first_dat = '0;
    assign first_vld = 1'b1;
  end

  assign odat = start ? first_dat : ring_dat;
  assign ovld = start ? first_vld : ring_vld;
  assign first_rdy = start && ordy;
  assign ring_rdy = !start && ordy;
  assign take = ovld && ordy;
  round_counter #(.COUNT(LANES * SF)) u_word (
      .clk(clk), .rst_n(rst_n), .advance(take), .last(last_word)
  );
  round_counter #(.COUNT(STEPS)) u_step (
      .clk(clk), .rst_n(rst_n), .advance(take && last_word), .last(last_step)
  );
  always_ff @(posedge clk) begin
    if (!rst_n) start <= 1'b1;
    else if (take && last_word) start <= last_step;  // the next group's first step follows
  end
endmodule
