// SPDX-License-Identifier: BSD-3-Clause
// Collects streams into one: COUNT words of input 0, COUNT of input 1, ..., and again from input 0.
// The inverse of stream_deal. irdy and all outputs come from registers. Latency 2 cycles.
module stream_collect #(
    parameter int WIDTH = 8,
    parameter int INPUTS = 2,
    parameter int COUNT = 4,
    parameter int DEPTH = 2
) (
    input  logic                         clk,
    input  logic                         rst_n,
    input  logic [INPUTS-1:0][WIDTH-1:0] idat,
    input  logic [INPUTS-1:0]            ivld,
    output logic [INPUTS-1:0]            irdy,
    output logic [ WIDTH-1:0]            odat,
    output logic                         ovld,
    input  logic                         ordy
);
  logic [INPUTS-1:0] turn;
  logic [WIDTH-1:0] dat;
  logic vld, rdy;

  always_comb begin
    dat = '0;
    for (int i = 0; i < INPUTS; i++) dat |= turn[i] ? idat[i] : '0;
  end
  assign vld = |(turn & ivld);
  assign irdy = rdy ? turn : '0;

  stream_turns #(.PARTS(INPUTS), .COUNT(COUNT)) u_turns (
      .clk(clk), .rst_n(rst_n), .step(vld && rdy), .turn(turn)
  );
  stream_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(dat), .ivld(vld), .irdy(rdy), .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
