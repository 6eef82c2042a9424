// SPDX-License-Identifier: BSD-3-Clause
// Sum of COUNT signed words of WIDTH bits, WIDTH bits wide (the caller leaves room for growth).
// Latency $clog2(COUNT) cycles, one sum a cycle.
module adder_tree #(
    parameter int COUNT = 4,
    parameter int WIDTH = 20
) (
    input  logic                       clk,
    input  logic [COUNT-1:0][WIDTH-1:0] idat,
    output logic           [WIDTH-1:0] odat
);
  localparam int LEAVES = 1 << $clog2(COUNT);
  if (COUNT == 1) begin : gen_wire
    logic unused;
    assign unused = &{1'b0, clk};
    assign odat = idat[0];
  end else begin : gen_tree
    // node i is the sum of nodes 2i and 2i+1; nodes LEAVES.. are the inputs
    for (genvar i = LEAVES - 1; i >= 1; i--) begin : gen_node
      logic [WIDTH-1:0] sum, left, right;
      if (2 * i >= LEAVES) begin : gen_leaf
        if (2 * i - LEAVES < COUNT) begin : gen_left
          assign left = idat[2*i-LEAVES];
        end else begin : gen_no_left
          assign left = '0;
        end
        if (2 * i + 1 - LEAVES < COUNT) begin : gen_right
          assign right = idat[2*i+1-LEAVES];
        end else begin : gen_no_right
          assign right = '0;
        end
      end else begin : gen_inner
        assign left  = gen_node[2*i].sum;
        assign right = gen_node[2*i+1].sum;
      end
      always_ff @(posedge clk) sum <= left + right;
    end
    assign odat = gen_node[1].sum;
  end
endmodule
