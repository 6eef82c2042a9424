// SPDX-License-Identifier: BSD-3-Clause
// Free places in a FIFO behind a pipeline that cannot stop. `take` reserves COST places when an item
// enters the pipeline, `give` frees one when the FIFO hands a word on. `enough`: COST places are free.
module credits #(
    parameter int PLACES = 16,
    parameter int COST = 1,
    parameter int START = PLACES  // free after reset
) (
    input  logic clk,
    input  logic rst_n,
    input  logic take,
    input  logic give,
    output logic enough
);
  localparam int WIDTH = $clog2(PLACES + 1);
  if (COST > PLACES) begin : gen_check
    $error("credits: COST=%0d must be at most PLACES=%0d", COST, PLACES);
  end

  logic [WIDTH-1:0] free, next;
  assign next = free - (take ? WIDTH'(COST) : '0) + (give ? WIDTH'(1) : '0);

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      free   <= WIDTH'(START);
      enough <= START >= COST;
    end else begin
      free   <= next;
      enough <= next >= WIDTH'(COST);
    end
  end
endmodule
