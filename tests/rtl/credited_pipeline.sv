// SPDX-License-Identifier: BSD-3-Clause
// Two registers that cannot stop, with the library's handshake around them and room for three words.
module credited_pipeline (
    input  logic       clk,
    input  logic       rst_n,
    input  logic [1:0] idat,
    input  logic       ivld,
    output logic       irdy,
    output logic [1:0] odat,
    output logic       ovld,
    input  logic       ordy
);
  logic [1:0] first, second;
  always_ff @(posedge clk) begin
    first  <= idat;
    second <= first;
  end
  pipeline_out #(.WIDTH(2), .LATENCY(2), .PLACES(3)) u_out (
      .clk(clk), .rst_n(rst_n), .enter(ivld && irdy), .enough(irdy), .idat(second),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );
endmodule
