// SPDX-License-Identifier: BSD-3-Clause
// Free places in a FIFO behind a pipeline that cannot stop. `take` reserves COST places when an item
// enters the pipeline, `give` frees one when the FIFO hands a word on. `enough`: COST places are free;
// it falls in the cycle after a take and rises two cycles after a give.
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
  // free places less COST: its sign is the answer, so nothing is compared
  localparam int WIDTH = $clog2(PLACES + 1) + 1;
  if (COST > PLACES) begin : gen_check
    $error("credits: COST=%0d must be at most PLACES=%0d", COST, PLACES);
  end

  logic signed [WIDTH-1:0] spare;
  logic give_q;
  assign enough = !spare[WIDTH-1];

  always_ff @(posedge clk) begin
    give_q <= rst_n && give;
    if (!rst_n) spare <= WIDTH'(START - COST);
    else spare <= spare - (take ? WIDTH'(COST) : '0) + {{(WIDTH - 1) {1'b0}}, give_q};
  end
endmodule
