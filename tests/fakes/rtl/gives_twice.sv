// SPDX-License-Identifier: BSD-3-Clause
// Wrong: gives every word twice.
module gives_twice (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [15:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    output logic [15:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  logic full;
  logic second;
  assign in0_V_TREADY = !full || (out0_V_TREADY && second);
  assign out0_V_TVALID = full;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) full <= 1'b0;
    else if (in0_V_TREADY) full <= in0_V_TVALID;
    if (in0_V_TREADY) out0_V_TDATA <= in0_V_TDATA;
    if (!ap_rst_n) second <= 1'b0;
    else if (out0_V_TVALID && out0_V_TREADY) second <= !second;
  end
endmodule
