// SPDX-License-Identifier: BSD-3-Clause
// A memory of DEPTH words in block RAM or UltraRAM: one port to write and one to read, of which the
// data come 2 cycles after the address, through the memory's own output register.
module memory_bank #(
    parameter int WIDTH = 64,
    parameter int DEPTH = 4096,
    parameter bit ULTRA = 1'b1,
    localparam int ADDRESS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
    input  logic               clk,
    input  logic               wen,
    input  logic [ADDRESS-1:0] waddr,
    input  logic [  WIDTH-1:0] wdat,
    input  logic               ren,
    input  logic [ADDRESS-1:0] raddr,
    output logic [  WIDTH-1:0] rdat
);
  logic [WIDTH-1:0] read;

  if (ULTRA) begin : gen_ultra
    (* ram_style = "ultra" *) logic [WIDTH-1:0] mem [DEPTH];
    always_ff @(posedge clk) begin
      if (wen) mem[waddr] <= wdat;
      if (ren) read <= mem[raddr];
    end
  end else begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] mem [DEPTH];
    always_ff @(posedge clk) begin
      if (wen) mem[waddr] <= wdat;
      if (ren) read <= mem[raddr];
    end
  end
  always_ff @(posedge clk) rdat <= read;
endmodule
