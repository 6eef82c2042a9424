// SPDX-License-Identifier: BSD-3-Clause
// Dot products of ROWS rows that share SIMD operands, two rows a multiplier (docs/adr/0005):
//   (w1 * 2**SHIFT + w0) * a = (w1 * a) * 2**SHIFT + w0 * a
// Products are added in CHAINS systolic chains of LENGTH = ceil(SIMD/CHAINS) positions. Column s sits at
// position (s + LENGTH*CHAINS - SIMD) / CHAINS; its operand and weights come as many cycles later.
// A column's weights: pairs of rows, each w0 in WBITS bits and, above it, w1 - (w0 < 0) in HIGH bits, so
// that the multiplier's operand is wiring; then, if a row is left or SHIFT is 0, single rows.
// Exact while the sums of a chain of w0 * a lie in -2**(SHIFT-1) to 2**(SHIFT-1)-1: each chain starts at
// 2**(SHIFT-1), so the lower field is never negative, the upper needs no correction, and the offset goes
// with the lower field's top bit inverted.
// Latency 2 + LENGTH + $clog2(CHAINS) cycles from position 0, one sum a cycle and row.
module mac_rows #(
    parameter int ROWS = 6,
    parameter int SIMD = 8,
    parameter int CHAINS = 1,
    parameter int WBITS = 8,
    parameter int ABITS = 8,
    parameter int SHIFT = 19,  // 0: single rows only
    parameter int HIGH = 8,
    parameter bit SINGLE_DSP = 1'b1,  // single rows take a DSP a product, else LUTs
    localparam int PAIRS = (SHIFT > 0) ? ROWS / 2 : 0,
    localparam int SINGLES = ROWS - 2 * PAIRS,
    localparam int COLUMN = PAIRS * (WBITS + HIGH) + SINGLES * WBITS,
    localparam int SUM_BITS = WBITS + ABITS + $clog2(SIMD)
) (
    input  logic                            clk,
    input  logic [SIMD-1:0][   COLUMN-1:0] weight,
    input  logic [SIMD-1:0][    ABITS-1:0] operand,
    output logic [ROWS-1:0][SUM_BITS-1:0] odat
);
  localparam int LENGTH = (SIMD + CHAINS - 1) / CHAINS;
  localparam int PAD = LENGTH * CHAINS - SIMD;
  logic [ROWS-1:0][CHAINS-1:0][SUM_BITS-1:0] parts;

  for (genvar c = 0; c < CHAINS; c++) begin : gen_chain
    // the first PAD chains start at position 1
    localparam int COUNT = (c < PAD) ? LENGTH - 1 : LENGTH;
    localparam int FIRST = (c < PAD) ? c + CHAINS - PAD : c - PAD;
    logic [COUNT-1:0][ABITS-1:0] b;
    for (genvar k = 0; k < COUNT; k++) begin : gen_operand
      assign b[k] = operand[FIRST+k*CHAINS];
    end

    for (genvar p = 0; p < PAIRS; p++) begin : gen_pair
      localparam int UPPER = (SUM_BITS < 48 - SHIFT) ? SUM_BITS : 48 - SHIFT;
      localparam int TOTAL = SHIFT + UPPER;
      logic [COUNT-1:0][SHIFT+HIGH-1:0] a;
      logic [TOTAL-1:0] total;
      logic [SHIFT-1:0] lower;
      for (genvar k = 0; k < COUNT; k++) begin : gen_factor
        logic [WBITS+HIGH-1:0] w;
        assign w = weight[FIRST+k*CHAINS][p*(WBITS+HIGH)+:WBITS+HIGH];
        assign a[k] = {w[WBITS+:HIGH], {(SHIFT - WBITS) {w[WBITS-1]}}, w[WBITS-1:0]};
      end
      mac_chain #(
          .LENGTH(COUNT), .A_BITS(SHIFT + HIGH), .B_BITS(ABITS), .SUM_BITS(TOTAL),
          .START(48'd1 << (SHIFT - 1)), .DSP(1'b1)
      ) u_chain (
          .clk(clk), .a(a), .b(b), .odat(total)
      );
      assign lower = {!total[SHIFT-1], total[SHIFT-2:0]};
      if (SUM_BITS > SHIFT) begin : gen_lower_extend
        assign parts[2*p][c] = {{(SUM_BITS - SHIFT) {lower[SHIFT-1]}}, lower};
      end else begin : gen_lower
        assign parts[2*p][c] = lower[SUM_BITS-1:0];
      end
      if (SUM_BITS > UPPER) begin : gen_upper_extend
        assign parts[2*p+1][c] = {{(SUM_BITS - UPPER) {total[TOTAL-1]}}, total[TOTAL-1:SHIFT]};
      end else begin : gen_upper
        assign parts[2*p+1][c] = total[TOTAL-1:SHIFT];
      end
      if (SHIFT > SUM_BITS) begin : gen_lower_unused
        logic unused;
        assign unused = &{1'b0, lower[SHIFT-1:SUM_BITS]};
      end
    end

    for (genvar r = 0; r < SINGLES; r++) begin : gen_single
      logic [COUNT-1:0][WBITS-1:0] a;
      for (genvar k = 0; k < COUNT; k++) begin : gen_factor
        assign a[k] = weight[FIRST+k*CHAINS][PAIRS*(WBITS+HIGH)+r*WBITS+:WBITS];
      end
      mac_chain #(
          .LENGTH(COUNT), .A_BITS(WBITS), .B_BITS(ABITS), .SUM_BITS(SUM_BITS), .DSP(SINGLE_DSP)
      ) u_chain (
          .clk(clk), .a(a), .b(b), .odat(parts[2*PAIRS+r][c])
      );
    end
  end

  for (genvar r = 0; r < ROWS; r++) begin : gen_sum
    adder_tree #(.COUNT(CHAINS), .WIDTH(SUM_BITS)) u_tree (.clk(clk), .idat(parts[r]), .odat(odat[r]));
  end
endmodule
