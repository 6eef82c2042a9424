// SPDX-License-Identifier: BSD-3-Clause
// FACTOR words of WIDTH bits become one word; the first lies in the least significant bits.
// One input word a cycle without gaps; irdy comes from registers: the parts gather beside the word that
// waits to leave, only the last one waits for that.
module stream_widen #(
    parameter int WIDTH = 8,
    parameter int FACTOR = 2
) (
    input  logic                    clk,
    input  logic                    rst_n,
    input  logic [       WIDTH-1:0] idat,
    input  logic                    ivld,
    output logic                    irdy,
    output logic [FACTOR*WIDTH-1:0] odat,
    output logic                    ovld,
    input  logic                    ordy
);
  if (FACTOR == 1) begin : gen_wire
    logic unused;
    assign unused = &{1'b0, clk, rst_n};
    assign odat = idat;
    assign ovld = ivld;
    assign irdy = ordy;
  end else begin : gen_widen
    logic [FACTOR*WIDTH-1:0] words;  // the last FACTOR parts, the newest on top
    logic [(FACTOR-1)*WIDTH-1:0] gathered;
    logic take, last;

    assign irdy = !(last && ovld);
    assign take = ivld && irdy;
    assign words = {idat, gathered};
    round_counter #(.COUNT(FACTOR)) u_part (.clk(clk), .rst_n(rst_n), .advance(take), .last(last));

    always_ff @(posedge clk) begin
      if (take) gathered <= words[FACTOR*WIDTH-1:WIDTH];
      if (take && last) odat <= words;
      if (!rst_n) ovld <= 1'b0;
      else if (take && last) ovld <= 1'b1;
      else if (ordy) ovld <= 1'b0;
    end
  end
endmodule
