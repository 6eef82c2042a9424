// SPDX-License-Identifier: BSD-3-Clause
// Wrong: takes no sixth transfer.
module stops_after_five (
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
  logic [2:0] taken;
  assign in0_V_TREADY = taken != 3'd5 && (!full || out0_V_TREADY);
  assign out0_V_TVALID = full;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) full <= 1'b0;
    else if (!full || out0_V_TREADY) full <= in0_V_TVALID && in0_V_TREADY;
    if (in0_V_TREADY) out0_V_TDATA <= in0_V_TDATA;
    if (!ap_rst_n) taken <= 3'd0;
    else if (in0_V_TVALID && in0_V_TREADY) taken <= taken + 3'd1;
  end
endmodule
