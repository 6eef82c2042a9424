// SPDX-License-Identifier: BSD-3-Clause
// The gate before a design whose weights change between two groups: with `close` no new group enters, and
// `drained` says that all that had entered have left. A group is IN_COUNT transfers at the input and
// OUT_COUNT at the output, or fewer if TLAST ends it (ilast, mlast; tied to 0 on streams without).
// Input handshake ivld/irdy -> ovld/ordy, data pass beside; the output is only watched (mvld, mrdy). The
// gate never closes on a transfer that has been offered, so ovld keeps the rule of AXI-Stream.
module weight_gate #(
    parameter int IN_COUNT = 540,
    parameter int OUT_COUNT = 540
) (
    input  logic clk,
    input  logic rst_n,
    input  logic close,
    output logic drained,
    input  logic ivld,
    input  logic ilast,
    output logic irdy,
    output logic ovld,
    input  logic ordy,
    input  logic mvld,
    input  logic mrdy,
    input  logic mlast
);
  localparam int IBITS = (IN_COUNT > 1) ? $clog2(IN_COUNT) : 1;
  localparam int OBITS = (OUT_COUNT > 1) ? $clog2(OUT_COUNT) : 1;
  localparam int GROUPS = 16;  // bits of the number of groups under way; no design holds as many

  logic [IBITS-1:0] entered;
  logic [OBITS-1:0] left;
  logic [GROUPS-1:0] under_way;
  logic take, give, take_end, give_end, closed;

  assign ovld = ivld && !closed;
  assign irdy = ordy && !closed;
  assign take = ovld && ordy;
  assign give = mvld && mrdy;
  assign take_end = take && (ilast || entered == IBITS'(IN_COUNT - 1));
  assign give_end = give && (mlast || left == OBITS'(OUT_COUNT - 1));
  assign drained = closed && under_way == '0;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      entered <= '0;
      left <= '0;
      under_way <= '0;
      closed <= 1'b0;
    end else begin
      if (take) entered <= take_end ? '0 : entered + 1'b1;
      if (give) left <= give_end ? '0 : left + 1'b1;
      if (take_end && !give_end) under_way <= under_way + 1'b1;
      else if (give_end && !take_end) under_way <= under_way - 1'b1;
      if (!close) closed <= 1'b0;
      else if (take_end || (entered == '0 && !ovld)) closed <= 1'b1;
    end
  end
endmodule
