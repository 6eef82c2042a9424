// SPDX-License-Identifier: BSD-3-Clause
// Makes an answer's frame (docs/link.md): header, payload, CRC. The payload of a result comes from the core,
// byte by byte as it computes; that of the others is known: the identity, a refusal's code, or the status of
// the weights as it is when the frame begins.
// Handshakes: answer adat/avld/ardy = {kind, code, sequence}; core's bytes idat/ivld/irdy; odat/ovld/ordy.
// irdy follows ordy. One byte a cycle.
module link_transmit #(
    parameter int RESULT_BYTES = 3240,
    parameter int IDENTITY_BYTES = 22,
    parameter logic [8*IDENTITY_BYTES-1:0] IDENTITY = '0
) (
    input  logic        clk,
    input  logic        rst_n,
    input  logic [95:0] status,
    input  logic [19:0] adat,
    input  logic        avld,
    output logic        ardy,
    input  logic [ 7:0] idat,
    input  logic        ivld,
    output logic        irdy,
    output logic [ 7:0] odat,
    output logic        ovld,
    input  logic        ordy
);
  localparam logic [7:0] SYNC_0 = 8'hA5, SYNC_1 = 8'h5A;
  localparam logic [3:0] IDENTITY_KIND = 4'd0, RESULT_KIND = 4'd1, LOADED_KIND = 4'd3;
  localparam logic [7:0] IDENTITY_TYPE = 8'h81, RESULT_TYPE = 8'h82, LOADED_TYPE = 8'h83, REFUSAL_TYPE = 8'h8F;
  localparam int REFUSAL_BYTES = 1, LOADED_BYTES = 12;
  localparam int KNOWN = 8 * ((IDENTITY_BYTES > LOADED_BYTES) ? IDENTITY_BYTES : LOADED_BYTES);

  localparam logic [2:0] SYNC = 3'd0, HEADER = 3'd1, PAYLOAD = 3'd2, CRC = 3'd3, DONE = 3'd4;

  logic [2:0] state;
  logic [15:0] left;  // bytes of the present part after this one
  logic [15:0] length;
  logic [31:0] header;  // type, sequence, length: the next byte lowest
  logic [KNOWN-1:0] known;  // the payload if it is not a result; the next byte lowest
  logic [31:0] crc, crc_next, check;
  logic [7:0] kind_type, send;
  logic result, move, ready;

  crc32 u_crc (.crc(crc), .idat(send), .next(crc_next));

  always_comb begin
    case (adat[19:16])
      IDENTITY_KIND: begin
        kind_type = IDENTITY_TYPE;
        length = 16'(IDENTITY_BYTES);
      end
      RESULT_KIND: begin
        kind_type = RESULT_TYPE;
        length = 16'(RESULT_BYTES);
      end
      LOADED_KIND: begin
        kind_type = LOADED_TYPE;
        length = 16'(LOADED_BYTES);
      end
      default: begin
        kind_type = REFUSAL_TYPE;
        length = 16'(REFUSAL_BYTES);
      end
    endcase
  end

  always_comb begin
    case (state)
      SYNC: send = (left == '0) ? SYNC_1 : SYNC_0;
      HEADER: send = header[7:0];
      PAYLOAD: send = result ? idat : known[7:0];
      default: send = check[7:0];
    endcase
  end

  assign result = adat[19:16] == RESULT_KIND;
  assign ready = !ovld || ordy;
  assign irdy = state == PAYLOAD && result && ready;
  assign move = avld && ready && state != DONE && (state != PAYLOAD || !result || ivld);
  assign ardy = state == DONE;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      state <= SYNC;
      left  <= 16'd1;
      ovld  <= 1'b0;
    end else begin
      if (move) ovld <= 1'b1;
      else if (ordy) ovld <= 1'b0;
      if (state == DONE) begin
        state <= SYNC;
        left  <= 16'd1;
      end else if (move && left != '0) begin
        left <= left - 1'b1;
      end else if (move) begin
        case (state)
          SYNC: begin
            state <= HEADER;
            left  <= 16'd3;
          end
          HEADER: begin
            state <= PAYLOAD;
            left  <= length - 1'b1;
          end
          PAYLOAD: begin
            state <= CRC;
            left  <= 16'd3;
          end
          default: state <= DONE;
        endcase
      end
    end
  end

  always_ff @(posedge clk) begin
    if (move) begin
      odat <= send;
      header <= (state == SYNC) ? {length, adat[7:0], kind_type} : {8'h0, header[31:8]};
      if (state == SYNC) begin
        known <= (adat[19:16] == IDENTITY_KIND) ? KNOWN'(IDENTITY)
            : (adat[19:16] == LOADED_KIND) ? KNOWN'(status) : KNOWN'(adat[15:8]);
      end else if (state == PAYLOAD) begin
        known <= known >> 8;
      end
      crc <= (state == SYNC) ? '1 : crc_next;
      check <= (state == CRC) ? {8'h0, check[31:8]} : ~crc_next;
    end
  end
endmodule
