// SPDX-License-Identifier: BSD-3-Clause
// Multiply-accumulate without a vendor's cell: p = a * b + pcin (CASCADE) or p = a * b + START.
// Signed, exact in SUM_BITS bits, which pcout extends to 48. The synthesis tool chooses the multiplier.
// Latency 3 cycles from a and b, 1 from pcin; one product a cycle, no stall.
// pcin comes from the pcout of the cell before. dsp48e2/, dsp48e1/ hold the same module for those cells.
module dsp_mac #(
    parameter int          A_BITS = 18,
    parameter int          B_BITS = 18,
    parameter int          SUM_BITS = 48,
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
  localparam int PRODUCT = A_BITS + B_BITS;
  if (SUM_BITS > 48) begin : gen_check
    $error("dsp_mac: SUM_BITS=%0d must be at most 48", SUM_BITS);
  end
  if (CASCADE && START != '0) begin : gen_check_start
    $error("dsp_mac: START=%0d must be 0 in a cell that adds pcin", START);
  end

  logic signed [A_BITS-1:0] a_q;
  logic signed [B_BITS-1:0] b_q;
  logic signed [PRODUCT-1:0] m;
  logic [SUM_BITS-1:0] m_wide, addend;
  logic unused;

  assign addend = CASCADE ? pcin[SUM_BITS-1:0] : START[SUM_BITS-1:0];
  if (SUM_BITS > PRODUCT) begin : gen_extend
    assign m_wide = {{(SUM_BITS - PRODUCT) {m[PRODUCT-1]}}, m};
  end else begin : gen_whole
    assign m_wide = m[SUM_BITS-1:0];
  end
  always_ff @(posedge clk) begin
    a_q <= a;
    b_q <= b;
    m   <= a_q * b_q;
    p   <= m_wide + addend;
  end
  if (SUM_BITS < 48) begin : gen_pcout
    assign pcout = {{(48 - SUM_BITS) {p[SUM_BITS-1]}}, p};
  end else begin : gen_pcout_whole
    assign pcout = p;
  end
  assign unused = &{1'b0, pcin, m};
endmodule
