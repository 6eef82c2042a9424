// SPDX-License-Identifier: BSD-3-Clause
// What holds for a module that hands elements of 2 bits on, IN a word at its input and OUT at its output:
// a word that waits stays as it is (STABLE); no element is lost, doubled, changed or put elsewhere (KEPT),
// shown for one element, which the prover chooses. The design begins with a reset; more may follow.
module stream_properties #(
    parameter int IN = 1,
    parameter int OUT = 1,
    parameter bit STABLE = 1'b1,
    parameter bit KEPT = 1'b1
) (
    input logic            clk,
    input logic            rst_n,
    input logic [2*IN-1:0] idat,
    input logic            ivld,
    input logic            ordy,
    input logic [4:0]      chosen
);
  logic irdy, ovld, started, waits, seen;
  logic [2*OUT-1:0] odat, waiting;
  logic [4:0] element, taken, given;
  logic [1:0] value;

  `MODULE u_it (
      .clk(clk), .rst_n(rst_n), .idat(idat), .ivld(ivld), .irdy(irdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  initial started = 1'b0;
  always_ff @(posedge clk) begin
    started <= 1'b1;
    if (!started) element <= chosen;
    waits   <= rst_n && ovld && !ordy;
    waiting <= odat;
    if (!rst_n) begin
      taken <= '0;
      given <= '0;
      seen  <= 1'b0;
    end else begin
      if (ivld && irdy) begin
        taken <= taken + 5'(IN);
        if (element >= taken && element < taken + 5'(IN)) begin
          value <= 2'(idat >> (2 * (element - taken)));
          seen  <= 1'b1;
        end
      end
      if (ovld && ordy) given <= given + 5'(OUT);
    end
  end

  always_comb begin
    if (!started) assume (!rst_n);
    if (STABLE && started && rst_n && waits) begin
      assert (ovld);
      assert (odat == waiting);
    end
    if (KEPT && started && rst_n && ovld) begin
      assert (given + 5'(OUT) <= taken);
      if (seen && element >= given && element < given + 5'(OUT))
        assert (2'(odat >> (2 * (element - given))) == value);
    end
  end
endmodule
