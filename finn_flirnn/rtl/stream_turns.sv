// SPDX-License-Identifier: BSD-3-Clause
// Whose turn it is: one of PARTS, one-hot, the next after COUNT steps, from reset on the first.
module stream_turns #(
    parameter int PARTS = 2,
    parameter int COUNT = 4
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic             step,
    output logic [PARTS-1:0] turn
);
  localparam int BITS = (COUNT > 1) ? $clog2(COUNT) : 1;
  logic [BITS-1:0] count;
  logic last;
  assign last = count == BITS'(COUNT - 1);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      turn  <= PARTS'(1);
      count <= '0;
    end else if (step) begin
      count <= last ? '0 : count + 1'b1;
      if (last) turn <= PARTS'({turn, turn[PARTS-1]});
    end
  end
endmodule
