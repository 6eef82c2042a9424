// SPDX-License-Identifier: BSD-3-Clause
// The host link of a board without a processor: framed requests on a UART into a core's stream and its
// results back (docs/link.md). The core sees whole groups only, each of them with a right CRC.
// Towards the core: odat/ovld/ordy, IN_BYTES a transfer; from it: idat/ivld/irdy, OUT_BYTES a transfer.
// LOADS: pieces of weight images go to a loader by ldat/lvld/lrdy and restart; load_status and weights_id come
// from it.
// Every request is answered once, in order. `busy`: an answer is due. `bad`: the last frame was refused.
module link #(
    parameter int PHASE = 24,
    parameter int STEP = 1,
    parameter int IDLE = 1_000_000,
    parameter int DEPTH = 4096,
    parameter int FRAME = 540,
    parameter int RESULT_BYTES = 3240,
    parameter int IN_BYTES = 1,
    parameter int OUT_BYTES = 2,
    parameter bit LOADS = 1'b0,
    parameter int IDENTITY_BYTES = 22,
    parameter logic [8*IDENTITY_BYTES-1:0] IDENTITY = '0
) (
    input  logic                   clk,
    input  logic                   rst_n,
    input  logic                   rxd,
    output logic                   txd,
    output logic [ 8*IN_BYTES-1:0] odat,
    output logic                   ovld,
    input  logic                   ordy,
    input  logic [8*OUT_BYTES-1:0] idat,
    input  logic                   ivld,
    output logic                   irdy,
    output logic [           31:0] ldat,
    output logic                   lvld,
    input  logic                   lrdy,
    output logic                   restart,
    input  logic [           31:0] load_status,
    input  logic [           31:0] weights_id,
    output logic                   busy,
    output logic                   bad
);
  localparam int ANSWERS = 32;  // frames that may wait for an answer, refused ones included
  localparam int PIECE = 64;  // words of a load frame
  localparam logic [3:0] REFUSAL = 4'd2;

  // ---- requests
  logic [7:0] rx_dat, frame_dat, byte_dat;
  logic rx_vld, rx_err, frame_vld, commit, rewind, room, byte_vld, byte_rdy;
  logic [19:0] answer, due;
  logic answer_vld, queue_rdy, space, load_space;
  logic load_vld, load_commit, load_rewind, load_room;
  logic [31:0] load_next;

  uart_receive #(.PHASE(PHASE), .STEP(STEP)) u_rx (
      .clk(clk), .rst_n(rst_n), .rxd(rxd), .odat(rx_dat), .ovld(rx_vld), .oerr(rx_err)
  );
  link_receive #(.FRAME(FRAME), .IDLE(IDLE), .LOAD(LOADS ? 4 * PIECE + 4 : 0)) u_receive (
      .clk(clk), .rst_n(rst_n),
      .idat(rx_dat), .ivld(rx_vld), .ierr(rx_err), .room(space), .lroom(load_space),
      .odat(frame_dat), .ovld(frame_vld), .commit(commit), .rewind(rewind),
      .lvld(load_vld), .lcommit(load_commit), .lrewind(load_rewind),
      .answer(answer), .avld(answer_vld)
  );
  link_buffer #(.DEPTH(DEPTH), .FRAME(FRAME)) u_buffer (
      .clk(clk), .rst_n(rst_n),
      .idat(frame_dat), .ivld(frame_vld), .commit(commit), .rewind(rewind), .room(room),
      .odat(byte_dat), .ovld(byte_vld), .ordy(byte_rdy)
  );
  stream_widen #(.WIDTH(8), .FACTOR(IN_BYTES)) u_widen (
      .clk(clk), .rst_n(rst_n),
      .idat(byte_dat), .ivld(byte_vld), .irdy(byte_rdy), .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  if (LOADS) begin : gen_load
    link_load #(.PIECE(PIECE)) u_load (
        .clk(clk), .rst_n(rst_n),
        .idat(frame_dat), .ivld(load_vld), .commit(load_commit), .rewind(load_rewind), .room(load_room),
        .odat(ldat), .ovld(lvld), .ordy(lrdy), .restart(restart), .next(load_next)
    );
  end else begin : gen_no_load
    logic unused;
    assign unused = &{1'b0, load_vld, load_commit, load_rewind, lrdy};
    assign load_room = 1'b0;
    assign ldat = '0;
    assign lvld = 1'b0;
    assign restart = 1'b0;
    assign load_next = '0;
  end

  // ---- answers
  logic [8*OUT_BYTES-1:0] core_dat;
  logic [7:0] part_dat, tx_dat;
  logic core_vld, core_rdy, part_vld, part_rdy, tx_vld, tx_rdy, due_vld, due_rdy;

  // a group is taken only if its answer has a place; a refusal without one is not sent
  assign space = room && queue_rdy;
  assign load_space = load_room && queue_rdy;
  stream_fifo #(.WIDTH(20), .DEPTH(ANSWERS)) u_answers (
      .clk(clk), .rst_n(rst_n),
      .idat(answer), .ivld(answer_vld), .irdy(queue_rdy), .odat(due), .ovld(due_vld), .ordy(due_rdy)
  );
  stream_fifo #(.WIDTH(8 * OUT_BYTES), .DEPTH(16)) u_results (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .odat(core_dat), .ovld(core_vld), .ordy(core_rdy)
  );
  stream_narrow #(.WIDTH(8), .FACTOR(OUT_BYTES)) u_narrow (
      .clk(clk), .rst_n(rst_n),
      .idat(core_dat), .ivld(core_vld), .irdy(core_rdy), .odat(part_dat), .ovld(part_vld), .ordy(part_rdy)
  );
  link_transmit #(
      .RESULT_BYTES(RESULT_BYTES), .IDENTITY_BYTES(IDENTITY_BYTES), .IDENTITY(IDENTITY)
  ) u_transmit (
      .clk(clk), .rst_n(rst_n), .status({load_next, weights_id, load_status}),
      .adat(due), .avld(due_vld), .ardy(due_rdy),
      .idat(part_dat), .ivld(part_vld), .irdy(part_rdy),
      .odat(tx_dat), .ovld(tx_vld), .ordy(tx_rdy)
  );
  uart_transmit #(.PHASE(PHASE), .STEP(STEP)) u_tx (
      .clk(clk), .rst_n(rst_n), .idat(tx_dat), .ivld(tx_vld), .irdy(tx_rdy), .txd(txd)
  );

  assign busy = due_vld;
  always_ff @(posedge clk) begin
    if (!rst_n) bad <= 1'b0;
    else if (answer_vld) bad <= answer[19:16] == REFUSAL;
  end
endmodule
