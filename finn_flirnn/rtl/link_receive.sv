// SPDX-License-Identifier: BSD-3-Clause
// Takes request frames apart (docs/link.md): header, payload into link_buffer, CRC; one answer a frame.
// Bytes come without handshake, at most every other cycle. `answer` is valid for one cycle with `avld`:
// {kind, code, sequence}. A frame counts only when its CRC is right; then `commit` follows its last
// payload byte, else `rewind`. The payload of a load frame goes to link_load by lvld, lcommit and lrewind.
// After IDLE cycles without a byte an unfinished frame is given up.
module link_receive #(
    parameter int FRAME = 540,
    parameter int IDLE = 1_000_000,
    parameter int LOAD = 0  // payload bytes of a load frame; 0: the type is unknown
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [ 7:0] idat,
    input  logic        ivld,
    input  logic        ierr,
    input  logic        room,
    input  logic        lroom,
    output logic [ 7:0] odat,
    output logic        ovld,
    output logic        commit,
    output logic        rewind,
    output logic        lvld,
    output logic        lcommit,
    output logic        lrewind,
    output logic [19:0] answer,
    output logic        avld
);
  localparam logic [7:0] SYNC_0 = 8'hA5, SYNC_1 = 8'h5A;
  localparam logic [7:0] IDENTIFY = 8'h01, INFER = 8'h02, LOAD_TYPE = 8'h03;
  localparam logic [31:0] RESIDUE = 32'hDEBB20E3;
  // kinds of answer, and codes of a refusal
  localparam logic [3:0] IDENTITY = 4'd0, RESULT = 4'd1, REFUSAL = 4'd2, LOADED = 4'd3;
  localparam logic [7:0] NONE = 8'd0, BAD_CRC = 8'd1, BAD_LENGTH = 8'd2, BAD_TYPE = 8'd3, OVERFLOW = 8'd4;
  localparam logic [7:0] BROKEN = 8'd5;

  localparam logic [3:0] AT_SYNC_0 = 4'd0, AT_SYNC_1 = 4'd1, AT_TYPE = 4'd2, AT_SEQUENCE = 4'd3;
  localparam logic [3:0] AT_LENGTH_0 = 4'd4, AT_LENGTH_1 = 4'd5, AT_PAYLOAD = 4'd6, AT_CRC = 4'd7;

  localparam int WAIT = $clog2(IDLE + 1);

  logic [3:0] state;
  logic [7:0] kind, sequence_number, length_low;
  logic [15:0] left;  // bytes of the payload or of the CRC still to come
  logic [31:0] crc, crc_next;
  logic [WAIT-1:0] quiet;
  logic stored, late, infer, load, known;
  logic [15:0] expected, length;

  crc32 u_crc (.crc(crc), .idat(idat), .next(crc_next));

  assign late = quiet == WAIT'(IDLE);
  assign infer = kind == INFER;
  assign load = LOAD > 0 && kind == LOAD_TYPE;
  assign known = infer || load || kind == IDENTIFY;
  assign expected = infer ? 16'(FRAME) : load ? 16'(LOAD) : 16'd0;
  assign length = {idat, length_low};

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state <= AT_SYNC_0;
      stored <= 1'b0;
      ovld <= 1'b0;
      commit <= 1'b0;
      rewind <= 1'b0;
      lvld <= 1'b0;
      lcommit <= 1'b0;
      lrewind <= 1'b0;
      avld <= 1'b0;
      quiet <= '0;
    end else begin
      ovld <= 1'b0;
      commit <= 1'b0;
      rewind <= 1'b0;
      lvld <= 1'b0;
      lcommit <= 1'b0;
      lrewind <= 1'b0;
      avld <= 1'b0;
      quiet <= (ivld || state == AT_SYNC_0) ? '0 : quiet + 1'b1;
      if (state != AT_SYNC_0 && (ierr || late)) begin
        state  <= AT_SYNC_0;
        rewind <= 1'b1;
        lrewind <= 1'b1;
        // a stray sync byte alone is noise, not a frame
        avld   <= state > AT_SEQUENCE;
        answer <= {REFUSAL, BROKEN, sequence_number};
      end else if (ivld) begin
        case (state)
          AT_SYNC_0: if (idat == SYNC_0) state <= AT_SYNC_1;
          AT_SYNC_1: state <= (idat == SYNC_1) ? AT_TYPE : (idat == SYNC_0) ? AT_SYNC_1 : AT_SYNC_0;
          AT_TYPE: state <= AT_SEQUENCE;
          AT_SEQUENCE: state <= AT_LENGTH_0;
          AT_LENGTH_0: state <= AT_LENGTH_1;
          AT_LENGTH_1: begin
            stored <= (room && infer) || (lroom && load);
            left   <= (infer || load) ? expected - 16'd1 : 16'd3;
            state  <= (infer || load) ? AT_PAYLOAD : AT_CRC;
            if (!known || length != expected) begin
              state  <= AT_SYNC_0;
              avld   <= 1'b1;
              answer <= {REFUSAL, known ? BAD_LENGTH : BAD_TYPE, sequence_number};
            end
          end
          AT_PAYLOAD: begin
            ovld <= stored && infer;
            lvld <= stored && load;
            left <= left - 1'b1;
            if (left == '0) begin
              left  <= 16'd3;
              state <= AT_CRC;
            end
          end
          default: begin
            left <= left - 1'b1;
            if (left == '0) begin
              state <= AT_SYNC_0;
              avld  <= 1'b1;
              if (crc_next != RESIDUE) begin
                rewind <= 1'b1;
                lrewind <= 1'b1;
                answer <= {REFUSAL, BAD_CRC, sequence_number};
              end else if (kind == IDENTIFY) begin
                answer <= {IDENTITY, NONE, sequence_number};
              end else if (!stored) begin
                answer <= {REFUSAL, OVERFLOW, sequence_number};
              end else if (load) begin
                lcommit <= 1'b1;
                answer <= {LOADED, NONE, sequence_number};
              end else begin
                commit <= 1'b1;
                answer <= {RESULT, NONE, sequence_number};
              end
            end
          end
        endcase
      end
    end
  end

  always_ff @(posedge clk) begin
    odat <= idat;
    if (ivld) begin
      crc <= (state == AT_SYNC_0 || state == AT_SYNC_1) ? '1 : crc_next;
      if (state == AT_TYPE) kind <= idat;
      if (state == AT_SEQUENCE) sequence_number <= idat;
      if (state == AT_LENGTH_0) length_low <= idat;
    end
  end
endmodule
