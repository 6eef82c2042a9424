// SPDX-License-Identifier: BSD-3-Clause
// requantise of docs/numerics.md, section 2: divide by 2**SHIFT, to nearest, ties to even, saturate.
// SHIFT <= 0 multiplies. Latency 2 cycles, one value a cycle, no stall.
module round_saturate #(
    parameter int IN_BITS = 20,
    parameter int SHIFT = 4,
    parameter int OUT_BITS = 8,
    parameter bit OUT_SIGNED = 1'b1,
    parameter bit OUT_NARROW = 1'b0
) (
    input  logic                      clk,
    input  logic signed [IN_BITS-1:0] idat,
    output logic        [OUT_BITS-1:0] odat
);
  localparam int LEFT = (SHIFT < 0) ? -SHIFT : 0;
  localparam int RIGHT = (SHIFT > 0) ? SHIFT : 0;
  localparam int ROOM = (IN_BITS + LEFT > RIGHT + 1) ? IN_BITS + LEFT : RIGHT + 1;
  localparam int WORK = ((ROOM > OUT_BITS + RIGHT) ? ROOM : OUT_BITS + RIGHT) + 2;
  localparam int SCALED = WORK - RIGHT;
  localparam logic signed [SCALED-1:0] ONE = 1;
  localparam logic signed [SCALED-1:0] GREATEST = (ONE <<< (OUT_SIGNED ? OUT_BITS - 1 : OUT_BITS)) - ONE;
  localparam logic signed [SCALED-1:0] LEAST =
      OUT_SIGNED ? (OUT_NARROW ? -GREATEST : -GREATEST - ONE) : '0;

  logic signed [WORK-1:0] wide;
  logic signed [SCALED-1:0] scaled, scaled_next;

  assign wide = $signed({{(WORK - IN_BITS) {idat[IN_BITS-1]}}, idat}) <<< LEFT;

  if (RIGHT == 0) begin : gen_exact
    assign scaled_next = wide;
  end else begin : gen_round
    localparam logic signed [WORK-1:0] UNIT = 1;
    localparam logic signed [WORK-1:0] HALF_LESS_ONE = (UNIT <<< (RIGHT - 1)) - UNIT;
    logic signed [WORK-1:0] rounded;
    logic unused;
    assign rounded = wide + HALF_LESS_ONE + {{(WORK - 1) {1'b0}}, wide[RIGHT]};
    assign scaled_next = rounded[WORK-1:RIGHT];
    assign unused = &{1'b0, rounded[RIGHT-1:0]};
  end

  always_ff @(posedge clk) begin
    scaled <= scaled_next;
    if (scaled > GREATEST) odat <= GREATEST[OUT_BITS-1:0];
    else if (scaled < LEAST) odat <= LEAST[OUT_BITS-1:0];
    else odat <= scaled[OUT_BITS-1:0];
  end
endmodule
