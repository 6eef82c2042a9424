// SPDX-License-Identifier: BSD-3-Clause
// odat = a * b + START for a signed and b unsigned, exact. DSP = 1: one dsp_mac. DSP = 0: look-up tables;
// the digits of b, two bits each, times a, then two levels of sums. Latency 3 cycles, one product a cycle.
module multiply #(
    parameter int A_BITS = 10,
    parameter int B_BITS = 8,
    parameter logic [47:0] START = '0,  // below 2**(A_BITS + B_BITS - 1)
    parameter bit DSP = 1'b1,
    localparam int P_BITS = A_BITS + B_BITS + 1
) (
    input  logic                     clk,
    input  logic signed [A_BITS-1:0] a,
    input  logic        [B_BITS-1:0] b,
    output logic signed [P_BITS-1:0] odat
);
  if (DSP) begin : gen_dsp
    logic [47:0] pcout;
    logic unused;
    assign unused = &{1'b0, pcout};
    dsp_mac #(.A_BITS(A_BITS), .B_BITS(B_BITS + 1), .SUM_BITS(P_BITS), .START(START)) u_mac (
        .clk(clk), .a(a), .b({1'b0, b}), .pcin('0), .pcout(pcout), .p(odat)
    );
  end else begin : gen_lut
    localparam int DIGITS = (B_BITS + 1) / 2;
    localparam int GROUP = (DIGITS > 9) ? 4 : (DIGITS > 4) ? 3 : 2;  // digits of a first sum
    localparam int GROUPS = (DIGITS + GROUP - 1) / GROUP;
    logic [2*DIGITS-1:0] digits;
    logic signed [P_BITS-1:0] wide;
    logic [DIGITS-1:0][P_BITS-1:0] products;
    logic [GROUPS-1:0][P_BITS-1:0] partial, sums;
    logic [P_BITS-1:0] total;

    assign digits = {{(2 * DIGITS - B_BITS) {1'b0}}, b};
    assign wide = {{(P_BITS - A_BITS) {a[A_BITS-1]}}, a};
    always_comb begin
      partial = '0;
      for (int k = 0; k < DIGITS; k++) partial[k/GROUP] += products[k];
      total = P_BITS'(START);
      for (int g = 0; g < GROUPS; g++) total += sums[g];
    end
    always_ff @(posedge clk) begin
      for (int k = 0; k < DIGITS; k++) begin
        products[k] <= ((digits[2*k] ? wide : '0) + (digits[2*k+1] ? wide <<< 1 : '0)) <<< (2 * k);
      end
      sums <= partial;
      odat <= total;
    end
  end
endmodule
