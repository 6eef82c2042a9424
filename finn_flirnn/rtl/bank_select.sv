// SPDX-License-Identifier: BSD-3-Clause
// odat is word `select` of COUNT words of WIDTH bits, through registered 4:1 multiplexers.
// Latency LEVELS cycles, one word a cycle; select belongs to the words of the same cycle.
module bank_select #(
    parameter int COUNT = 64,
    parameter int WIDTH = 64,
    parameter int LEVELS = 3,  // 4**LEVELS >= COUNT
    localparam int SBITS = (COUNT > 1) ? $clog2(COUNT) : 1
) (
    input  logic                       clk,
    input  logic           [SBITS-1:0] select,
    input  logic [COUNT-1:0][WIDTH-1:0] idat,
    output logic           [WIDTH-1:0] odat
);
  if (LEVELS == 0) begin : gen_wire
    logic unused;
    assign unused = &{1'b0, clk, select};
    assign odat = idat[0];
  end else begin : gen_tree
    localparam int NODES = ((1 << (2 * LEVELS)) - 1) / 3;  // of the tree; the banks are its leaves

    // what level l and those above it select by: select, l cycles ago, without its lowest 2l bits
    for (genvar l = 0; l < LEVELS; l++) begin : gen_path
      logic [2*(LEVELS-l)-1:0] left;
      if (l == 0) begin : gen_first
        assign left = (2 * LEVELS)'(select);
      end else begin : gen_later
        always_ff @(posedge clk) left <= gen_path[l-1].left[2*(LEVELS-l)+1:2];
      end
    end
    // node n has the nodes 4n+1 to 4n+4 below it; nodes from NODES on are banks
    for (genvar n = NODES - 1; n >= 0; n--) begin : gen_node
      localparam int DEPTH = (n == 0) ? 0 : (n < 5) ? 1 : (n < 21) ? 2 : (n < 85) ? 3 : 4;
      localparam int LEVEL = LEVELS - 1 - DEPTH;  // 0 at the banks
      logic [WIDTH-1:0] word;
      logic [3:0][WIDTH-1:0] below;
      for (genvar i = 0; i < 4; i++) begin : gen_below
        if (4 * n + 1 + i < NODES) begin : gen_inner
          assign below[i] = gen_node[4*n+1+i].word;
        end else if (4 * n + 1 + i - NODES < COUNT) begin : gen_bank
          assign below[i] = idat[4*n+1+i-NODES];
        end else begin : gen_none
          assign below[i] = '0;
        end
      end
      always_ff @(posedge clk) word <= below[gen_path[LEVEL].left[1:0]];
    end
    assign odat = gen_node[0].word;
  end
endmodule
