// SPDX-License-Identifier: BSD-3-Clause
// requantise of docs/numerics.md, section 2: divide by 2**SHIFT, to nearest, ties to even, saturate.
// idat: the value with 2**(SHIFT-1) added, which costs nothing where a constant is added anyway. Then the
// quotient is rounded already, up if it is a tie; a tie has left zeros and becomes even.
// SHIFT <= 0 multiplies, with nothing added. Latency 1 cycle, one value a cycle, no stall.
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
  localparam int ROOM = IN_BITS + LEFT - RIGHT;
  localparam int SCALED = (ROOM > OUT_BITS + 1) ? ROOM : OUT_BITS + 1;
  localparam int WORK = SCALED + RIGHT;
  localparam int TOP = OUT_SIGNED ? OUT_BITS - 1 : OUT_BITS;  // bits that all equal the sign, or it saturates

  logic signed [WORK-1:0] wide;
  logic [SCALED-1:0] scaled;
  logic sign, saturate, odd;

  assign wide = $signed({{(WORK - IN_BITS) {idat[IN_BITS-1]}}, idat}) <<< LEFT;
  assign scaled = wide[WORK-1:RIGHT];
  if (RIGHT == 0) begin : gen_exact
    assign odd = scaled[0];
  end else begin : gen_round
    assign odd = scaled[0] && (wide[RIGHT-1:0] != '0);
  end
  assign sign = scaled[SCALED-1];
  assign saturate = scaled[SCALED-1:TOP] != {(SCALED - TOP) {sign}};

  if (OUT_SIGNED) begin : gen_signed
    logic least;  // the code that a narrow format has not
    if (OUT_NARROW && OUT_BITS > 2) begin : gen_narrow
      assign least = sign && (saturate || (!odd && scaled[OUT_BITS-2:1] == '0));
    end else begin : gen_full
      assign least = OUT_NARROW && sign && (saturate || !odd);
    end
    always_ff @(posedge clk) begin
      odat <= saturate ? {sign, {(OUT_BITS - 1) {!sign}}} : {scaled[OUT_BITS-1:1], odd};
      if (least) odat[0] <= 1'b1;
    end
  end else begin : gen_unsigned
    logic [OUT_BITS-1:0] code;
    always_comb begin
      code = scaled[OUT_BITS-1:0];
      code[0] = odd;
    end
    always_ff @(posedge clk) odat <= sign ? '0 : saturate ? '1 : code;
  end
endmodule
