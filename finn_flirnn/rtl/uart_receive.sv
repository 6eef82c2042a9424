// SPDX-License-Identifier: BSD-3-Clause
// UART receiver, 8 data bits, no parity, one stop bit.
// A phase of PHASE bits grows by STEP a cycle; a bit lasts 2**PHASE, so STEP = 2**PHASE * baud / clock and
// any ratio above about 4 cycles a bit will do. A bit's value is the majority of three samples at its middle.
// No handshake: `ovld` tells of a byte for one cycle, `oerr` of a byte without stop bit.
module uart_receive #(
    parameter int PHASE = 24,
    parameter int STEP = 1
) (
    input  logic       clk,
    input  logic       rst_n,
    input  logic       rxd,
    output logic [7:0] odat,
    output logic       ovld,
    output logic       oerr
);
  localparam logic [PHASE-1:0] HALF = {1'b1, {(PHASE - 1) {1'b0}}};

  logic [4:0] samples;  // two against metastability, three that vote
  logic [PHASE-1:0] phase, phase_next;
  logic [3:0] left;  // bits to come, start and stop included
  logic level, middle, armed;

  assign level = (samples[2] & samples[3]) | (samples[3] & samples[4]) | (samples[2] & samples[4]);
  assign {middle, phase_next} = {1'b0, phase} + (PHASE + 1)'(STEP);

  always_ff @(posedge clk) begin
    if (!rst_n) samples <= '1;
    else samples <= {samples[3:0], rxd};
  end

  always_ff @(posedge clk) begin
    phase <= (left == '0) ? HALF : phase_next;
    if (middle && left != 4'd1) odat <= {level, odat[7:1]};  // the stop bit is none of it
    if (!rst_n) begin
      left  <= '0;
      armed <= 1'b0;
      ovld  <= 1'b0;
      oerr  <= 1'b0;
    end else begin
      ovld <= 1'b0;
      oerr <= 1'b0;
      if (left == '0) begin
        armed <= level;  // a line that stays low is no second start bit
        if (armed && !level) left <= 4'd10;
      end else if (middle) begin
        left <= (left == 4'd10 && level) ? '0 : left - 1'b1;
        if (left == 4'd1) begin
          ovld  <= level;
          oerr  <= !level;
          armed <= level;
        end
      end
    end
  end
endmodule
