// SPDX-License-Identifier: BSD-3-Clause
// Matrix-vector unit: odat = W a for a matrix of NF*UNITS units with GATES rows each and SF*SIMD columns.
// A vector arrives as SF words of SIMD operands, is kept in a circulating shift register and used for
// NF folds of UNITS units. Initiation interval NF*SF cycles a vector. Results leave CELL units at a
// time, unit by unit, the gates of a unit side by side; UNITS/CELL <= SF.
// The weights lie outside: `waddr` (fold * SF + column word) is answered by `wdat` one cycle later. A
// word holds, for each column, pairs of rows as dot_pair takes them (PACK_SHIFT > 0), then single rows.
// Handshake: idat/ivld/irdy -> odat/ovld/ordy. The pipeline never stops; it takes the last word of a
// fold only if the output FIFO has room for the fold (credits).
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
    parameter int PACK_SHIFT = 0,
    parameter int PACK_GROUP = 1,
    localparam int ROWS = UNITS * GATES,
    localparam int PAIRS = (PACK_SHIFT > 0) ? ROWS / 2 : 0,
    localparam int SINGLES = ROWS - 2 * PAIRS,
    localparam int COLUMN = PAIRS * (2 * WBITS + 1) + SINGLES * WBITS,
    localparam int WWIDTH = SIMD * COLUMN,
    localparam int WADDR = (NF * SF > 1) ? $clog2(NF * SF) : 1
) (
    input  logic                              clk,
    input  logic                              rst_n,
    input  logic [            SIMD*ABITS-1:0] idat,
    input  logic                              ivld,
    output logic                              irdy,
    output logic [                 WADDR-1:0] waddr,
    input  logic [                WWIDTH-1:0] wdat,
    output logic [ CELL*GATES*ACC_BITS-1:0]   odat,
    output logic                              ovld,
    input  logic                              ordy
);
  localparam int GROUPS = (SIMD + PACK_GROUP - 1) / PACK_GROUP;
  localparam int PAIR_LATENCY = 2 + $clog2(PACK_GROUP) + $clog2(GROUPS);
  localparam int LATENCY = (PAIRS > 0) ? PAIR_LATENCY : 1 + $clog2(SIMD);
  localparam int SUM_BITS = WBITS + ABITS + $clog2(SIMD);
  localparam int PARTS = UNITS / CELL;
  localparam int PART = CELL * GATES * ACC_BITS;
  // folds between the credit and the FIFO: the pipeline's and those being formed and taken apart
  localparam int PLACES = PARTS * ((LATENCY + 5 + SF - 1) / SF + 2);
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
  logic first_fold, first_word, last_word, enough, go, fold_end, pop;
  logic [SIMD*ABITS-1:0] operand;

  assign first_fold = nf == '0;
  assign first_word = sf == '0;
  assign last_word = sf == SFBITS'(SF - 1);
  assign irdy = first_fold && (!last_word || enough);
  assign go = (!first_fold || ivld) && (!last_word || enough);
  assign fold_end = go && last_word;
  assign waddr = address;

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

  // ---- products: operand and weights meet in the registers before the multipliers
  logic [SIMD*ABITS-1:0] operand_q;
  logic [SIMD-1:0][COLUMN-1:0] columns;
  logic valid_q, first_q, last_q;
  logic [LATENCY-1:0] valid_line, first_line, last_line;
  logic [ROWS-1:0][SUM_BITS-1:0] sums;

  assign columns = wdat;
  always_ff @(posedge clk) operand_q <= operand;
  always_ff @(posedge clk) begin
    first_q <= first_word;
    last_q  <= last_word;
    valid_q <= rst_n && go;
    for (int i = 0; i < LATENCY; i++) begin
      first_line[i] <= (i == 0) ? first_q : first_line[(i == 0) ? 0 : i-1];
      last_line[i]  <= (i == 0) ? last_q : last_line[(i == 0) ? 0 : i-1];
      valid_line[i] <= rst_n && ((i == 0) ? valid_q : valid_line[(i == 0) ? 0 : i-1]);
    end
  end

  for (genvar p = 0; p < PAIRS; p++) begin : gen_pair
    logic [SIMD-1:0][2*WBITS:0] w;
    for (genvar s = 0; s < SIMD; s++) begin : gen_column
      assign w[s] = columns[s][p*(2*WBITS+1)+:2*WBITS+1];
    end
    dot_pair #(
        .SIMD(SIMD), .WBITS(WBITS), .ABITS(ABITS), .SUM_BITS(SUM_BITS), .SHIFT(PACK_SHIFT), .GROUP(PACK_GROUP)
    ) u_dot (
        .clk(clk), .weight(w), .operand(operand_q), .odat(sums[2*p+1:2*p])
    );
  end
  for (genvar r = 0; r < SINGLES; r++) begin : gen_single
    logic [SIMD-1:0][WBITS-1:0] w;
    for (genvar s = 0; s < SIMD; s++) begin : gen_column
      assign w[s] = columns[s][PAIRS*(2*WBITS+1)+r*WBITS+:WBITS];
    end
    dot #(
        .SIMD(SIMD), .WBITS(WBITS), .ABITS(ABITS), .SUM_BITS(SUM_BITS), .LATENCY(LATENCY)
    ) u_dot (
        .clk(clk), .weight(w), .operand(operand_q), .odat(sums[2*PAIRS+r])
    );
  end

  // ---- accumulate over the words of a fold
  logic [ROWS-1:0][ACC_BITS-1:0] total;
  logic valid, first, last, done;
  assign valid = valid_line[LATENCY-1];
  assign first = first_line[LATENCY-1];
  assign last = last_line[LATENCY-1];
  assign done = valid && last;

  for (genvar r = 0; r < ROWS; r++) begin : gen_acc
    logic [ACC_BITS-1:0] acc, sum;
    if (ACC_BITS > SUM_BITS) begin : gen_extend
      assign sum = {{(ACC_BITS - SUM_BITS) {sums[r][SUM_BITS-1]}}, sums[r]};
    end else begin : gen_whole
      assign sum = sums[r];
    end
    assign total[r] = first ? sum : acc + sum;
    always_ff @(posedge clk) if (valid) acc <= total[r];
  end

  // ---- take the fold apart: CELL units a cycle, unit 0 first
  logic [PARTS-1:0][PART-1:0] parts;
  logic [PARTS-1:0] pending;  // parts still to leave, one bit each
  logic fifo_irdy;

  always_ff @(posedge clk) begin
    if (done) parts <= total;
    else parts <= parts >> PART;
    if (!rst_n) pending <= '0;
    else if (done) pending <= '1;
    else pending <= pending >> 1;
  end

  assign pop = ovld && ordy;
  stream_fifo #(.WIDTH(PART), .DEPTH(PLACES)) u_fifo (
      .clk(clk), .rst_n(rst_n),
      .idat(parts[0]), .ivld(pending[0]), .irdy(fifo_irdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
  logic unused;
  assign unused = &{1'b0, fifo_irdy};
endmodule
