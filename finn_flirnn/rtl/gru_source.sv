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
  localparam int SFBITS = (SF > 1) ? $clog2(SF) : 1;
  localparam int LBITS = (LANES > 1) ? $clog2(LANES) : 1;
  localparam int TBITS = (STEPS > 1) ? $clog2(STEPS) : 1;

  logic [SFBITS-1:0] word;
  logic [LBITS-1:0] lane;
  logic [TBITS-1:0] step;
  logic start, word_end, lane_end;
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

  assign start = step == '0;
  assign odat = start ? first_dat : ring_dat;
  assign ovld = start ? first_vld : ring_vld;
  assign first_rdy = start && ordy;
  assign ring_rdy = !start && ordy;
  assign word_end = word == SFBITS'(SF - 1);
  assign lane_end = word_end && lane == LBITS'(LANES - 1);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      word <= '0;
      lane <= '0;
      step <= '0;
    end else if (ovld && ordy) begin
      word <= word_end ? '0 : word + 1'b1;
      if (word_end) lane <= lane_end ? '0 : lane + 1'b1;
      if (lane_end) step <= (step == TBITS'(STEPS - 1)) ? '0 : step + 1'b1;
    end
  end
endmodule
