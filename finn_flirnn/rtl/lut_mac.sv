// SPDX-License-Identifier: BSD-3-Clause
// dsp_mac in LUTs, for small products that are not worth a DSP: p = a * b + pcin (CASCADE) or + START.
// Signed, exact in SUM_BITS bits, which pcout extends to 48. Ports and latency are those of dsp_mac.
// M is two registers, the products of b's halves; they and pcin are added in the P stage.
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
  localparam int HALF = B_BITS / 2;
  localparam int LOW = A_BITS + HALF;
  localparam int HIGH = A_BITS + B_BITS - HALF;
  if (CASCADE && START != '0) begin : gen_check_start
    $error("lut_mac: START=%0d must be 0 in a cell that adds pcin", START);
  end

  logic [A_BITS-1:0] a_q;
  logic [B_BITS-1:0] b_q;
  logic [LOW-1:0] a_low, low, low_next;
  logic [HIGH-1:0] a_high, high, high_next;
  logic [47:0] low_wide, high_wide, sum;
  logic unused;

  // added bit by bit, for a multiplication would go to a DSP; the sign bit of b counts negative
  assign a_low  = {{HALF{a_q[A_BITS-1]}}, a_q};
  assign a_high = {{(B_BITS - HALF) {a_q[A_BITS-1]}}, a_q};
  always_comb begin
    low_next  = '0;
    high_next = '0;
    for (int i = 0; i < HALF; i++) low_next = low_next + ({LOW{b_q[i]}} & (a_low << i));
    for (int i = HALF; i < B_BITS - 1; i++) high_next = high_next + ({HIGH{b_q[i]}} & (a_high << (i - HALF)));
    high_next = high_next - ({HIGH{b_q[B_BITS-1]}} & (a_high << (B_BITS - 1 - HALF)));
  end

  assign low_wide  = {{(48 - LOW) {low[LOW-1]}}, low};
  assign high_wide = {{(48 - HIGH - HALF) {high[HIGH-1]}}, high, {HALF{1'b0}}};
  assign sum = low_wide + high_wide + (CASCADE ? pcin : START);
  always_ff @(posedge clk) begin
    a_q  <= a;
    b_q  <= b;
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
