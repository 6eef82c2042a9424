// SPDX-License-Identifier: BSD-3-Clause
// UART transmitter, 8 data bits, no parity, one stop bit; PHASE and STEP as in uart_receive.
// Handshake: idat/ivld/irdy; irdy comes from a register. A byte takes ten bits and a cycle.
module uart_transmit #(
    parameter int PHASE = 24,
    parameter int STEP = 1
) (
    input  logic       clk,
    input  logic       rst_n,
    input  logic [7:0] idat,
    input  logic       ivld,
    output logic       irdy,
    output logic       txd
);
  logic [8:0] bits;  // start bit and data still to be sent, then ones
  logic [PHASE-1:0] phase, phase_next;
  logic [3:0] left;
  logic over;

  assign irdy = left == '0;
  assign {over, phase_next} = {1'b0, phase} + (PHASE + 1)'(STEP);

  always_ff @(posedge clk) begin
    phase <= irdy ? '0 : phase_next;
    if (!rst_n) begin
      left <= '0;
      bits <= '1;
      txd  <= 1'b1;
    end else begin
      txd <= bits[0];
      if (irdy && ivld) begin
        left <= 4'd10;
        bits <= {idat, 1'b0};
      end else if (over && !irdy) begin
        left <= left - 1'b1;
        bits <= {1'b1, bits[8:1]};
      end
    end
  end
endmodule
