// SPDX-License-Identifier: BSD-3-Clause
// Group order to pixel order, the reverse of lane_gather: STEPS x LANES items come step by step, lane by
// lane, and leave pixel by pixel. An item is BURST transfers. Handshake: idat/ivld/irdy -> odat/ovld/ordy.
// live: for each group the lanes to give, less one, and above them whether a transfer of pixels ends with
// it: olast marks its last. What came for the other lanes is dropped.
// One transfer a cycle, a group behind.
module lane_scatter #(
    parameter int WIDTH = 8,
    parameter int LANES = 4,
    parameter int STEPS = 135,
    parameter int BURST = 1,
    localparam int LBITS = (LANES > 1) ? $clog2(LANES) : 1
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic [WIDTH-1:0] idat,
    input  logic             ivld,
    output logic             irdy,
    output logic [WIDTH-1:0] odat,
    output logic             olast,
    output logic             ovld,
    input  logic             ordy,
    input  logic [  LBITS:0] live_dat,
    input  logic             live_vld,
    output logic             live_rdy
);
  localparam int TBITS = (STEPS > 1) ? $clog2(STEPS) : 1;

  logic written, block, next, last_word, final_word, enough, unused;
  logic [TBITS-1:0] row;
  logic [LBITS-1:0] col;
  logic [WIDTH-1:0] word;
  logic [1:0] marks;

  transpose_buffer #(.WIDTH(WIDTH), .ROWS(STEPS), .COLS(LANES), .BURST(BURST)) u_buffer (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .iend(1'b0), .written(written),
      .block(block), .next(next), .rend(last_word), .row(row), .col(col), .final_word(final_word),
      .odat(word)
  );
  assign unused = &{1'b0, written};

  assign last_word = final_word && row == TBITS'(STEPS - 1) && col == live_dat[LBITS-1:0];
  assign next = block && live_vld && enough;
  assign live_rdy = next && last_word;

  always_ff @(posedge clk) marks <= {marks[0], last_word && live_dat[LBITS]};

  pipeline_out #(.WIDTH(WIDTH + 1), .LATENCY(2)) u_out (
      .clk(clk), .rst_n(rst_n), .enter(next), .enough(enough), .idat({marks[1], word}),
      .odat({olast, odat}), .ovld(ovld), .ordy(ordy)
  );
endmodule
