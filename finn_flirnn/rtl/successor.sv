// SPDX-License-Identifier: BSD-3-Clause
// odat = (idat + 1) modulo COUNT, combinational. A short counter goes without a carry chain, so that a
// bit and its wrap are one LUT.
module successor #(
    parameter int COUNT = 4,
    localparam int WIDTH = (COUNT > 1) ? $clog2(COUNT) : 1
) (
    input  logic [WIDTH-1:0] idat,
    output logic [WIDTH-1:0] odat
);
  localparam int LUT_INPUTS = 6;
  logic wrap;
  logic [WIDTH-1:0] sum;

  if (COUNT == 1 << WIDTH) begin : gen_natural
    assign wrap = 1'b0;
  end else begin : gen_wrap
    assign wrap = idat == WIDTH'(COUNT - 1);
  end
  if (WIDTH <= LUT_INPUTS) begin : gen_lut
    assign sum[0] = !idat[0];
    for (genvar i = 1; i < WIDTH; i++) begin : gen_bit
      assign sum[i] = idat[i] ^ (&idat[i-1:0]);
    end
  end else begin : gen_carry
    assign sum = idat + 1'b1;
  end
  assign odat = wrap ? '0 : sum;
endmodule
