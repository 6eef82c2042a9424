// SPDX-License-Identifier: BSD-3-Clause
// odat is idat CYCLES cycles ago (0: a wire). No reset, so that it becomes a shift-register LUT.
module delay #(
    parameter int WIDTH = 8,
    parameter int CYCLES = 1
) (
    input  logic             clk,
    input  logic [WIDTH-1:0] idat,
    output logic [WIDTH-1:0] odat
);
  if (CYCLES == 0) begin : gen_wire
    logic unused;
    assign unused = &{1'b0, clk};
    assign odat = idat;
  end else if (CYCLES == 1) begin : gen_register
    always_ff @(posedge clk) odat <= idat;
  end else begin : gen_line
    logic [CYCLES-1:0][WIDTH-1:0] line;
    always_ff @(posedge clk) line <= {line[CYCLES-2:0], idat};
    assign odat = line[CYCLES-1];
  end
endmodule
