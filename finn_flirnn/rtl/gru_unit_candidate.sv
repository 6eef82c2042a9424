// SPDX-License-Identifier: BSD-3-Clause
// Second half of a unit whose reset gate acts before the recurrent product (docs/numerics.md, section 4):
//   n = candidate(u_n + W_hn (r * h)), h' = n + z * (h - n)
// Latency 10 cycles, one unit a cycle, no stall.
module gru_unit_candidate #(
    parameter int HACC = 20,
    parameter int HALIGN = 0,
    parameter int SUM = 22,
    parameter int PBITS = 10,
    parameter int P_SHIFT = 8,
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
    input  logic                   clk,
    input  logic signed [HACC-1:0] v,
    input  logic signed [ SUM-1:0] u_n,
    input  logic        [GBITS-1:0] z,
    input  logic        [HBITS-1:0] h,
    output logic        [PBITS-1:0] cand_addr,
    input  logic        [CBITS-1:0] cand_dat,
    output logic        [HBITS-1:0] odat
);
  logic signed [SUM-1:0] a_n, u_q;
  logic signed [HACC-1:0] v_q;
  logic [GBITS-1:0] z_q;
  logic [HBITS-1:0] h_q;

  // cycles 1 and 2: sum; cycle 3: its code; cycle 4: candidate; cycles 5 to 10: blend
  always_ff @(posedge clk) begin
    v_q <= v;
    u_q <= u_n;
    a_n <= u_q + ($signed({{(SUM - HACC) {v_q[HACC-1]}}, v_q}) <<< HALIGN);
  end
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p (.clk(clk), .idat(a_n), .odat(cand_addr));
  delay #(.WIDTH(GBITS), .CYCLES(4)) u_z_line (.clk(clk), .idat(z), .odat(z_q));
  delay #(.WIDTH(HBITS), .CYCLES(4)) u_h_line (.clk(clk), .idat(h), .odat(h_q));
  gru_blend #(
      .HBITS(HBITS), .CBITS(CBITS), .GBITS(GBITS), .GFRAC(GFRAC), .HSHIFT(HSHIFT), .NSHIFT(NSHIFT),
      .STATE_SHIFT(STATE_SHIFT), .STATE_NARROW(STATE_NARROW), .DSP(DSP)
  ) u_blend (
      .clk(clk), .z(z_q), .n(cand_dat), .h(h_q), .odat(odat)
  );
endmodule
