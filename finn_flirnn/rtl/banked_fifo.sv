// SPDX-License-Identifier: BSD-3-Clause
// Stream FIFO of DEPTH words in banks of block RAM or UltraRAM, for memories too deep for stream_fifo.
// A bank holds BANK words (the last one what is left); one bank is written and one is read at a time, the
// others rest. Addresses and enables of the banks are registered, and so is every level of the multiplexer
// behind them; words are fetched ahead into a small FIFO, so that the latency costs no rate.
// Handshake: idat/ivld/irdy -> odat/ovld/ordy; irdy comes from a register. One word a cycle.
module banked_fifo #(
    parameter int WIDTH = 64,
    parameter int DEPTH = 262144,
    parameter int BANK = 4096,
    parameter bit ULTRA = 1'b1
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic [WIDTH-1:0] idat,
    input  logic             ivld,
    output logic             irdy,
    output logic [WIDTH-1:0] odat,
    output logic             ovld,
    input  logic             ordy
);
  localparam int BANKS = (DEPTH + BANK - 1) / BANK;
  localparam int TAIL = DEPTH - (BANKS - 1) * BANK;  // words of the last bank
  localparam int LARGEST = (BANKS == 1) ? DEPTH : BANK;
  localparam int ADDRESS = (LARGEST > 1) ? $clog2(LARGEST) : 1;
  localparam int BBITS = (BANKS > 1) ? $clog2(BANKS) : 1;
  localparam int LEVELS = ($clog2(BANKS) + 1) / 2;
  localparam int LATENCY = 3 + LEVELS;  // address, memory, its output register, multiplexers

  logic [ADDRESS-1:0] woffset, roffset, waddr, raddr;
  logic [BBITS-1:0] wbank, rbank, select;
  logic [BANKS-1:0] wen, ren;
  logic [WIDTH-1:0] wdat, rdat;
  logic [BANKS-1:0][WIDTH-1:0] banks;
  logic wtail, rtail, wbank_end, rbank_end, push, pull, there, enough;  // tail: in the last bank

  assign push = ivld && irdy;
  assign pull = there && enough;
  assign wbank_end = woffset == ADDRESS'(LARGEST - 1) || (wtail && woffset == ADDRESS'(TAIL - 1));
  assign rbank_end = roffset == ADDRESS'(LARGEST - 1) || (rtail && roffset == ADDRESS'(TAIL - 1));

  always_ff @(posedge clk) begin
    wdat  <= idat;
    waddr <= woffset;
    raddr <= roffset;
    if (!rst_n) begin
      woffset <= '0;
      roffset <= '0;
      wbank   <= '0;
      rbank   <= '0;
      wtail   <= BANKS == 1;
      rtail   <= BANKS == 1;
    end else begin
      if (push) woffset <= wbank_end ? '0 : woffset + 1'b1;
      if (pull) roffset <= rbank_end ? '0 : roffset + 1'b1;
      if (push && wbank_end) begin
        wbank <= wtail ? '0 : wbank + 1'b1;
        wtail <= (BANKS == 1) || (!wtail && wbank == BBITS'(BANKS - 2));
      end
      if (pull && rbank_end) begin
        rbank <= rtail ? '0 : rbank + 1'b1;
        rtail <= (BANKS == 1) || (!rtail && rbank == BBITS'(BANKS - 2));
      end
    end
  end

  for (genvar b = 0; b < BANKS; b++) begin : gen_bank
    localparam int WORDS = (b == BANKS - 1) ? TAIL : BANK;
    localparam int ABITS = (WORDS > 1) ? $clog2(WORDS) : 1;
    always_ff @(posedge clk) begin
      wen[b] <= push && wbank == BBITS'(b);
      ren[b] <= pull && rbank == BBITS'(b);
    end
    memory_bank #(.WIDTH(WIDTH), .DEPTH(WORDS), .ULTRA(ULTRA)) u_bank (
        .clk(clk),
        .wen(wen[b]), .waddr(waddr[ABITS-1:0]), .wdat(wdat),
        .ren(ren[b]), .raddr(raddr[ABITS-1:0]), .rdat(banks[b])
    );
  end

  // places that a push takes and a pull frees; words that are in the memory, when `there` knows of them
  credits #(.PLACES(DEPTH)) u_free (
      .clk(clk), .rst_n(rst_n), .take(push), .give(pull), .enough(irdy)
  );
  credits #(.PLACES(DEPTH), .START(0)) u_words (
      .clk(clk), .rst_n(rst_n), .take(pull), .give(push), .enough(there)
  );

  delay #(.WIDTH(BBITS), .CYCLES(3)) u_select (.clk(clk), .idat(rbank), .odat(select));
  bank_select #(.COUNT(BANKS), .WIDTH(WIDTH), .LEVELS(LEVELS)) u_banks (
      .clk(clk), .select(select), .idat(banks), .odat(rdat)
  );
  pipeline_out #(.WIDTH(WIDTH), .LATENCY(LATENCY)) u_out (
      .clk(clk), .rst_n(rst_n), .enter(pull), .enough(enough), .idat(rdat),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
