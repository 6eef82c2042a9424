// SPDX-License-Identifier: BSD-3-Clause
// Model, for simulation, of the output DMA of FINN's shell (IODMA_hls): transfers of a stream become words
// of memory. A command on cdat says how many transfers are to come; after the last of them sdat tells
// whether ilast was right: 0, or bit 31 if the last one lacked it, and below the number of the first
// transfer, counted from 1, that had it too early. Without ENDS ilast is not looked at.
// surplus: something is offered while nothing is due.
module dma_write #(
    parameter int MEMORY = 64,
    parameter int STREAM = 8,
    parameter int JOINT = 64,
    parameter bit ENDS = 1'b0
) (
    input  logic              clk,
    input  logic              rst_n,
    input  logic [      31:0] cdat,
    input  logic              cvld,
    output logic              crdy,
    input  logic [STREAM-1:0] idat,
    input  logic              ilast,
    input  logic              ivld,
    output logic              irdy,
    output logic [MEMORY-1:0] odat,
    output logic              ovld,
    input  logic              ordy,
    output logic [      31:0] sdat,
    output logic              svld,
    input  logic              srdy,
    output logic              active,
    output logic              surplus
);
  logic [JOINT-1:0] joint;
  logic [31:0] left;  // transfers that are still to come
  logic [30:0] number, early;
  logic joint_vld, joint_rdy, rdy, take, last;

  stream_widen #(.WIDTH(STREAM), .FACTOR(JOINT / STREAM)) u_widen (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld && active), .irdy(rdy), .odat(joint), .ovld(joint_vld), .ordy(joint_rdy)
  );
  stream_narrow #(.WIDTH(MEMORY), .FACTOR(JOINT / MEMORY)) u_narrow (
      .clk(clk), .rst_n(rst_n),
      .idat(joint), .ivld(joint_vld), .irdy(joint_rdy), .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  assign active = left != '0;
  assign last = left == 32'd1;
  assign crdy = !active && !svld;
  assign irdy = rdy && active;
  assign take = ivld && irdy;
  assign surplus = ivld && crdy;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      left <= '0;
      svld <= 1'b0;
    end else begin
      if (cvld && crdy) left <= cdat;
      else if (take) left <= left - 1'b1;
      svld <= (take && last) || (svld && !srdy);
    end
    if (crdy) begin
      number <= 31'd1;
      early  <= '0;
    end else if (take) begin
      number <= number + 1'b1;
      if (ENDS && ilast && !last && early == '0) early <= number;
    end
    if (take && last) sdat <= {ENDS && !ilast, early};
  end
endmodule
