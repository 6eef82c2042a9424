// SPDX-License-Identifier: BSD-3-Clause
// Deals a stream out: COUNT words to output 0, COUNT to output 1, ..., and again from output 0.
// odat is common to all outputs, ovld tells whose word it is. A word that its output does not take holds
// up those behind it. All outputs come from registers, irdy from a register. Latency 2 cycles.
module stream_deal #(
    parameter int WIDTH = 8,
    parameter int OUTPUTS = 2,
    parameter int COUNT = 4,
    parameter int DEPTH = 2
) (
    input  logic               clk,
    input  logic               rst_n,
    input  logic [  WIDTH-1:0] idat,
    input  logic               ivld,
    output logic               irdy,
    output logic [  WIDTH-1:0] odat,
    output logic [OUTPUTS-1:0] ovld,
    input  logic [OUTPUTS-1:0] ordy
);
  logic [OUTPUTS-1:0] turn;
  logic vld, rdy;

  stream_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .odat(odat), .ovld(vld), .ordy(rdy)
  );
  stream_turns #(.PARTS(OUTPUTS), .COUNT(COUNT)) u_turns (
      .clk(clk), .rst_n(rst_n), .step(vld && rdy), .turn(turn)
  );
  assign rdy = |(turn & ordy);
  assign ovld = vld ? turn : '0;
endmodule
