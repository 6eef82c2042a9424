// SPDX-License-Identifier: BSD-3-Clause
// Of every TOTAL words hands on the last COUNT and takes the others away.
// irdy and all outputs come from registers. Latency 2 cycles.
module stream_last #(
    parameter int WIDTH = 8,
    parameter int TOTAL = 8,
    parameter int COUNT = 2,
    parameter int DEPTH = 2
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic [WIDTH-1:0] idat,
    input  logic             ivld,
    output logic             irdy,
    output logic [WIDTH-1:0] odat,
    output logic             ovld,
    input  logic             ordy
);
  localparam int BITS = (TOTAL > 1) ? $clog2(TOTAL) : 1;
  logic [BITS-1:0] place;
  logic keep, rdy;

  assign irdy = !keep || rdy;
  stream_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld && keep), .irdy(rdy), .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      place <= '0;
      keep  <= COUNT == TOTAL;
    end else if (ivld && irdy) begin
      place <= (place == BITS'(TOTAL - 1)) ? '0 : place + 1'b1;
      if (COUNT != TOTAL) begin
        if (place == BITS'(TOTAL - COUNT - 1)) keep <= 1'b1;
        else if (place == BITS'(TOTAL - 1)) keep <= 1'b0;
      end
    end
  end
endmodule
