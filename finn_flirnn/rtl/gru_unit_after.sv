// SPDX-License-Identifier: BSD-3-Clause
// One unit of a GRU whose reset gate acts after the recurrent product (docs/numerics.md, section 4):
//   r = gate(v_r + u_r), z = gate(v_z + u_z), n = candidate(u_n + r * v_n), h' = n + z * (h - n)
// v: recurrent products, u: input products (0 without input). Biases arrive one cycle later than v; those of r, z and
// recurrent n hold half of 2**P_SHIFT beside, see round_saturate.
// Tables answer an address one cycle later. Latency 17 cycles, one unit a cycle, no stall.
module gru_unit_after #(
    parameter int HACC = 20,
    parameter int XACC = 20,
    parameter int BIAS = 20,
    parameter int HALIGN = 0,
    parameter int XALIGN = 0,
    parameter int SUM = 22,
    parameter int PBITS = 10,
    parameter int P_SHIFT = 8,
    parameter int U_ALIGN = 0,
    parameter int RV_ALIGN = 0,
    parameter int A_SHIFT = 8,
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
    input  logic                      clk,
    input  logic [2:0][    HACC-1:0]  v,
    input  logic [2:0][    XACC-1:0]  u,
    input  logic      [   HBITS-1:0]  h,
    input  logic [3:0][    BIAS-1:0]  bias,       // r, z, input n, recurrent n
    output logic [1:0][   PBITS-1:0]  gate_addr,  // r, z
    input  logic [1:0][   GBITS-1:0]  gate_dat,
    output logic      [   PBITS-1:0]  cand_addr,
    input  logic      [   CBITS-1:0]  cand_dat,
    output logic      [   HBITS-1:0]  odat
);
  localparam int RV = GBITS + 1 + PBITS;
  // half of 2**A_SHIFT at the product's scale
  localparam logic [47:0] HALF = (GFRAC > 0) ? 48'd1 << (GFRAC - 1) : '0;
  localparam int A = ((SUM + U_ALIGN > RV + RV_ALIGN) ? SUM + U_ALIGN : RV + RV_ALIGN) + 1;

  logic signed [SUM-1:0] a_r, a_z, v_n, u_n, u_n_q;
  logic [PBITS-1:0] v_p;
  logic signed [RV-1:0] rv;
  logic signed [A-1:0] a_n;
  logic [GBITS-1:0] z_q;
  logic [HBITS-1:0] h_q;

  // cycles 1 to 3
  gru_join #(.HACC(HACC), .XACC(XACC), .BIAS(BIAS), .HSHIFT(HALIGN), .XSHIFT(XALIGN), .OUT(SUM)) u_r (
      .clk(clk), .h(v[0]), .x(u[0]), .bias(bias[0]), .odat(a_r)
  );
  gru_join #(.HACC(HACC), .XACC(XACC), .BIAS(BIAS), .HSHIFT(HALIGN), .XSHIFT(XALIGN), .OUT(SUM)) u_z (
      .clk(clk), .h(v[1]), .x(u[1]), .bias(bias[1]), .odat(a_z)
  );
  gru_join #(.HACC(1), .XACC(XACC), .BIAS(BIAS), .HSHIFT(0), .XSHIFT(XALIGN), .OUT(SUM)) u_input_n (
      .clk(clk), .h(1'b0), .x(u[2]), .bias(bias[2]), .odat(u_n)
  );
  gru_join #(.HACC(HACC), .XACC(1), .BIAS(BIAS), .HSHIFT(HALIGN), .XSHIFT(0), .OUT(SUM)) u_recurrent_n (
      .clk(clk), .h(v[2]), .x(1'b0), .bias(bias[3]), .odat(v_n)
  );

  // cycle 4: pre-activation codes; cycle 5: gates
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p_r (.clk(clk), .idat(a_r), .odat(gate_addr[0]));
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p_z (.clk(clk), .idat(a_z), .odat(gate_addr[1]));
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p_v (.clk(clk), .idat(v_n), .odat(v_p));

  // cycles 6 to 8: r * v'; cycle 9: candidate's sum; cycle 10: its code; cycle 11: candidate
  logic [PBITS-1:0] v_p_q;
  delay #(.WIDTH(SUM), .CYCLES(5)) u_u_n (.clk(clk), .idat(u_n), .odat(u_n_q));
  multiply #(.A_BITS(PBITS), .B_BITS(GBITS), .START(HALF), .DSP(DSP)) u_rv (
      .clk(clk), .a(v_p_q), .b(gate_dat[0]), .odat(rv)
  );
  always_ff @(posedge clk) begin
    v_p_q <= v_p;
    a_n <= ($signed({{(A - SUM) {u_n_q[SUM-1]}}, u_n_q}) <<< U_ALIGN)
        + ($signed({{(A - RV) {rv[RV-1]}}, rv}) <<< RV_ALIGN);
  end
  round_saturate #(.IN_BITS(A), .SHIFT(A_SHIFT), .OUT_BITS(PBITS)) u_p_n (.clk(clk), .idat(a_n), .odat(cand_addr));

  // cycles 12 to 17: blend
  delay #(.WIDTH(GBITS), .CYCLES(6)) u_z_line (.clk(clk), .idat(gate_dat[1]), .odat(z_q));
  delay #(.WIDTH(HBITS), .CYCLES(11)) u_h_line (.clk(clk), .idat(h), .odat(h_q));
  gru_blend #(
      .HBITS(HBITS), .CBITS(CBITS), .GBITS(GBITS), .GFRAC(GFRAC), .HSHIFT(HSHIFT), .NSHIFT(NSHIFT),
      .STATE_SHIFT(STATE_SHIFT), .STATE_NARROW(STATE_NARROW), .DSP(DSP)
  ) u_blend (
      .clk(clk), .z(z_q), .n(cand_dat), .h(h_q), .odat(odat)
  );
endmodule
