// SPDX-License-Identifier: BSD-3-Clause
// Bytes wait here until their frame has proven right: what is written becomes readable at `commit`, and is
// forgotten at `rewind`. `room`: a frame of FRAME bytes fits; true for the next frame from two cycles after
// the last one's end. Handshake of the read side: odat/ovld/ordy.
module link_buffer #(
    parameter int DEPTH = 4096,
    parameter int FRAME = 540
) (
    input  logic       clk,
    input  logic       rst_n,
    input  logic [7:0] idat,
    input  logic       ivld,
    input  logic       commit,
    input  logic       rewind,
    output logic       room,
    output logic [7:0] odat,
    output logic       ovld,
    input  logic       ordy
);
  localparam int ADDRESS = $clog2(DEPTH);
  if (DEPTH != 2 ** ADDRESS || FRAME > DEPTH) begin : gen_check
    $error("link_buffer: DEPTH=%0d must be a power of two and at least FRAME=%0d", DEPTH, FRAME);
  end

  (* ram_style = "block" *) logic [7:0] mem [DEPTH];
  logic [ADDRESS:0] wptr, committed, rptr, used;  // one bit more than an address: full is not empty
  logic pull;

  assign used = wptr - rptr;
  assign pull = (rptr != committed) && (!ovld || ordy);

  always_ff @(posedge clk) begin
    if (ivld) mem[wptr[ADDRESS-1:0]] <= idat;
    if (pull) odat <= mem[rptr[ADDRESS-1:0]];
    room <= used <= (ADDRESS + 1)'(DEPTH - FRAME);
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      wptr <= '0;
      committed <= '0;
      rptr <= '0;
      ovld <= 1'b0;
    end else begin
      if (rewind) wptr <= committed;
      else if (ivld) wptr <= wptr + 1'b1;
      if (commit) committed <= wptr;
      if (pull) rptr <= rptr + 1'b1;
      if (pull) ovld <= 1'b1;
      else if (ordy) ovld <= 1'b0;
    end
  end
endmodule
