// SPDX-License-Identifier: BSD-3-Clause
// A block memory of 9-bit bytes, for simulation: ports A and B read, one of them may write as well.
// A port of width 1, 2 or 4 sees the low 8 bits of each byte; of 9, 18, 36 or 72, whole bytes. Widths of
// 0: the port does not read, or nothing writes. Latency of a read: one cycle.
// What a port reads of a word that the other one writes at the same edge is the old word (OTHER_OLD), or
// else undefined: the complement of the old one here, which no design should get by with.
module block_memory #(
    parameter int ADDR = 14,  // address of a bit; bytes lie 8 apart
    parameter int READ_A = 9,
    parameter int READ_B = 0,
    parameter int WRITE = 0,
    parameter bit WRITE_BY_A = 1'b0,
    parameter int WHILE_WRITING = 0,  // the writing port reads: 0 the old word, 1 the new one, 2 nothing
    parameter bit OTHER_OLD = 1'b1,
    localparam int BYTES = 1 << (ADDR - 3),
    parameter logic [9*BYTES-1:0] INIT = '0
) (
    input  logic            clk_a,
    input  logic            clk_b,
    input  logic            read_a,
    input  logic            read_b,
    input  logic      [7:0] write,  // a bit a byte
    input  logic [ADDR-1:0] addr_a,
    input  logic [ADDR-1:0] addr_b,
    input  logic     [71:0] idat,
    output logic     [71:0] odat_a,
    output logic     [71:0] odat_b
);
  if (!(READ_A inside {0, 1, 2, 4, 9, 18, 36, 72}) || !(READ_B inside {0, 1, 2, 4, 9, 18, 36, 72}) ||
      !(WRITE inside {0, 1, 2, 4, 9, 18, 36, 72})) begin : gen_check_widths
    $error("block_memory: widths %0d, %0d, %0d are not all of 0, 1, 2, 4, 9, 18, 36, 72", READ_A, READ_B, WRITE);
  end
  if (WHILE_WRITING == 1 && WRITE > 0 && !((WRITE_BY_A ? READ_A : READ_B) inside {0, WRITE})) begin : gen_check_new
    $error("block_memory: a port that reads what it writes must read and write the same width");
  end

  logic [8:0] mem[BYTES];
  initial for (int i = 0; i < BYTES; i++) mem[i] = INIT[9*i+:9];

  // log2 of the address step: 0 for width 1, 3 for 9, 4 for 18, ...
  function automatic int step_of(input int width);
    return (width < 9) ? $clog2(width) : 3 + $clog2(width / 9);
  endfunction

  // ones at the bits of a word
  function automatic logic [71:0] part(input int width);
    return (72'd1 << width) - 72'd1;
  endfunction

  function automatic logic [71:0] word(input int width, input logic [ADDR-1:0] addr);
    automatic logic [71:0] bits = '0;
    automatic int first = int'(addr) >> step_of(width) << step_of(width);
    if (width < 9) return (72'(mem[first>>3]) >> (first % 8)) & part(width);
    for (int i = 0; i < width / 9; i++) bits[9*i+:9] = mem[(first>>3)+i];
    return bits;
  endfunction

  function automatic logic clash(input int width, input logic [ADDR-1:0] addr, input logic [ADDR-1:0] written);
    automatic int wider = (width > WRITE) ? width : WRITE;
    return write != '0 && (int'(addr) >> step_of(wider)) == (int'(written) >> step_of(wider));
  endfunction

  function automatic logic [71:0] merged(input logic [71:0] old);
    automatic logic [71:0] bits = old;
    for (int i = 0; i < 8; i++) if (write[(WRITE<9)?0 : i]) bits[9*i+:9] = idat[9*i+:9];
    return bits;
  endfunction

  logic [ADDR-1:0] addr_w;
  assign addr_w = WRITE_BY_A ? addr_a : addr_b;

  if (READ_A > 0) begin : gen_read_a
    always_ff @(posedge clk_a)
      if (read_a) begin
        if (WRITE == 0 || write == '0) odat_a <= word(READ_A, addr_a);
        else if (WRITE_BY_A) begin
          if (WHILE_WRITING == 0) odat_a <= word(READ_A, addr_a);
          if (WHILE_WRITING == 1) odat_a <= merged(word(READ_A, addr_a));
        end else if (!OTHER_OLD && clash(READ_A, addr_a, addr_w)) odat_a <= ~word(READ_A, addr_a);
        else odat_a <= word(READ_A, addr_a);
      end
  end
  if (READ_B > 0) begin : gen_read_b
    always_ff @(posedge clk_b)
      if (read_b) begin
        if (WRITE == 0 || write == '0) odat_b <= word(READ_B, addr_b);
        else if (!WRITE_BY_A) begin
          if (WHILE_WRITING == 0) odat_b <= word(READ_B, addr_b);
          if (WHILE_WRITING == 1) odat_b <= merged(word(READ_B, addr_b));
        end else if (!OTHER_OLD && clash(READ_B, addr_b, addr_w)) odat_b <= ~word(READ_B, addr_b);
        else odat_b <= word(READ_B, addr_b);
      end
  end

  if (WRITE > 0) begin : gen_write
    logic clk_w;
    int first;
    assign clk_w = WRITE_BY_A ? clk_a : clk_b;
    assign first = int'(addr_w) >> step_of(WRITE) << step_of(WRITE);
    always_ff @(posedge clk_w) begin
      if (WRITE < 9) begin
        if (write[0])
          mem[first>>3] <= (mem[first>>3] & ~9'(part(WRITE) << (first % 8)))
              | 9'((idat & part(WRITE)) << (first % 8));
      end else begin
        for (int i = 0; i < WRITE / 9; i++) if (write[i]) mem[(first>>3)+i] <= idat[9*i+:9];
      end
    end
  end
endmodule
