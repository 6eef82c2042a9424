// SPDX-License-Identifier: BSD-3-Clause
// Pieces of a weight image from load frames (docs/link.md) to the loader. A frame's payload comes byte by
// byte (idat, ivld): offset in words (3 bytes), words that count (1), PIECE words. It waits until `commit` says
// that its CRC is right; `rewind` forgets it. Offset 0 starts an image (`restart`, a pulse); a piece is handed on
// if it is the `next` one, else dropped. `room`: the piece before has left.
// Handshake of the words: odat/ovld/ordy.
module link_load #(
    parameter int PIECE = 64
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [ 7:0] idat,
    input  logic        ivld,
    input  logic        commit,
    input  logic        rewind,
    output logic        room,
    output logic [31:0] odat,
    output logic        ovld,
    input  logic        ordy,
    output logic        restart,
    output logic [31:0] next
);
  localparam int ADDRESS = $clog2(PIECE);
  localparam int POSITION = ADDRESS + 3;  // bytes: one word more than a piece

  logic [31:0] mem [PIECE];
  logic [POSITION-1:0] position;
  logic [23:0] gathered;  // the bytes of a word before its last
  logic [31:0] word;
  logic [23:0] offset;
  logic [7:0] count, left;
  logic [ADDRESS-1:0] address;
  logic whole, pull;

  assign word = {idat, gathered};
  assign whole = ivld && position[1:0] == 2'd3;
  assign pull = left != '0 && (!ovld || ordy) && !restart;

  always_ff @(posedge clk) begin
    if (ivld) gathered <= {idat, gathered[23:8]};
    if (whole && position[POSITION-1:2] == '0) {count, offset} <= word;
    if (whole) mem[ADDRESS'(position[POSITION-1:2] - 1'b1)] <= word;
    if (pull) odat <= mem[address];
    room <= left == '0 && !ovld && !commit;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      position <= '0;
      left <= '0;
      next <= '0;
      ovld <= 1'b0;
      restart <= 1'b0;
    end else begin
      restart <= 1'b0;
      if (commit || rewind) position <= '0;
      else if (ivld) position <= position + 1'b1;
      if (pull) ovld <= 1'b1;
      else if (ordy) ovld <= 1'b0;
      if (pull) begin
        left <= left - 1'b1;
        address <= address + 1'b1;
      end
      if (commit && count != '0 && (offset == '0 || 32'(offset) == next)) begin
        restart <= offset == '0;
        left <= count;
        address <= '0;
        next <= 32'(offset) + 32'(count);
      end
    end
  end
endmodule
