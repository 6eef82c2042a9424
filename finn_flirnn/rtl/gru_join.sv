// SPDX-License-Identifier: BSD-3-Clause
// Pre-activation sum of one row: odat = (h << HSHIFT) + bias + (x << XSHIFT), exact.
// The bias arrives one cycle after h and x (it comes from a memory). Latency 3 cycles.
module gru_join #(
    parameter int HACC = 20,
    parameter int XACC = 20,
    parameter int BIAS = 20,
    parameter int HSHIFT = 0,
    parameter int XSHIFT = 0,
    parameter int OUT = 22
) (
    input  logic                   clk,
    input  logic signed [HACC-1:0] h,
    input  logic signed [XACC-1:0] x,
    input  logic signed [BIAS-1:0] bias,
    output logic signed [ OUT-1:0] odat
);
  logic signed [HACC-1:0] h_q;
  logic signed [XACC-1:0] x_q, x_qq;
  logic signed [OUT-1:0] partial;

  always_ff @(posedge clk) begin
    h_q <= h;
    x_q <= x;
    x_qq <= x_q;
    partial <= ($signed({{(OUT - HACC) {h_q[HACC-1]}}, h_q}) <<< HSHIFT)
        + $signed({{(OUT - BIAS) {bias[BIAS-1]}}, bias});
    odat <= partial + ($signed({{(OUT - XACC) {x_qq[XACC-1]}}, x_qq}) <<< XSHIFT);
  end
endmodule
