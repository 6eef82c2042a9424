// SPDX-License-Identifier: BSD-3-Clause
// Pixel order to group order: LANES pixels of STEPS items come one after the other, and leave step by
// step, lane by lane. An item is BURST transfers. Handshake: idat/ivld/irdy -> odat/ovld/ordy.
// ilast ends a transfer of pixels: a group that it leaves short is filled up with zeros. live: for each
// group the lanes that came, less one, and above them whether the transfer ends with it.
// One transfer a cycle, a group behind.
module lane_gather #(
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
    input  logic             ilast,
    output logic [WIDTH-1:0] odat,
    output logic             ovld,
    input  logic             ordy,
    output logic [  LBITS:0] live_dat,
    output logic             live_vld,
    input  logic             live_rdy
);
  localparam int ITEMS = STEPS * BURST;  // transfers of a pixel
  localparam int IBITS = (ITEMS > 1) ? $clog2(ITEMS) : 1;
  localparam int TBITS = (STEPS > 1) ? $clog2(STEPS) : 1;

  logic [IBITS-1:0] item;
  logic [LBITS-1:0] lane;  // of the pixel that comes
  logic pixel_end, group_end, written, block, next, last_word, final_word, enough, told;
  logic [1:0][LBITS:0] live;  // of the two groups in the buffer
  logic whalf, rhalf;
  logic [LBITS-1:0] row;
  logic [TBITS-1:0] col;
  logic [WIDTH-1:0] word;
  logic [1:0] dead;

  assign pixel_end = item == IBITS'(ITEMS - 1);
  assign group_end = ilast && pixel_end;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      item  <= '0;
      lane  <= '0;
      whalf <= 1'b0;
    end else if (ivld && irdy) begin
      item <= pixel_end ? '0 : item + 1'b1;
      if (written) begin
        lane <= '0;
        live[whalf] <= {ilast, lane};
        whalf <= !whalf;
      end else if (pixel_end) begin
        lane <= lane + 1'b1;
      end
    end
  end

  transpose_buffer #(.WIDTH(WIDTH), .ROWS(LANES), .COLS(STEPS), .BURST(BURST)) u_buffer (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .iend(group_end), .written(written),
      .block(block), .next(next), .rend(last_word), .row(row), .col(col), .final_word(final_word),
      .odat(word)
  );

  // a group is not over before its live lanes are told
  assign live_dat = live[rhalf];
  assign live_vld = block && !told;
  assign last_word = final_word && row == LBITS'(LANES - 1) && col == TBITS'(STEPS - 1);
  assign next = block && enough && (told || !last_word);

  always_ff @(posedge clk) begin
    dead <= {dead[0], row > live_dat[LBITS-1:0]};
    if (!rst_n) begin
      told  <= 1'b0;
      rhalf <= 1'b0;
    end else if (next && last_word) begin
      told  <= 1'b0;
      rhalf <= !rhalf;
    end else if (live_vld && live_rdy) begin
      told <= 1'b1;
    end
  end

  pipeline_out #(.WIDTH(WIDTH), .LATENCY(2)) u_out (
      .clk(clk), .rst_n(rst_n), .enter(next), .enough(enough), .idat(dead[1] ? '0 : word),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
