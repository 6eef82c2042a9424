// SPDX-License-Identifier: BSD-3-Clause
// New state of one unit: h' = requantise(n * 2**GFRAC + z * (h - n)), docs/numerics.md section 4.
// n and h come at their own scales and are aligned by NSHIFT and HSHIFT (one of them is 0).
// Latency 6 cycles, one unit a cycle.
module gru_blend #(
    parameter int HBITS = 8,
    parameter int CBITS = 8,
    parameter int GBITS = 8,
    parameter int GFRAC = 7,
    parameter int HSHIFT = 0,
    parameter int NSHIFT = 0,
    parameter int STATE_SHIFT = 7,
    parameter bit STATE_NARROW = 1'b1,
    parameter bit DSP = 1'b1  // see multiply
) (
    input  logic                    clk,
    input  logic        [GBITS-1:0] z,
    input  logic signed [CBITS-1:0] n,
    input  logic signed [HBITS-1:0] h,
    output logic        [HBITS-1:0] odat
);
  localparam int NBITS = CBITS + NSHIFT;
  localparam int SBITS = HBITS + HSHIFT;
  localparam int DBITS = ((NBITS > SBITS) ? NBITS : SBITS) + 1;
  localparam int MBITS = DBITS + GBITS + 1;
  localparam int EBITS = ((NBITS + GFRAC > MBITS) ? NBITS + GFRAC : MBITS) + 1;

  localparam logic [47:0] HALF = (STATE_SHIFT > 0) ? 48'd1 << (STATE_SHIFT - 1) : '0;

  logic signed [DBITS-1:0] n_wide, h_wide, n_q;
  logic signed [DBITS-1:0] difference;
  logic signed [MBITS-1:0] product;
  logic signed [EBITS-1:0] exact;
  logic [GBITS-1:0] z_q;

  assign n_wide = $signed({{(DBITS - CBITS) {n[CBITS-1]}}, n}) <<< NSHIFT;
  assign h_wide = $signed({{(DBITS - HBITS) {h[HBITS-1]}}, h}) <<< HSHIFT;

  always_ff @(posedge clk) begin
    difference <= h_wide - n_wide;
    z_q <= z;
    exact <= ($signed({{(EBITS - DBITS) {n_q[DBITS-1]}}, n_q}) <<< GFRAC)
        + $signed({{(EBITS - MBITS) {product[MBITS-1]}}, product});
  end
  multiply #(.A_BITS(DBITS), .B_BITS(GBITS), .START(HALF), .DSP(DSP)) u_product (
      .clk(clk), .a(difference), .b(z_q), .odat(product)
  );
  delay #(.WIDTH(DBITS), .CYCLES(4)) u_n (.clk(clk), .idat(n_wide), .odat(n_q));

  round_saturate #(
      .IN_BITS(EBITS), .SHIFT(STATE_SHIFT), .OUT_BITS(HBITS), .OUT_SIGNED(1'b1), .OUT_NARROW(STATE_NARROW)
  ) u_state (
      .clk(clk), .idat(exact), .odat(odat)
  );
endmodule
