// SPDX-License-Identifier: BSD-3-Clause
// Stream FIFO of DEPTH words with a registered output.
// Handshake: idat/ivld/irdy -> odat/ovld/ordy; irdy comes from a register. Latency 2 cycles from a
// word's arrival to ovld, one word a cycle. The output register holds one word beside the DEPTH.
// The memory is read through a register, so it may become LUTRAM, BRAM or URAM by size.
module stream_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16
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
  localparam int ADDRESS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  localparam int COUNT = $clog2(DEPTH + 1);
  localparam logic [ADDRESS-1:0] LAST = ADDRESS'(DEPTH - 1);

  logic [WIDTH-1:0] mem [DEPTH];
  logic [ADDRESS-1:0] wptr, rptr;
  logic [COUNT-1:0] count;
  logic push, pull;

  assign irdy = count != COUNT'(DEPTH);
  assign push = ivld && irdy;
  assign pull = (count != '0) && (!ovld || ordy);

  always_ff @(posedge clk) begin
    if (push) mem[wptr] <= idat;
    if (pull) odat <= mem[rptr];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      wptr  <= '0;
      rptr  <= '0;
      count <= '0;
      ovld  <= 1'b0;
    end else begin
      if (push) wptr <= (wptr == LAST) ? '0 : wptr + 1'b1;
      if (pull) rptr <= (rptr == LAST) ? '0 : rptr + 1'b1;
      if (push && !pull) count <= count + 1'b1;
      else if (pull && !push) count <= count - 1'b1;
      if (pull) ovld <= 1'b1;
      else if (ordy) ovld <= 1'b0;
    end
  end
endmodule
