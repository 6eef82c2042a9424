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
  localparam logic [ADDRESS-1:0] SECOND = (DEPTH > 1) ? ADDRESS'(1) : '0;

  // Each pointer goes with its successor: whether the FIFO fills or empties is then one comparison of
  // registers, and `push` and `pull`, which come late, choose between its results.
  logic [WIDTH-1:0] mem [DEPTH];
  logic [ADDRESS-1:0] wptr, wnext, wnext_next, rptr, rnext, rnext_next;
  logic full, filled, push, pull;

  assign irdy = !full;
  assign push = ivld && !full;
  assign pull = filled && (!ovld || ordy);
  successor #(.COUNT(DEPTH)) u_write (.idat(wnext), .odat(wnext_next));
  successor #(.COUNT(DEPTH)) u_read (.idat(rnext), .odat(rnext_next));

  always_ff @(posedge clk) begin
    if (push) mem[wptr] <= idat;
    if (pull) odat <= mem[rptr];
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      wptr   <= '0;
      wnext  <= SECOND;
      rptr   <= '0;
      rnext  <= SECOND;
      full   <= 1'b0;
      filled <= 1'b0;
      ovld   <= 1'b0;
    end else begin
      if (push) begin
        wptr  <= wnext;
        wnext <= wnext_next;
      end
      if (pull) begin
        rptr  <= rnext;
        rnext <= rnext_next;
      end
      full   <= !pull && (push ? wnext == rptr : full);
      filled <= push || (pull ? rnext != wptr : filled);
      ovld   <= pull || (ovld && !ordy);
    end
  end
endmodule
