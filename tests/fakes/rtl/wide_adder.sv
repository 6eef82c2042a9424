// SPDX-License-Identifier: BSD-3-Clause
// Correct: adds two streams element by element, without carry between elements.
module wide_adder #(
    parameter int unsigned BITS = 20,
    parameter int unsigned ELEMENTS = 5,
    localparam int unsigned WIDTH = BITS * ELEMENTS,
    localparam int unsigned PADDED = (WIDTH + 7) / 8 * 8
) (
    input  logic ap_clk,
    input  logic ap_rst_n,
    input  logic [PADDED-1:0] in0_V_TDATA,
    input  logic in0_V_TVALID,
    output logic in0_V_TREADY,
    input  logic [PADDED-1:0] in1_V_TDATA,
    input  logic in1_V_TVALID,
    output logic in1_V_TREADY,
    output logic [PADDED-1:0] out0_V_TDATA,
    output logic out0_V_TVALID,
    input  logic out0_V_TREADY
);
  logic [WIDTH-1:0] sum;
  logic go;
  logic unused;
  assign unused = &{1'b0, in0_V_TDATA, in1_V_TDATA};
  assign go = in0_V_TVALID && in1_V_TVALID && (!out0_V_TVALID || out0_V_TREADY);
  assign in0_V_TREADY = go;
  assign in1_V_TREADY = go;
  assign out0_V_TDATA = {{(PADDED - WIDTH) {1'b0}}, sum};
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) out0_V_TVALID <= 1'b0;
    else if (!out0_V_TVALID || out0_V_TREADY) out0_V_TVALID <= go;
    if (go) begin
      for (int unsigned i = 0; i < ELEMENTS; i++) begin
        sum[i*BITS+:BITS] <= in0_V_TDATA[i*BITS+:BITS] + in1_V_TDATA[i*BITS+:BITS];
      end
    end
  end
endmodule
