// SPDX-License-Identifier: BSD-3-Clause
// Two halves of a memory: while one is written row by row, the other is read column by column.
// A block is ROWS x COLS items of BURST words; words of an item stay together, in order.
// Write: idat/ivld/irdy, one word a cycle; `iend` with a word ends a block early, the rest keeps what it had.
// Read: `block` says that a block waits; `next` takes its next word, odat comes 2 cycles later (so the
// memory's output register is used); `rend` with `next` ends the block. row, col, final_word: of the word
// that `next` would take; final_word is the last of its item.
module transpose_buffer #(
    parameter int WIDTH = 8,
    parameter int ROWS = 4,
    parameter int COLS = 135,
    parameter int BURST = 1,
    localparam int RBITS = (ROWS > 1) ? $clog2(ROWS) : 1,
    localparam int CBITS = (COLS > 1) ? $clog2(COLS) : 1
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic [WIDTH-1:0] idat,
    input  logic             ivld,
    output logic             irdy,
    input  logic             iend,
    output logic             written,  // with this word a block ends
    output logic             block,
    input  logic             next,
    input  logic             rend,
    output logic [RBITS-1:0] row,
    output logic [CBITS-1:0] col,
    output logic             final_word,
    output logic [WIDTH-1:0] odat
);
  localparam int WORDS = ROWS * COLS * BURST;
  localparam int ADDRESS = $clog2(2 * WORDS);
  localparam int BBITS = (BURST > 1) ? $clog2(BURST) : 1;

  logic [WIDTH-1:0] mem [2*WORDS];
  logic [WIDTH-1:0] read;
  logic [ADDRESS-1:0] waddr, raddr, first;  // first: of the column in work
  logic whalf, rhalf, push, row_end;
  logic [1:0] blocks;
  logic [BBITS-1:0] word;

  assign push = ivld && irdy;
  assign written = push && (iend || waddr == (whalf ? ADDRESS'(2 * WORDS - 1) : ADDRESS'(WORDS - 1)));
  assign block = blocks != 2'd0;
  assign final_word = word == BBITS'(BURST - 1);
  assign row_end = final_word && row == RBITS'(ROWS - 1);

  always_ff @(posedge clk) begin
    if (push) mem[waddr] <= idat;
    read <= mem[raddr];
    odat <= read;
  end

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      waddr  <= '0;
      whalf  <= 1'b0;
      blocks <= 2'd0;
      irdy   <= 1'b1;
    end else begin
      if (written) waddr <= whalf ? '0 : ADDRESS'(WORDS);
      else if (push) waddr <= waddr + 1'b1;
      if (written) whalf <= !whalf;
      if (written && !(next && rend)) begin
        blocks <= blocks + 1'b1;
        irdy   <= blocks == 2'd0;
      end else if (next && rend && !written) begin
        blocks <= blocks - 1'b1;
        irdy   <= 1'b1;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (!rst_n || (next && rend)) begin
      raddr <= (rst_n && !rhalf) ? ADDRESS'(WORDS) : '0;
      first <= (rst_n && !rhalf) ? ADDRESS'(WORDS) : '0;
      rhalf <= rst_n && !rhalf;
      row   <= '0;
      col   <= '0;
      word  <= '0;
    end else if (next) begin
      word <= final_word ? '0 : word + 1'b1;
      if (!final_word) begin
        raddr <= raddr + 1'b1;
      end else if (!row_end) begin
        raddr <= raddr + ADDRESS'((COLS - 1) * BURST + 1);
        row   <= row + 1'b1;
      end else begin
        raddr <= first + ADDRESS'(BURST);
        first <= first + ADDRESS'(BURST);
        row   <= '0;
        col   <= col + 1'b1;
      end
    end
  end
endmodule
