// SPDX-License-Identifier: BSD-3-Clause
// End of the ring: hands the new states on, CELL units a transfer, GROUPS transfers a vector: back into
// the ring unless the step was the last, and to the output at every step (SEQUENCE) or at the last.
// Holds the ring's FIFO: room for the states of all lanes, read as words of SIMD units. With PARK the last
// states go into that FIFO too, and leave it when they are taken (gru_park).
module gru_sink #(
    parameter int HBITS = 8,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int SF = 2,
    parameter int GROUPS = 4,
    parameter int STEPS = 135,
    parameter int LANES = 4,
    parameter bit SEQUENCE = 1'b1,
    parameter int STATE_MEMORY = 0,  // see state_fifo
    parameter int STATE_ROW = 1,
    parameter int STATE_BANK = 4096,
    parameter bit PARK = 1'b0
) (
    input  logic                  clk,
    input  logic                  rst_n,
    input  logic [CELL*HBITS-1:0] idat,
    input  logic                  ivld,
    output logic                  irdy,
    output logic [SIMD*HBITS-1:0] ring_dat,
    output logic                  ring_vld,
    input  logic                  ring_rdy,
    output logic [CELL*HBITS-1:0] odat,
    output logic                  ovld,
    input  logic                  ordy
);
  logic take, last_transfer, last_step;
  logic to_ring, to_out, widen_rdy, out_rdy;
  logic [SIMD*HBITS-1:0] wide_dat;
  logic wide_vld, wide_rdy;
  logic [SIMD*HBITS-1:0] kept_dat;
  logic kept_vld, kept_rdy;
  logic [CELL*HBITS-1:0] out_dat;
  logic out_vld;

  assign to_ring = PARK || !last_step;
  assign to_out = !PARK && (SEQUENCE || last_step);
  assign irdy = (!to_ring || widen_rdy) && (!to_out || out_rdy);
  assign take = ivld && irdy;
  round_counter #(.COUNT(LANES * GROUPS)) u_transfer (
      .clk(clk), .rst_n(rst_n), .advance(take), .last(last_transfer)
  );
  round_counter #(.COUNT(STEPS)) u_step (
      .clk(clk), .rst_n(rst_n), .advance(take && last_transfer), .last(last_step)
  );

  stream_widen #(.WIDTH(CELL * HBITS), .FACTOR(SIMD / CELL)) u_widen (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld && to_ring && (!to_out || out_rdy)), .irdy(widen_rdy),
      .odat(wide_dat), .ovld(wide_vld), .ordy(wide_rdy)
  );
  state_fifo #(
      .WIDTH(SIMD * HBITS), .DEPTH(LANES * SF), .MEMORY(STATE_MEMORY), .ROW(STATE_ROW), .BANK(STATE_BANK)
  ) u_ring (
      .clk(clk), .rst_n(rst_n),
      .idat(wide_dat), .ivld(wide_vld), .irdy(wide_rdy),
      .odat(kept_dat), .ovld(kept_vld), .ordy(kept_rdy)
  );

  if (PARK) begin : gen_park
    if (SEQUENCE) begin : gen_check
      $error("gru_sink: SEQUENCE=%0d and PARK=%0d exclude each other", SEQUENCE, PARK);
    end
    gru_park #(.HBITS(HBITS), .SIMD(SIMD), .CELL(CELL), .STEPS(STEPS), .WORDS(LANES * SF)) u_park (
        .clk(clk), .rst_n(rst_n),
        .idat(kept_dat), .ivld(kept_vld), .irdy(kept_rdy),
        .ring_dat(ring_dat), .ring_vld(ring_vld), .ring_rdy(ring_rdy),
        .odat(out_dat), .ovld(out_vld), .ordy(out_rdy)
    );
  end else begin : gen_through
    assign ring_dat = kept_dat;
    assign ring_vld = kept_vld;
    assign kept_rdy = ring_rdy;
    assign out_dat = idat;
    assign out_vld = ivld && to_out && (!to_ring || widen_rdy);
  end
  stream_fifo #(.WIDTH(CELL * HBITS), .DEPTH(4)) u_out (
      .clk(clk), .rst_n(rst_n),
      .idat(out_dat), .ivld(out_vld), .irdy(out_rdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
