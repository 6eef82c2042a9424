// SPDX-License-Identifier: BSD-3-Clause
// Correct: a register slice with a table of 16 words in a memory file.
module table_lookup (
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
  logic [15:0] table_q [16];
  logic unused;
  assign unused = &{1'b0, in0_V_TDATA[15:4]};
  initial $readmemh("table.mem", table_q);
  assign in0_V_TREADY = !full || out0_V_TREADY;
  assign out0_V_TVALID = full;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) full <= 1'b0;
    else if (in0_V_TREADY) full <= in0_V_TVALID;
    if (in0_V_TREADY) out0_V_TDATA <= table_q[in0_V_TDATA[3:0]];
  end
endmodule
