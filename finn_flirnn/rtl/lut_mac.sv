// SPDX-License-Identifier: BSD-3-Clause
// dsp_mac in LUTs, for small products that are not worth a DSP: p = a * b + pcin (CASCADE) or + START.
// Signed, exact in SUM_BITS bits, which pcout extends to 48. Ports and latency are those of dsp_mac.
// First the digits of b, two bits each, times a; then two sums of these; then both and pcin.
module lut_mac #(
    parameter int          A_BITS = 8,
    parameter int          B_BITS = 8,
    parameter int          SUM_BITS = 16,
    parameter bit          CASCADE = 1'b0,
    parameter logic [47:0] START = '0
) (
    input  logic                       clk,
    input  logic signed [  A_BITS-1:0] a,
    input  logic signed [  B_BITS-1:0] b,
    input  logic        [        47:0] pcin,
    output logic        [        47:0] pcout,
    output logic        [SUM_BITS-1:0] p
);
  localparam int DIGITS = (B_BITS + 1) / 2;
  localparam int LOW_DIGITS = DIGITS / 2;
  localparam int DIGIT = A_BITS + 2;
  localparam int LOW = DIGIT + 2 * LOW_DIGITS + 1;
  localparam int HIGH = DIGIT + 2 * (DIGITS - LOW_DIGITS) - 1;
  if (CASCADE && START != '0) begin : gen_check_start
    $error("lut_mac: START=%0d must be 0 in a cell that adds pcin", START);
  end

  logic [2*DIGITS-1:0] digits;
  logic [DIGIT-1:0] a_wide;
  logic [DIGITS-1:0][DIGIT-1:0] products;
  logic [LOW-1:0] low, low_next;
  logic [HIGH-1:0] high, high_next;
  logic [47:0] low_wide, high_wide, sum;
  logic unused;

  // bit by bit, for a multiplication would go to a DSP; the sign bit of b counts negative
  if (2 * DIGITS > B_BITS) begin : gen_odd
    assign digits = {b[B_BITS-1], b};
  end else begin : gen_even
    assign digits = b;
  end
  assign a_wide = {{2{a[A_BITS-1]}}, a};
  for (genvar k = 0; k < DIGITS; k++) begin : gen_digit
    logic [DIGIT-1:0] once, twice;
    assign once  = a_wide & {DIGIT{digits[2*k]}};
    assign twice = (a_wide << 1) & {DIGIT{digits[2*k+1]}};
    always_ff @(posedge clk) products[k] <= (k == DIGITS - 1) ? once - twice : once + twice;
  end

  always_comb begin
    low_next  = '0;
    high_next = '0;
    for (int k = 0; k < LOW_DIGITS; k++) begin
      low_next = low_next + ({{(LOW - DIGIT) {products[k][DIGIT-1]}}, products[k]} << (2 * k));
    end
    for (int k = LOW_DIGITS; k < DIGITS; k++) begin
      high_next = high_next
          + ({{(HIGH - DIGIT) {products[k][DIGIT-1]}}, products[k]} << (2 * (k - LOW_DIGITS)));
    end
  end

  assign low_wide  = {{(48 - LOW) {low[LOW-1]}}, low};
  assign high_wide = {{(48 - HIGH) {high[HIGH-1]}}, high} << (2 * LOW_DIGITS);
  assign sum = low_wide + high_wide + (CASCADE ? pcin : START);
  always_ff @(posedge clk) begin
    low  <= low_next;
    high <= high_next;
    p    <= sum[SUM_BITS-1:0];
  end
  if (SUM_BITS < 48) begin : gen_pcout
    assign pcout = {{(48 - SUM_BITS) {p[SUM_BITS-1]}}, p};
  end else begin : gen_pcout_whole
    assign pcout = p;
  end
  assign unused = &{1'b0, pcin, sum};
endmodule
