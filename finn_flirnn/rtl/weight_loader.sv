// SPDX-License-Identifier: BSD-3-Clause
// Takes weight images (docs/weights.md) and lets a design use them: header, WORDS memory words, CRC-32.
// The words go into the memories' idle set (load_dat, load_vld; at least 7 cycles apart). When the CRC has
// proven right, `close` asks the gate for no more groups; once it says `drained`, `set` flips, which all
// memories see before `close` falls. Whatever is wrong, the set in use stays in use.
// The sets in use survive rst_n as the memories do: `set`, `loaded` and weights_id have start values only.
// Input handshake idat/ivld/irdy, a word in 7 cycles. `restart` (a pulse) abandons an unfinished image.
// status: [7:0] 0 the built-in set is in use, 1 loading, 2 a loaded set is in use, 3 complete, waiting for
// the pipeline to drain, 81 CRC wrong, 82 shape hash wrong, 83 header or length wrong (hexadecimal);
// [31:8] sets taken since reset. After an error all words up to the next header are dropped.
module weight_loader #(
    parameter int WORDS = 1024,
    parameter logic [159:0] HEADER = '0,  // from the lowest: magic, version, shape hash (2), WORDS
    parameter logic [31:0] BUILT_IN = '0  // CRC-32 of the image of the built-in set
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic        restart,
    input  logic [31:0] idat,
    input  logic        ivld,
    output logic        irdy,
    output logic [31:0] load_dat,
    output logic        load_vld,
    output logic        load_restart,
    output logic        set,
    output logic        close,
    input  logic        drained,
    output logic [31:0] status,
    output logic [31:0] weights_id
);
  localparam logic [2:0] AT_HEADER = 3'd0, AT_WORDS = 3'd1, AT_CRC = 3'd2, DRAIN = 3'd3, SETTLE = 3'd4;
  localparam logic [7:0] BUILT_IN_USE = 8'h00, LOADING = 8'h01, LOADED_USE = 8'h02, COMPLETE = 8'h03;
  localparam logic [7:0] BAD_CRC = 8'h81, BAD_SHAPE = 8'h82, BAD_HEADER = 8'h83;
  localparam logic [2:0] LAST_FIELD = 3'd4;
  localparam int COUNT = (WORDS > 1) ? $clog2(WORDS) : 1;
  localparam int SETTLING = 15;  // cycles in which the flip reaches every memory and is read

  // start values instead of a reset: what is in use does not change when the design is reset, nor before
  // verilator lint_off PROCASSINIT
  logic chosen = 1'b0, loaded = 1'b0;
  logic [31:0] id = BUILT_IN;
  logic [2:0] state = AT_HEADER;
  // verilator lint_on PROCASSINIT

  logic [2:0] field;
  logic [COUNT-1:0] count;
  logic [3:0] settling;
  logic [2:0] left;  // bytes of the word that the CRC has not seen
  logic [31:0] word, rest, crc, crc_next;
  logic act;  // the word is in the CRC: decide on it
  logic [23:0] taken;
  logic [7:0] fault;
  logic wrong_field;

  crc32 u_crc (.crc(crc), .idat(rest[7:0]), .next(crc_next));

  assign wrong_field = word != HEADER[8'(field)*8'd32+:32];
  assign set = chosen;
  assign weights_id = id;
  assign load_dat = word;
  assign close = state == DRAIN || state == SETTLE;
  assign load_restart = state == AT_HEADER;

  always_comb begin
    status[31:8] = taken;
    if (state == DRAIN) status[7:0] = COMPLETE;
    else if (state == AT_WORDS || state == AT_CRC || (state == AT_HEADER && field != '0)) status[7:0] = LOADING;
    else if (fault != '0) status[7:0] = fault;
    else status[7:0] = loaded ? LOADED_USE : BUILT_IN_USE;
  end

  always_ff @(posedge clk) begin
    word <= (ivld && irdy) ? idat : word;
    rest <= (ivld && irdy) ? idat : rest >> 8;
    // the received CRC itself is compared, not counted in
    if (state == AT_HEADER && field == '0 && !act && left == '0) crc <= '1;
    else if (left != '0 && state != AT_CRC) crc <= crc_next;
  end

  always_ff @(posedge clk) begin
    load_vld <= 1'b0;
    if (!rst_n) begin
      state <= AT_HEADER;
      field <= '0;
      left  <= '0;
      act   <= 1'b0;
      irdy  <= 1'b0;
      taken <= '0;
      fault <= '0;
    end else if (restart && !close) begin
      state <= AT_HEADER;
      field <= '0;
      left  <= '0;
      act   <= 1'b0;
      irdy  <= 1'b1;
      fault <= '0;
    end else begin
      irdy <= left == '0 && !act && !(ivld && irdy) && state != DRAIN && state != SETTLE;
      act  <= left == 3'd1;
      if (ivld && irdy) left <= 3'd4;
      else if (left != '0) left <= left - 1'b1;
      case (state)
        AT_HEADER: if (act) begin
          field <= '0;
          count <= '0;
          if (!wrong_field) begin
            field <= (field == LAST_FIELD) ? '0 : field + 1'b1;
            if (field == LAST_FIELD) state <= AT_WORDS;
            fault <= '0;
          end else if (field != '0 || fault == '0) begin
            fault <= (field == 3'd2 || field == 3'd3) ? BAD_SHAPE : BAD_HEADER;
          end
        end
        AT_WORDS: if (act) begin
          load_vld <= 1'b1;
          count <= count + 1'b1;
          if (count == COUNT'(WORDS - 1)) state <= AT_CRC;
        end
        AT_CRC: if (act) begin
          state <= (word == ~crc) ? DRAIN : AT_HEADER;
          if (word != ~crc) fault <= BAD_CRC;
        end
        DRAIN: begin
          settling <= 4'(SETTLING);
          if (drained) begin
            state <= SETTLE;
            chosen <= !chosen;
            loaded <= 1'b1;
            id <= word;
            taken <= taken + 1'b1;
          end
        end
        default: begin
          settling <= settling - 1'b1;
          if (settling == '0) state <= AT_HEADER;
        end
      endcase
    end
  end
endmodule
