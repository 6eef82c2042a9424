// SPDX-License-Identifier: BSD-3-Clause
// AMD's DSP48E2 for simulation, as dsp_mac and Yosys use it: P = A * B + Z, with or without each of the
// registers A, B, M and P. Z: 0, PCIN or C, by OPMODE. Any other attribute stops the elaboration, any
// other mode the simulation. Synthesis takes the ports alone. Source: UG579; parameters have the cell's own defaults.
module DSP48E2 #(
    parameter int ACASCREG = 1,
    parameter int ADREG = 1,
    parameter int ALUMODEREG = 1,
    parameter int AREG = 1,
    parameter int BCASCREG = 1,
    parameter int BREG = 1,
    parameter int CARRYINREG = 1,
    parameter int CARRYINSELREG = 1,
    parameter int CREG = 1,
    parameter int DREG = 1,
    parameter int INMODEREG = 1,
    parameter int MREG = 1,
    parameter int OPMODEREG = 1,
    parameter int PREG = 1,
    parameter AUTORESET_PATDET = "NO_RESET",
    parameter A_INPUT = "DIRECT",
    parameter B_INPUT = "DIRECT",
    parameter SEL_MASK = "MASK",
    parameter SEL_PATTERN = "PATTERN",
    parameter USE_MULT = "MULTIPLY",
    parameter USE_PATTERN_DETECT = "NO_PATDET",
    parameter USE_SIMD = "ONE48",
    parameter AMULTSEL = "A",
    parameter BMULTSEL = "B",
    parameter AUTORESET_PRIORITY = "RESET",
    parameter PREADDINSEL = "A",
    parameter USE_WIDEXOR = "FALSE",
    parameter XORSIMD = "XOR24_48_96",
    parameter logic [3:0] IS_ALUMODE_INVERTED = '0,
    parameter logic IS_CARRYIN_INVERTED = '0,
    parameter logic IS_CLK_INVERTED = '0,
    parameter logic [4:0] IS_INMODE_INVERTED = '0,
    parameter logic [8:0] IS_OPMODE_INVERTED = '0,
    parameter logic IS_RSTALLCARRYIN_INVERTED = '0,
    parameter logic IS_RSTALUMODE_INVERTED = '0,
    parameter logic IS_RSTA_INVERTED = '0,
    parameter logic IS_RSTB_INVERTED = '0,
    parameter logic IS_RSTCTRL_INVERTED = '0,
    parameter logic IS_RSTC_INVERTED = '0,
    parameter logic IS_RSTD_INVERTED = '0,
    parameter logic IS_RSTINMODE_INVERTED = '0,
    parameter logic IS_RSTM_INVERTED = '0,
    parameter logic IS_RSTP_INVERTED = '0,
    parameter logic [47:0] MASK = 48'h3FFFFFFFFFFF,
    parameter logic [47:0] PATTERN = '0,
    parameter logic [47:0] RND = '0
) (
    output logic [29:0] ACOUT,
    output logic [17:0] BCOUT,
    output logic        CARRYCASCOUT,
    output logic  [3:0] CARRYOUT,
    output logic        MULTSIGNOUT,
    output logic        OVERFLOW,
    output logic        PATTERNBDETECT,
    output logic        PATTERNDETECT,
    output logic [47:0] PCOUT,
    output logic [47:0] P,
    output logic        UNDERFLOW,
    output logic  [7:0] XOROUT,
    input  logic [29:0] A,
    input  logic [29:0] ACIN,
    input  logic  [3:0] ALUMODE,
    input  logic [17:0] B,
    input  logic [17:0] BCIN,
    input  logic [47:0] C,
    input  logic        CARRYCASCIN,
    input  logic        CARRYIN,
    input  logic  [2:0] CARRYINSEL,
    input  logic        CEA1,
    input  logic        CEA2,
    input  logic        CEAD,
    input  logic        CEALUMODE,
    input  logic        CEB1,
    input  logic        CEB2,
    input  logic        CEC,
    input  logic        CECARRYIN,
    input  logic        CECTRL,
    input  logic        CED,
    input  logic        CEINMODE,
    input  logic        CEM,
    input  logic        CEP,
    input  logic        CLK,
    input  logic [26:0] D,
    input  logic  [4:0] INMODE,
    input  logic        MULTSIGNIN,
    input  logic  [8:0] OPMODE,
    input  logic [47:0] PCIN,
    input  logic        RSTA,
    input  logic        RSTALLCARRYIN,
    input  logic        RSTALUMODE,
    input  logic        RSTB,
    input  logic        RSTC,
    input  logic        RSTCTRL,
    input  logic        RSTD,
    input  logic        RSTINMODE,
    input  logic        RSTM,
    input  logic        RSTP
);
  // ADREG and DREG lie in the pre-adder, which A goes past
  if (ACASCREG != AREG || AREG > 1 || BCASCREG != BREG || BREG > 1 || MREG > 1 || PREG > 1 ||
      ALUMODEREG != 0 || CARRYINREG != 0 || CARRYINSELREG != 0 || CREG != 0 || INMODEREG != 0 ||
      OPMODEREG != 0 || ADREG > 1 || DREG > 1) begin : gen_check_registers
    $error("DSP48E2: only registers A, B, M and P are modelled, one of each");
  end
  if (AUTORESET_PATDET != "NO_RESET" || A_INPUT != "DIRECT" || B_INPUT != "DIRECT" ||
      SEL_MASK != "MASK" || SEL_PATTERN != "PATTERN" || USE_MULT != "MULTIPLY" ||
      USE_PATTERN_DETECT != "NO_PATDET" || USE_SIMD != "ONE48" || AMULTSEL != "A" ||
      BMULTSEL != "B" || AUTORESET_PRIORITY != "RESET" || PREADDINSEL != "A" ||
      USE_WIDEXOR != "FALSE" || XORSIMD != "XOR24_48_96") begin : gen_check_modes
    $error("DSP48E2: only the plain multiplier and adder are modelled");
  end
  if (IS_ALUMODE_INVERTED != '0 || IS_CARRYIN_INVERTED != '0 || IS_CLK_INVERTED != '0 ||
      IS_INMODE_INVERTED != '0 || IS_OPMODE_INVERTED != '0 || IS_RSTALLCARRYIN_INVERTED != '0 ||
      IS_RSTALUMODE_INVERTED != '0 || IS_RSTA_INVERTED != '0 || IS_RSTB_INVERTED != '0 ||
      IS_RSTCTRL_INVERTED != '0 || IS_RSTC_INVERTED != '0 || IS_RSTD_INVERTED != '0 ||
      IS_RSTINMODE_INVERTED != '0 || IS_RSTM_INVERTED != '0 || IS_RSTP_INVERTED != '0 ||
      PATTERN != '0 || RND != '0 || MASK != 48'h3FFFFFFFFFFF) begin : gen_check_constants
    $error("DSP48E2: no inversion, rounding constant or pattern is modelled");
  end

  logic signed [26:0] a_q;
  logic signed [17:0] b_q;
  logic signed [44:0] m_q;
  logic [47:0] z, sum;

  assign z = (OPMODE[6:4] == 3'b001) ? PCIN : (OPMODE[6:4] == 3'b011) ? C : '0;
  assign sum = {{3{m_q[44]}}, m_q} + z;
  if (AREG == 1) begin : gen_a
    always_ff @(posedge CLK) if (CEA2) a_q <= A[26:0];
  end else begin : gen_no_a
    assign a_q = A[26:0];
  end
  if (BREG == 1) begin : gen_b
    always_ff @(posedge CLK) if (CEB2) b_q <= B;
  end else begin : gen_no_b
    assign b_q = B;
  end
  if (MREG == 1) begin : gen_m
    always_ff @(posedge CLK) if (CEM) m_q <= a_q * b_q;
  end else begin : gen_no_m
    assign m_q = a_q * b_q;
  end
  if (PREG == 1) begin : gen_p
    always_ff @(posedge CLK) if (CEP) P <= sum;
  end else begin : gen_no_p
    assign P = sum;
  end
  logic plain, resets;
  assign plain = OPMODE[8:7] == '0 && OPMODE[3:0] == 4'b0101 && !OPMODE[6] && OPMODE[5:4] != 2'b10
      && ALUMODE == '0 && INMODE == '0 && CARRYINSEL == '0 && !CARRYIN;
  assign resets = (RSTA && AREG == 1) || (RSTB && BREG == 1) || (RSTM && MREG == 1) || (RSTP && PREG == 1);
  if (AREG + BREG + MREG + PREG > 0) begin : gen_check_clocked
    always_ff @(posedge CLK) begin
      plain_mode :
      assert (plain)
      else $fatal(1, "DSP48E2: OPMODE=%b, ALUMODE=%b, INMODE=%b, CARRYINSEL=%b are not modelled",
          OPMODE, ALUMODE, INMODE, CARRYINSEL);
      no_reset :
      assert (!resets) else $fatal(1, "DSP48E2: resets are not modelled");
    end
  end else begin : gen_check
    always_comb assert (plain && !resets) else $fatal(1, "DSP48E2: OPMODE=%b is not modelled", OPMODE);
  end
  assign PCOUT = P;
  assign ACOUT = '0;
  assign BCOUT = '0;
  assign CARRYCASCOUT = '0;
  assign CARRYOUT = '0;
  assign MULTSIGNOUT = '0;
  assign OVERFLOW = '0;
  assign PATTERNBDETECT = '0;
  assign PATTERNDETECT = '0;
  assign UNDERFLOW = '0;
  assign XOROUT = '0;
  logic unused;
  assign unused = &{1'b0, A[29:27], ACIN, BCIN, CARRYCASCIN, CEA1, CEAD, CEALUMODE, CEB1, CEC, CECARRYIN, CECTRL,
      CED, CEINMODE, D, MULTSIGNIN, OPMODE, RSTC, RSTD, RSTINMODE, RSTCTRL, RSTALUMODE, RSTALLCARRYIN,
      CLK, CEA2, CEB2, CEM, CEP};
endmodule
