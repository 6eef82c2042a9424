// SPDX-License-Identifier: BSD-3-Clause
// Hands every word to all outputs, to each when it takes it; the next word follows when all have it.
// odat is common to all outputs. irdy comes from a register. Latency 2 cycles, one word a cycle.
module stream_fork #(
    parameter int WIDTH = 8,
    parameter int OUTPUTS = 2,
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
  logic [OUTPUTS-1:0] taken;  // of the word that is there
  logic vld, rdy;

  stream_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .odat(odat), .ovld(vld), .ordy(rdy)
  );
  assign rdy = &(taken | ordy);
  assign ovld = vld ? ~taken : '0;

  always_ff @(posedge clk) begin
    if (!rst_n) taken <= '0;
    else if (vld) taken <= rdy ? '0 : taken | ordy;
  end
endmodule
