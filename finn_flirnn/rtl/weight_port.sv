// SPDX-License-Identifier: BSD-3-Clause
// Writes the words of a weight image into the banks of one memory (docs/weights.md): bank by bank, in a bank
// address by address, a word of WIDTH bits as CHUNKS words of the image, the lowest first.
// The memories of a design stand in a row: a port takes words from the cycle in which `turn` is there, and
// hands the turn on by `done`. `restart` takes the turn back to the first. At least two cycles lie between
// two words. wen[b], waddr and wdat are registers; wdat holds the lowest WIDTH bits that came.
module weight_port #(
    parameter int BANKS = 4,
    parameter int DEPTH = 16,
    parameter int WIDTH = 48,  // of the widest bank
    localparam int CHUNKS = (WIDTH + 31) / 32,
    localparam int ADDRESS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
    input  logic               clk,
    input  logic               restart,
    input  logic               turn,
    input  logic [       31:0] idat,
    input  logic               ivld,
    output logic               done,
    output logic [  BANKS-1:0] wen,
    output logic [ADDRESS-1:0] waddr,
    output logic [  WIDTH-1:0] wdat
);
  localparam int CBITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1;
  logic [32*CHUNKS-1:0] line;
  logic [CBITS-1:0] chunk;
  logic [ADDRESS-1:0] address;
  logic [BANKS-1:0] bank;  // one-hot
  logic take, last_chunk, last_address, unused;

  // a start value: nothing is written before it is known which set is in use
  // verilator lint_off PROCASSINIT
  logic [BANKS-1:0] write = '0;
  // verilator lint_on PROCASSINIT
  assign wen = write;

  assign take = ivld && turn && !done;
  assign last_chunk = chunk == CBITS'(CHUNKS - 1);
  assign last_address = address == ADDRESS'(DEPTH - 1);

  always_ff @(posedge clk) begin
    write <= (take && last_chunk && !restart) ? bank : '0;
    if (restart) begin
      chunk <= '0;
      address <= '0;
      bank <= BANKS'(1);
      done <= 1'b0;
    end else if (take) begin
      chunk <= last_chunk ? '0 : chunk + 1'b1;
      if (last_chunk) address <= last_address ? '0 : address + 1'b1;
      if (last_chunk && last_address) begin
        bank <= bank << 1;
        done <= bank[BANKS-1];
      end
    end
  end

  always_ff @(posedge clk) begin
    if (take) begin
      waddr <= address;
      line <= (32 * CHUNKS)'({idat, line} >> 32);
    end
  end
  assign wdat = line[WIDTH-1:0];
  assign unused = &{1'b0, line};
endmodule
