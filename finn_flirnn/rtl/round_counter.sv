// SPDX-License-Identifier: BSD-3-Clause
// Counts rounds of COUNT advances: `last` is high while the next advance ends a round.
module round_counter #(
    parameter int COUNT = 4
) (
    input  logic clk,
    input  logic rst_n,
    input  logic advance,
    output logic last
);
  if (COUNT == 1) begin : gen_always
    logic unused;
    assign unused = &{1'b0, clk, rst_n, advance};
    assign last = 1'b1;
  end else begin : gen_count
    // down to -1: the sign is `last`, so that nothing is compared
    localparam int WIDTH = $clog2(COUNT - 1) + 1;
    logic [WIDTH-1:0] left;
    assign last = left[WIDTH-1];
    always_ff @(posedge clk) begin
      if (!rst_n || (advance && last)) left <= WIDTH'(COUNT - 2);
      else if (advance) left <= left - 1'b1;
    end
  end
endmodule
