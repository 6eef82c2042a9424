// SPDX-License-Identifier: BSD-3-Clause
// First half of a unit whose reset gate acts before the recurrent product (docs/numerics.md, section 4):
//   r = gate(v_r + u_r), z = gate(v_z + u_z), rh = requantise(r * h), and the candidate's input part.
// Biases arrive one cycle later than v and hold half of 2**P_SHIFT beside, see round_saturate. Latency 9 cycles, one unit a cycle, no stall.
module gru_unit_reset #(
    parameter int HACC = 20,
    parameter int XACC = 20,
    parameter int BIAS = 20,
    parameter int HALIGN = 0,
    parameter int XALIGN = 0,
    parameter int SUM = 22,
    parameter int PBITS = 10,
    parameter int P_SHIFT = 8,
    parameter int HBITS = 8,
    parameter int GBITS = 8,
    parameter int GFRAC = 7,
    parameter bit STATE_NARROW = 1'b1,
    parameter bit DSP = 1'b1  // see multiply
) (
    input  logic                      clk,
    input  logic [1:0][    HACC-1:0]  v,
    input  logic [2:0][    XACC-1:0]  u,
    input  logic      [   HBITS-1:0]  h,
    input  logic [2:0][    BIAS-1:0]  bias,       // r, z, n
    output logic [1:0][   PBITS-1:0]  gate_addr,  // r, z
    input  logic [1:0][   GBITS-1:0]  gate_dat,
    output logic      [   HBITS-1:0]  rh,
    output logic      [   GBITS-1:0]  z,
    output logic      [   HBITS-1:0]  h_out,
    output logic signed [   SUM-1:0]  u_n
);
  localparam int RH = GBITS + 1 + HBITS;
  localparam logic [47:0] HALF = (GFRAC > 0) ? 48'd1 << (GFRAC - 1) : '0;
  logic signed [SUM-1:0] a_r, a_z, a_n;
  logic [HBITS-1:0] h_late;
  logic [HBITS-1:0] h_q;
  logic signed [RH-1:0] product;

  // cycles 1 to 3
  gru_join #(.HACC(HACC), .XACC(XACC), .BIAS(BIAS), .HSHIFT(HALIGN), .XSHIFT(XALIGN), .OUT(SUM)) u_r (
      .clk(clk), .h(v[0]), .x(u[0]), .bias(bias[0]), .odat(a_r)
  );
  gru_join #(.HACC(HACC), .XACC(XACC), .BIAS(BIAS), .HSHIFT(HALIGN), .XSHIFT(XALIGN), .OUT(SUM)) u_z (
      .clk(clk), .h(v[1]), .x(u[1]), .bias(bias[1]), .odat(a_z)
  );
  gru_join #(.HACC(1), .XACC(XACC), .BIAS(BIAS), .HSHIFT(0), .XSHIFT(XALIGN), .OUT(SUM)) u_n_join (
      .clk(clk), .h(1'b0), .x(u[2]), .bias(bias[2]), .odat(a_n)
  );

  // cycle 4: pre-activation codes; cycle 5: gates; cycles 6 to 8: r * h; cycle 9: its code
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p_r (.clk(clk), .idat(a_r), .odat(gate_addr[0]));
  round_saturate #(.IN_BITS(SUM), .SHIFT(P_SHIFT), .OUT_BITS(PBITS)) u_p_z (.clk(clk), .idat(a_z), .odat(gate_addr[1]));
  delay #(.WIDTH(HBITS), .CYCLES(4)) u_h (.clk(clk), .idat(h), .odat(h_late));
  always_ff @(posedge clk) h_q <= h_late;
  multiply #(.A_BITS(HBITS), .B_BITS(GBITS), .START(HALF), .DSP(DSP)) u_product (
      .clk(clk), .a(h_q), .b(gate_dat[0]), .odat(product)
  );
  round_saturate #(
      .IN_BITS(RH), .SHIFT(GFRAC), .OUT_BITS(HBITS), .OUT_SIGNED(1'b1), .OUT_NARROW(STATE_NARROW)
  ) u_rh (
      .clk(clk), .idat(product), .odat(rh)
  );

  delay #(.WIDTH(GBITS), .CYCLES(4)) u_z_line (.clk(clk), .idat(gate_dat[1]), .odat(z));
  delay #(.WIDTH(HBITS), .CYCLES(4)) u_h_line (.clk(clk), .idat(h_q), .odat(h_out));
  delay #(.WIDTH(SUM), .CYCLES(6)) u_n_line (.clk(clk), .idat(a_n), .odat(u_n));
endmodule
