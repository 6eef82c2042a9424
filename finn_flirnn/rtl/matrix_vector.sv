// SPDX-License-Identifier: BSD-3-Clause
// Matrix-vector unit: odat = W a for a matrix of NF*UNITS units with GATES rows each and SF*SIMD columns.
// A vector arrives as SF words of SIMD operands, is kept in a circulating shift register and used for
// NF folds of UNITS units. Initiation interval NF*SF cycles a vector. Results leave CELL units at a
// time, unit by unit, the gates of a unit side by side; UNITS/CELL <= SF.
// Systolic both ways: operands go along the positions of the chains (mac_rows), one cycle each, and from
// slice to slice of units; so the slices end one after the other, as their results leave. A slice is CELL
// units, or 2*CELL where CELL*GATES is odd and rows share multipliers.
// The weights lie outside, a bank for each position of each slice. Bank slice*LENGTH + position is
// answered W_LATENCY cycles later; its address (fold * SF + column word) is delayed as its operands are.
// Handshake: idat/ivld/irdy -> odat/ovld/ordy. The pipeline never stops; it takes the last word of a
// fold only if the output FIFO has room for the fold (credits). Latency from the last word of a fold to
// ovld of its first part: 3 + LENGTH + $clog2(CHAINS) cycles, 1 more if SF > 1, and the FIFO's.
module matrix_vector #(
    parameter int UNITS = 4,
    parameter int GATES = 3,
    parameter int SIMD = 4,
    parameter int NF = 2,
    parameter int SF = 2,
    parameter int CELL = 2,
    parameter int WBITS = 8,
    parameter int ABITS = 8,
    parameter int ACC_BITS = 20,
    parameter int CHAINS = 1,
    parameter int PACK_SHIFT = 0,  // SHIFT, HIGH, SINGLE_DSP of mac_rows
    parameter int PACK_HIGH = 8,
    parameter bit SINGLE_DSP = 1'b1,
    parameter bit W_LATENCY = 1'b0,  // 0: memories in LUTs, 1: block RAM
    localparam int PARTS = UNITS / CELL,
    localparam int STEP = (PACK_SHIFT > 0 && (CELL * GATES) % 2 == 1 && PARTS > 1) ? 2 : 1,
    localparam int SLICES = (PARTS + STEP - 1) / STEP,
    localparam int LENGTH = (SIMD + CHAINS - 1) / CHAINS,
    localparam int BANKS = SLICES * LENGTH,
    localparam int ROWS = STEP * CELL * GATES,
    localparam int LAST_ROWS = (PARTS - (SLICES - 1) * STEP) * CELL * GATES,
    localparam int COLUMN = (PACK_SHIFT > 0) ? (ROWS / 2) * (WBITS + PACK_HIGH) + (ROWS % 2) * WBITS : ROWS * WBITS,
    localparam int LAST_COLUMN = (PACK_SHIFT > 0)
        ? (LAST_ROWS / 2) * (WBITS + PACK_HIGH) + (LAST_ROWS % 2) * WBITS : LAST_ROWS * WBITS,
    localparam int WWIDTH = SIMD * ((SLICES - 1) * COLUMN + LAST_COLUMN),
    localparam int WADDR = (NF * SF > 1) ? $clog2(NF * SF) : 1
) (
    input  logic                              clk,
    input  logic                              rst_n,
    input  logic [            SIMD*ABITS-1:0] idat,
    input  logic                              ivld,
    output logic                              irdy,
    output logic [      BANKS-1:0][WADDR-1:0] waddr,
    input  logic [                WWIDTH-1:0] wdat,
    output logic [   CELL*GATES*ACC_BITS-1:0] odat,
    output logic                              ovld,
    input  logic                              ordy
);
  localparam int PAD = LENGTH * CHAINS - SIMD;
  localparam int SKEW = (SLICES - 1) * STEP;  // of the last slice
  localparam int LATENCY = 3 + LENGTH + $clog2(CHAINS);  // from an issued word to its sums
  localparam int SUM_BITS = WBITS + ABITS + $clog2(SIMD);
  localparam int PART = CELL * GATES * ACC_BITS;
  // folds between the credit and the FIFO: the pipeline's and those being formed and taken apart
  localparam int PLACES = PARTS * ((LATENCY + 6 + SF - 1) / SF + 2);
  localparam int SFBITS = (SF > 1) ? $clog2(SF) : 1;
  localparam int NFBITS = (NF > 1) ? $clog2(NF) : 1;

  if (UNITS % CELL != 0 || PARTS > SF) begin : gen_check
    $error("matrix_vector: UNITS=%0d must be a multiple of CELL=%0d and UNITS/CELL at most SF=%0d", UNITS, CELL, SF);
  end
  if (ACC_BITS < SUM_BITS) begin : gen_check_acc
    $error("matrix_vector: ACC_BITS=%0d must be at least %0d", ACC_BITS, SUM_BITS);
  end

  // ---- issue: one operand word a cycle
  logic [SFBITS-1:0] sf;
  logic [NFBITS-1:0] nf;
  logic [WADDR-1:0] address;
  logic first_fold, last_word, enough, go, fold_end, pop;
  logic [SIMD*ABITS-1:0] operand;

  assign first_fold = nf == '0;
  assign last_word = sf == SFBITS'(SF - 1);
  assign irdy = first_fold && (!last_word || enough);
  assign go = (!first_fold || ivld) && (!last_word || enough);
  assign fold_end = go && last_word;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      sf <= '0;
      nf <= '0;
      address <= '0;
    end else if (go) begin
      sf <= last_word ? '0 : sf + 1'b1;
      if (last_word) nf <= (nf == NFBITS'(NF - 1)) ? '0 : nf + 1'b1;
      address <= (address == WADDR'(NF * SF - 1)) ? '0 : address + 1'b1;
    end
  end

  if (NF > 1) begin : gen_keep
    logic [SF-1:0][SIMD*ABITS-1:0] kept;
    assign operand = first_fold ? idat : kept[SF-1];
    if (SF > 1) begin : gen_line
      always_ff @(posedge clk) if (go) kept <= {kept[SF-2:0], operand};
    end else begin : gen_word
      always_ff @(posedge clk) if (go) kept[0] <= operand;
    end
  end else begin : gen_pass
    assign operand = idat;
  end

  credits #(.PLACES(PLACES), .COST(PARTS)) u_credits (
      .clk(clk), .rst_n(rst_n), .take(fold_end), .give(pop), .enough(enough)
  );

  // ---- skew: a slice's position p is p + STEP * slice cycles behind
  logic [SIMD-1:0][ABITS-1:0] operand_q;
  logic [SKEW+LENGTH-1:0][WADDR-1:0] address_line;
  logic [SLICES-1:0][SIMD-1:0][ABITS-1:0] skewed;
  logic [LATENCY+SKEW-1:0] valid_line, end_line;

  always_ff @(posedge clk) begin
    operand_q <= operand;
    for (int i = 0; i < LATENCY + SKEW; i++) begin
      valid_line[i] <= rst_n && ((i == 0) ? go : valid_line[(i == 0) ? 0 : i-1]);
      end_line[i]   <= rst_n && ((i == 0) ? fold_end : end_line[(i == 0) ? 0 : i-1]);
    end
  end

  // a block RAM registers its address by itself; the other registers have a start value to keep the tools
  // from moving them behind the memory, where there are as many as weights
  for (genvar i = 0; i < SKEW + LENGTH; i++) begin : gen_address
    if (i == 0 && W_LATENCY) begin : gen_wire
      assign address_line[0] = address;
    end else begin : gen_register
      // verilator lint_off PROCASSINIT
      logic [WADDR-1:0] delayed = '0;
      // verilator lint_on PROCASSINIT
      always_ff @(posedge clk) delayed <= (i == 0) ? address : address_line[(i == 0) ? 0 : i-1];
      assign address_line[i] = delayed;
    end
  end
  for (genvar s = 0; s < SIMD; s++) begin : gen_skew
    delay #(.WIDTH(ABITS), .CYCLES((s + PAD) / CHAINS)) u_first (
        .clk(clk), .idat(operand_q[s]), .odat(skewed[0][s])
    );
    for (genvar q = 1; q < SLICES; q++) begin : gen_slice
      delay #(.WIDTH(ABITS), .CYCLES(STEP)) u_next (.clk(clk), .idat(skewed[q-1][s]), .odat(skewed[q][s]));
    end
  end

  // ---- products of a slice, accumulated over the words of a fold
  logic [PARTS-1:0][PART-1:0] totals;
  for (genvar q = 0; q < SLICES; q++) begin : gen_slice
    localparam int SLICE_ROWS = (q == SLICES - 1) ? LAST_ROWS : ROWS;
    localparam int SLICE_COLUMN = (q == SLICES - 1) ? LAST_COLUMN : COLUMN;
    logic [SLICE_ROWS-1:0][SUM_BITS-1:0] sums;
    logic [SLICE_ROWS-1:0][ACC_BITS-1:0] wide, results;

    for (genvar k = 0; k < LENGTH; k++) begin : gen_bank
      assign waddr[q*LENGTH+k] = address_line[q*STEP+k];
    end
    mac_rows #(
        .ROWS(SLICE_ROWS), .SIMD(SIMD), .CHAINS(CHAINS), .WBITS(WBITS), .ABITS(ABITS), .SHIFT(PACK_SHIFT),
        .HIGH(PACK_HIGH), .SINGLE_DSP(SINGLE_DSP)
    ) u_rows (
        .clk(clk), .weight(wdat[q*SIMD*COLUMN+:SIMD*SLICE_COLUMN]), .operand(skewed[q]), .odat(sums)
    );

    for (genvar r = 0; r < SLICE_ROWS; r++) begin : gen_extend
      if (ACC_BITS > SUM_BITS) begin : gen_sign
        assign wide[r] = {{(ACC_BITS - SUM_BITS) {sums[r][SUM_BITS-1]}}, sums[r]};
      end else begin : gen_whole
        assign wide[r] = sums[r];
      end
    end
    if (SF > 1) begin : gen_accumulate
      logic first;
      always_ff @(posedge clk) begin
        if (!rst_n) first <= 1'b1;
        else if (valid_line[LATENCY-1+q*STEP]) first <= end_line[LATENCY-1+q*STEP];
        if (valid_line[LATENCY-1+q*STEP]) begin
          for (int r = 0; r < SLICE_ROWS; r++) results[r] <= wide[r] + (first ? '0 : results[r]);
        end
      end
    end else begin : gen_single_word
      assign results = wide;
    end
    for (genvar j = 0; j < SLICE_ROWS / (CELL * GATES); j++) begin : gen_part
      delay #(.WIDTH(PART), .CYCLES(j)) u_wait (
          .clk(clk), .idat(results[j*CELL*GATES+:CELL*GATES]), .odat(totals[q*STEP+j])
      );
    end
  end

  // ---- the parts of a fold leave one after the other
  logic start, leave, fifo_irdy;
  logic [PART-1:0] part;
  if (SF > 1) begin : gen_start
    always_ff @(posedge clk) start <= rst_n && end_line[LATENCY-1];
  end else begin : gen_start_at_once
    assign start = end_line[LATENCY-1];
  end
  if (PARTS > 1) begin : gen_parts
    localparam int INDEX = $clog2(PARTS);
    logic [INDEX-1:0] index;
    always_ff @(posedge clk) begin
      if (!rst_n) index <= '0;
      else if (leave) index <= (index == INDEX'(PARTS - 1)) ? '0 : index + 1'b1;
    end
    assign leave = start || index != '0;
    assign part = totals[index];
  end else begin : gen_whole
    assign leave = start;
    assign part = totals[0];
  end

  assign pop = ovld && ordy;
  stream_fifo #(.WIDTH(PART), .DEPTH(PLACES)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(part), .ivld(leave), .irdy(fifo_irdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
  logic unused;
  assign unused = &{1'b0, fifo_irdy, valid_line, end_line};
endmodule
