// SPDX-License-Identifier: BSD-3-Clause
// Model, for simulation, of the input DMA of FINN's shell (IODMA_hls): words of memory become transfers of
// a stream, by way of words of their least common multiple, as FINN's width converters do it.
// A command on cdat says how many transfers belong together; olast marks the last of them.
module dma_read #(
    parameter int MEMORY = 64,
    parameter int STREAM = 8,
    parameter int JOINT = 64
) (
    input  logic              clk,
    input  logic              rst_n,
    input  logic [      31:0] cdat,
    input  logic              cvld,
    output logic              crdy,
    input  logic [MEMORY-1:0] idat,
    input  logic              ivld,
    output logic              irdy,
    output logic [STREAM-1:0] odat,
    output logic              olast,
    output logic              ovld,
    input  logic              ordy
);
  logic [JOINT-1:0] joint;
  logic [31:0] left;  // transfers that are still to be sent
  logic joint_vld, joint_rdy, vld, active;

  stream_widen #(.WIDTH(MEMORY), .FACTOR(JOINT / MEMORY)) u_widen (
      .clk(clk), .rst_n(rst_n),
      .idat(idat), .ivld(ivld), .irdy(irdy), .odat(joint), .ovld(joint_vld), .ordy(joint_rdy)
  );
  stream_narrow #(.WIDTH(STREAM), .FACTOR(JOINT / STREAM)) u_narrow (
      .clk(clk), .rst_n(rst_n),
      .idat(joint), .ivld(joint_vld), .irdy(joint_rdy), .odat(odat), .ovld(vld), .ordy(ordy && active)
  );

  assign active = left != '0;
  assign crdy = !active;
  assign ovld = vld && active;
  assign olast = left == 32'd1;

  always_ff @(posedge clk) begin
    if (!rst_n) left <= '0;
    else if (cvld && crdy) left <= cdat;
    else if (ovld && ordy) left <= left - 1'b1;
  end
endmodule
