// SPDX-License-Identifier: BSD-3-Clause
// One word of FACTOR * WIDTH bits becomes FACTOR words, the least significant first.
// One output word a cycle without gaps; irdy comes from a register: a word waits beside the one in parts.
module stream_narrow #(
    parameter int WIDTH = 8,
    parameter int FACTOR = 2
) (
    input  logic                    clk,
    input  logic                    rst_n,
    input  logic [FACTOR*WIDTH-1:0] idat,
    input  logic                    ivld,
    output logic                    irdy,
    output logic [       WIDTH-1:0] odat,
    output logic                    ovld,
    input  logic                    ordy
);
  if (FACTOR == 1) begin : gen_wire
    logic unused;
    assign unused = &{1'b0, clk, rst_n};
    assign odat = idat;
    assign ovld = ivld;
    assign irdy = ordy;
  end else begin : gen_narrow
    logic [FACTOR*WIDTH-1:0] waiting, words;
    logic [FACTOR-1:0] left;  // one bit a part of `words` that is left
    logic load;

    assign odat = words[WIDTH-1:0];
    assign ovld = left[0];
    assign load = !irdy && (!left[0] || (!left[1] && ordy));

    always_ff @(posedge clk) begin
      if (irdy) waiting <= idat;
      if (load) words <= waiting;
      else if (ordy) words <= {{WIDTH{1'b0}}, words[FACTOR*WIDTH-1:WIDTH]};
      if (!rst_n) irdy <= 1'b1;
      else irdy <= irdy ? !ivld : load;
      if (!rst_n) left <= '0;
      else if (load) left <= '1;
      else if (ordy) left <= left >> 1;
    end
  end
endmodule
