// SPDX-License-Identifier: BSD-3-Clause
// Two dot products that share their operands, two products to one multiplier:
//   (w1 * 2**SHIFT + w0) * a = (w1 * a) * 2**SHIFT + w0 * a
// GROUP such products are added before they are taken apart, which is exact while
// |sum of GROUP products w0 * a| < 2**(SHIFT-1). The upper half is corrected by the lower one's sign.
// A weight word holds w0 in WBITS bits and, above it, w1 - (w0 < 0) in WBITS+1 bits, so that the
// multiplier's operand is wiring only. Latency 2 + $clog2(GROUP) + $clog2(groups) cycles.
module dot_pair #(
    parameter int SIMD = 4,
    parameter int WBITS = 8,
    parameter int ABITS = 8,
    parameter int SUM_BITS = 20,
    parameter int SHIFT = 18,
    parameter int GROUP = 4
) (
    input  logic                              clk,
    input  logic [SIMD-1:0][2*WBITS:0]        weight,
    input  logic [SIMD-1:0][ABITS-1:0]        operand,
    output logic           [1:0][SUM_BITS-1:0] odat
);
  localparam int GROUPS = (SIMD + GROUP - 1) / GROUP;
  localparam int FACTOR = SHIFT + WBITS + 1;
  localparam int PRODUCT = FACTOR + ABITS;
  localparam int TREE = PRODUCT + $clog2(GROUP);
  localparam int UPPER = TREE - SHIFT;

  logic [1:0][GROUPS-1:0][SUM_BITS-1:0] parts;

  for (genvar g = 0; g < GROUPS; g++) begin : gen_group
    logic [GROUP-1:0][TREE-1:0] products;
    logic [TREE-1:0] total;
    for (genvar k = 0; k < GROUP; k++) begin : gen_product
      if (g * GROUP + k < SIMD) begin : gen_real
        logic [2*WBITS:0] w;
        logic signed [FACTOR-1:0] factor;
        logic signed [PRODUCT-1:0] product;
        assign w = weight[g*GROUP+k];
        assign factor = {w[2*WBITS:WBITS], {(SHIFT - WBITS) {w[WBITS-1]}}, w[WBITS-1:0]};
        always_ff @(posedge clk) product <= factor * $signed(operand[g*GROUP+k]);
        if (TREE > PRODUCT) begin : gen_extend
          assign products[k] = {{(TREE - PRODUCT) {product[PRODUCT-1]}}, product};
        end else begin : gen_whole
          assign products[k] = product;
        end
      end else begin : gen_none
        assign products[k] = '0;
      end
    end
    adder_tree #(.COUNT(GROUP), .WIDTH(TREE)) u_tree (.clk(clk), .idat(products), .odat(total));

    logic [UPPER-1:0] upper;
    logic [SHIFT-1:0] lower;
    always_ff @(posedge clk) begin
      upper <= total[TREE-1:SHIFT] + {{(UPPER - 1) {1'b0}}, total[SHIFT-1]};
      lower <= total[SHIFT-1:0];
    end
    if (SUM_BITS > SHIFT) begin : gen_lower_extend
      assign parts[0][g] = {{(SUM_BITS - SHIFT) {lower[SHIFT-1]}}, lower};
    end else begin : gen_lower
      assign parts[0][g] = lower[SUM_BITS-1:0];
    end
    if (SUM_BITS > UPPER) begin : gen_upper_extend
      assign parts[1][g] = {{(SUM_BITS - UPPER) {upper[UPPER-1]}}, upper};
    end else begin : gen_upper
      assign parts[1][g] = upper[SUM_BITS-1:0];
    end
    if (SHIFT > SUM_BITS) begin : gen_lower_unused
      logic unused;
      assign unused = &{1'b0, lower[SHIFT-1:SUM_BITS]};
    end
    if (UPPER > SUM_BITS) begin : gen_upper_unused
      logic unused;
      assign unused = &{1'b0, upper[UPPER-1:SUM_BITS]};
    end
  end

  adder_tree #(.COUNT(GROUPS), .WIDTH(SUM_BITS)) u_lower (.clk(clk), .idat(parts[0]), .odat(odat[0]));
  adder_tree #(.COUNT(GROUPS), .WIDTH(SUM_BITS)) u_upper (.clk(clk), .idat(parts[1]), .odat(odat[1]));
endmodule
