// SPDX-License-Identifier: BSD-3-Clause
// Dot product of SIMD signed weights and SIMD signed operands: odat = sum(weight * operand).
// Latency LATENCY >= 1 + $clog2(SIMD) cycles, one product a cycle.
module dot #(
    parameter int SIMD = 4,
    parameter int WBITS = 8,
    parameter int ABITS = 8,
    parameter int SUM_BITS = 20,
    parameter int LATENCY = 3
) (
    input  logic                         clk,
    input  logic [SIMD-1:0][WBITS-1:0]   weight,
    input  logic [SIMD-1:0][ABITS-1:0]   operand,
    output logic           [SUM_BITS-1:0] odat
);
  localparam int PRODUCT = WBITS + ABITS;
  localparam int TREE = (PRODUCT + $clog2(SIMD) > SUM_BITS) ? PRODUCT + $clog2(SIMD) : SUM_BITS;
  logic [SIMD-1:0][TREE-1:0] products;
  logic [TREE-1:0] total;

  for (genvar s = 0; s < SIMD; s++) begin : gen_product
    logic signed [PRODUCT-1:0] product;
    always_ff @(posedge clk) product <= $signed(weight[s]) * $signed(operand[s]);
    if (TREE > PRODUCT) begin : gen_extend
      assign products[s] = {{(TREE - PRODUCT) {product[PRODUCT-1]}}, product};
    end else begin : gen_whole
      assign products[s] = product;
    end
  end

  adder_tree #(.COUNT(SIMD), .WIDTH(TREE)) u_tree (.clk(clk), .idat(products), .odat(total));

  delay #(
      .WIDTH (SUM_BITS),
      .CYCLES(LATENCY - 1 - $clog2(SIMD))
  ) u_delay (
      .clk (clk),
      .idat(total[SUM_BITS-1:0]),
      .odat(odat)
  );
  if (TREE > SUM_BITS) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, total[TREE-1:SUM_BITS]};
  end
endmodule
