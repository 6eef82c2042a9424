// SPDX-License-Identifier: BSD-3-Clause
// Behind the ring's FIFO where that also keeps the last states until somebody takes them (docs/adr/0008):
// of every STEPS x WORDS words the last WORDS leave as the result, CELL units a transfer; the others go
// round. So the last step enters at full rate, however slowly its states are taken; the next sequence
// starts meanwhile, as far as there is room.
module gru_park #(
    parameter int HBITS = 8,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int STEPS = 135,
    parameter int WORDS = 65536  // of the states of all lanes
) (
    input  logic                  clk,
    input  logic                  rst_n,
    input  logic [SIMD*HBITS-1:0] idat,
    input  logic                  ivld,
    output logic                  irdy,
    output logic [SIMD*HBITS-1:0] ring_dat,
    output logic                  ring_vld,
    input  logic                  ring_rdy,
    output logic [CELL*HBITS-1:0] odat,
    output logic                  ovld,
    input  logic                  ordy
);
  localparam int WBITS = (WORDS > 1) ? $clog2(WORDS) : 1;
  localparam int TBITS = (STEPS > 1) ? $clog2(STEPS) : 1;

  logic [WBITS-1:0] word;
  logic [TBITS-1:0] step;
  logic last_word, result, result_rdy;

  assign last_word = word == WBITS'(WORDS - 1);
  assign ring_dat = idat;
  assign ring_vld = ivld && !result;
  assign irdy = result ? result_rdy : ring_rdy;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      word   <= '0;
      step   <= '0;
      result <= STEPS == 1;
    end else if (ivld && irdy) begin
      word <= last_word ? '0 : word + 1'b1;
      if (last_word) begin
        step   <= (step == TBITS'(STEPS - 1)) ? '0 : step + 1'b1;
        result <= (STEPS == 1) || (STEPS > 1 && step == TBITS'(STEPS - 2));
      end
    end
  end

  stream_narrow #(.WIDTH(CELL * HBITS), .FACTOR(SIMD / CELL)) u_narrow (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld && result), .irdy(result_rdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
