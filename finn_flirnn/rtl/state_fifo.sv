// SPDX-License-Identifier: BSD-3-Clause
// The FIFO of a ring's states, by the memory that its size asks for: MEMORY 0: stream_fifo; 1: banks of
// block RAM; 2: banks of UltraRAM. ROW words share a row of a banked memory; DEPTH words is a multiple.
module state_fifo #(
    parameter int WIDTH = 64,
    parameter int DEPTH = 16,
    parameter int MEMORY = 0,
    parameter int ROW = 1,
    parameter int BANK = 4096  // rows
) (
    input  logic             clk,
    input  logic             rst_n,
    input  logic [WIDTH-1:0] idat,
    input  logic             ivld,
    output logic             irdy,
    output logic [WIDTH-1:0] odat,
    output logic             ovld,
    input  logic             ordy
);
  if (MEMORY == 0) begin : gen_shallow
    stream_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u_fifo (
        .clk(clk), .rst_n(rst_n),
        .idat(idat), .ivld(ivld), .irdy(irdy), .odat(odat), .ovld(ovld), .ordy(ordy)
    );
  end else begin : gen_banked
    if (DEPTH % ROW != 0) begin : gen_check
      $error("state_fifo: DEPTH=%0d must be a multiple of ROW=%0d", DEPTH, ROW);
    end
    logic [ROW*WIDTH-1:0] wide_dat, row_dat;
    logic wide_vld, wide_rdy, row_vld, row_rdy;
    stream_widen #(.WIDTH(WIDTH), .FACTOR(ROW)) u_widen (
        .clk(clk), .rst_n(rst_n),
        .idat(idat), .ivld(ivld), .irdy(irdy), .odat(wide_dat), .ovld(wide_vld), .ordy(wide_rdy)
    );
    banked_fifo #(.WIDTH(ROW * WIDTH), .DEPTH(DEPTH / ROW), .BANK(BANK), .ULTRA(MEMORY == 2)) u_fifo (
        .clk(clk), .rst_n(rst_n),
        .idat(wide_dat), .ivld(wide_vld), .irdy(wide_rdy), .odat(row_dat), .ovld(row_vld), .ordy(row_rdy)
    );
    stream_narrow #(.WIDTH(WIDTH), .FACTOR(ROW)) u_narrow (
        .clk(clk), .rst_n(rst_n),
        .idat(row_dat), .ivld(row_vld), .irdy(row_rdy), .odat(odat), .ovld(ovld), .ordy(ordy)
    );
  end
endmodule
