// SPDX-License-Identifier: BSD-3-Clause
// The handshake of a pipeline that cannot stop: an item that enters (`enter`) leaves as `idat` LATENCY
// cycles later and goes into a FIFO in which a place was kept for it; `enough`: one more may enter.
module pipeline_out #(
    parameter int WIDTH = 8,
    parameter int LATENCY = 16,
    parameter int PLACES = LATENCY + 4
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             enter,
    output logic             enough,
    input  logic [WIDTH-1:0] idat,
    output logic [WIDTH-1:0] odat,
    output logic             ovld,
    input  logic             ordy
);
  logic [LATENCY-1:0] valid;
  logic fifo_irdy, unused;

  always_ff @(posedge clk) begin
    if (!rst_n) valid <= '0;
    else valid <= LATENCY'({valid, enter});
  end

  credits #(.PLACES(PLACES)) u_credits (
      .clk(clk), .rst_n(rst_n), .take(enter), .give(ovld && ordy), .enough(enough)
  );
  stream_fifo #(.WIDTH(WIDTH), .DEPTH(PLACES)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(valid[LATENCY-1]), .irdy(fifo_irdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
  assign unused = &{1'b0, fifo_irdy};
endmodule
