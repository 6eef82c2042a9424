// SPDX-License-Identifier: BSD-3-Clause
// Multiply-accumulate on a DSP48E2: p = a * b + pcin (CASCADE) or p = a * b + START.
// Signed, A_BITS <= 27, B_BITS <= 18, exact in 48 bits; p holds the lowest SUM_BITS bits.
// Latency 3 cycles from a and b, 1 from pcin; one product a cycle, no stall.
// pcin comes from the pcout of the cell before. dsp48e1/, plain/ hold the same module for others.
module dsp_mac #(
    parameter int          A_BITS = 27,
    parameter int          B_BITS = 18,
    parameter int          SUM_BITS = 48,
    parameter bit          CASCADE = 1'b0,
    parameter logic [47:0] START = '0
) (
    input  logic                       clk,
    input  logic signed [  A_BITS-1:0] a,
    input  logic signed [  B_BITS-1:0] b,
    input  logic        [        47:0] pcin,
    output logic        [        47:0] pcout,
    output logic        [SUM_BITS-1:0] p
);
  if (A_BITS > 27 || B_BITS > 18 || SUM_BITS > 48) begin : gen_check
    $error("dsp_mac: A_BITS=%0d, B_BITS=%0d, SUM_BITS=%0d must be at most 27, 18, 48", A_BITS, B_BITS, SUM_BITS);
  end
  if (CASCADE && START != '0) begin : gen_check_start
    $error("dsp_mac: START=%0d must be 0 in a cell that adds pcin", START);
  end

  logic [47:0] total;
  assign p = total[SUM_BITS-1:0];

  // ADREG and DREG are 1 although the pre-adder is unused: it rests then (the user guide), and Yosys 0.70
  // moves no register from before A into it, which would lose a cycle
  DSP48E2 #(
      .AREG(1), .ACASCREG(1), .BREG(1), .BCASCREG(1), .CREG(0), .DREG(1), .ADREG(1), .MREG(1), .PREG(1),
      .INMODEREG(0), .OPMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0)
  ) u_dsp (
      .CLK(clk),
      .A({{(30 - A_BITS) {a[A_BITS-1]}}, a}), .B({{(18 - B_BITS) {b[B_BITS-1]}}, b}), .C(START), .D('0),
      .PCIN(CASCADE ? pcin : '0), .ACIN('0), .BCIN('0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0), .CARRYIN(1'b0),
      // W = 0, Z = PCIN or C, X and Y = M
      .OPMODE({2'b00, CASCADE ? 3'b001 : 3'b011, 4'b0101}), .ALUMODE('0), .INMODE('0), .CARRYINSEL('0),
      .CEA1(1'b0), .CEA2(1'b1), .CEB1(1'b0), .CEB2(1'b1), .CEM(1'b1), .CEP(1'b1),
      .CEC(1'b0), .CED(1'b0), .CEAD(1'b0), .CEINMODE(1'b0), .CECTRL(1'b0), .CEALUMODE(1'b0), .CECARRYIN(1'b0),
      .RSTA(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTD(1'b0), .RSTM(1'b0), .RSTP(1'b0),
      .RSTINMODE(1'b0), .RSTCTRL(1'b0), .RSTALUMODE(1'b0), .RSTALLCARRYIN(1'b0),
      .P(total), .PCOUT(pcout),
      // the cell has more outputs than a product needs
      // verilator lint_off PINCONNECTEMPTY
      .ACOUT(), .BCOUT(), .CARRYCASCOUT(), .MULTSIGNOUT(), .CARRYOUT(), .OVERFLOW(), .UNDERFLOW(),
      .PATTERNDETECT(), .PATTERNBDETECT(), .XOROUT()
      // verilator lint_on PINCONNECTEMPTY
  );
  if (SUM_BITS < 48) begin : gen_unused
    logic unused;
    assign unused = &{1'b0, total[47:SUM_BITS]};
  end
endmodule
