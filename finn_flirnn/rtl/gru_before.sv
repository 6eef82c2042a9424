// SPDX-License-Identifier: BSD-3-Clause
// GRU engine, reset gate before the recurrent product: a ring (docs/adr/0001) with two matrix-vector
// units in series, one for r and z on h, one for the candidate on r*h; with two or more lanes both work
// in every cycle. Streams, interval and memories as in gru_after; wn: the candidate's recurrent weights.
module gru_before #(
    parameter int HIDDEN = 32,
    parameter int INPUTS = 1,  // 0: no input
    parameter int STEPS = 135,
    parameter int LANES = 4,
    parameter bit HAS_INITIAL = 1'b0,
    parameter bit SEQUENCE = 1'b1,
    parameter int STATE_MEMORY = 0,  // see state_fifo
    parameter int STATE_ROW = 1,
    parameter int STATE_BANK = 4096,
    parameter bit PARK = 1'b0,  // keep the last states in the ring, see gru_park
    parameter int PE = 4,
    parameter int SIMD = 4,
    parameter int CELL = 2,
    parameter int XSIMD = 1,
    parameter int XBITS = 8,
    parameter bit XSIGNED = 1'b0,
    parameter int HBITS = 8,
    parameter int WHBITS = 8,
    parameter int WXBITS = 8,
    parameter int GBITS = 8,
    parameter int GFRAC = 7,
    parameter int CBITS = 8,
    parameter int PBITS = 10,
    parameter int HACC = 22,  // recurrent sums
    parameter int XACC = 18,  // input sums
    parameter int BIAS = 20,
    parameter int SUM = 24,  // pre-activation sums
    parameter int HALIGN = 0,  // shifts: see docs/numerics.md, section 4, and codegen/gru.py
    parameter int XALIGN = 0,
    parameter int P_SHIFT = 8,
    parameter int HSHIFT = 0,
    parameter int NSHIFT = 0,
    parameter int STATE_SHIFT = 7,
    parameter bit STATE_NARROW = 1'b1,
    parameter bit CELL_DSP = 1'b1,  // the cell's products in DSPs, else in look-up tables
    parameter int CHAINS_H = 1,  // these five, for each product: see matrix_vector
    parameter int PACK_SHIFT_H = 0,
    parameter int PACK_HIGH_H = 8,
    parameter bit SINGLE_DSP_H = 1'b1,
    parameter bit W_LATENCY_H = 1'b0,
    parameter int CHAINS_X = 1,
    parameter int PACK_SHIFT_X = 0,
    parameter int PACK_HIGH_X = 8,
    parameter bit SINGLE_DSP_X = 1'b1,
    parameter bit W_LATENCY_X = 1'b0,
    parameter int WHADDRS = 1,  // widths of the weight memories' ports
    parameter int WHWIDTH = 1,
    parameter int WNADDRS = 1,
    parameter int WNWIDTH = 1,
    parameter int WXADDRS = 1,
    parameter int WXWIDTH = 1,
    localparam int NF = HIDDEN / PE,
    localparam int SF = HIDDEN / SIMD,
    localparam int GROUPS = HIDDEN / CELL,
    localparam int GADDR = (GROUPS > 1) ? $clog2(GROUPS) : 1
) (
    input  logic                              clk,
    input  logic                              rst_n,
    input  logic [            XSIMD*XBITS-1:0] x_dat,
    input  logic                              x_vld,
    output logic                              x_rdy,
    input  logic [             CELL*HBITS-1:0] init_dat,
    input  logic                              init_vld,
    output logic                              init_rdy,
    output logic [             CELL*HBITS-1:0] odat,
    output logic                              ovld,
    input  logic                              ordy,
    output logic [                WHADDRS-1:0] wh_addr,
    input  logic [                 WHWIDTH-1:0] wh_dat,
    output logic [                WNADDRS-1:0] wn_addr,
    input  logic [                 WNWIDTH-1:0] wn_dat,
    output logic [                WXADDRS-1:0] wx_addr,
    input  logic [                 WXWIDTH-1:0] wx_dat,
    output logic [                  GADDR-1:0] bias_addr,
    input  logic [   CELL-1:0][2:0][BIAS-1:0] bias_dat,
    output logic [  CELL-1:0][1:0][PBITS-1:0] gate_addr,
    input  logic [  CELL-1:0][1:0][GBITS-1:0] gate_dat,
    output logic [       CELL-1:0][PBITS-1:0] cand_addr,
    input  logic [       CELL-1:0][CBITS-1:0] cand_dat
);
  logic [SIMD*HBITS-1:0] word_dat;
  logic [CELL*HBITS-1:0] new_dat;
  logic word_vld, word_rdy, new_vld, new_rdy;
  logic [CELL-1:0][HBITS-1:0] hold;
  logic [CELL-1:0][2:0][XACC-1:0] x_sum;
  logic operands_vld, enter, enter_n, enough, reset_enough, carry_enough;
  logic [CELL-1:0][1:0][HACC-1:0] v;
  logic [CELL-1:0][HACC-1:0] vn;
  logic v_vld, vn_vld, reset_vld, reset_rdy, gather_vld, gather_rdy, wide_vld, wide_rdy, carry_vld;
  logic [CELL-1:0][HBITS-1:0] reset_in, cell_dat;
  logic [CELL*HBITS-1:0] reset_dat;
  logic [SIMD*HBITS-1:0] gather_dat, wide_dat;
  typedef struct packed {
    logic [SUM-1:0]   u;
    logic [GBITS-1:0] z;
    logic [HBITS-1:0] h;
  } carry_t;
  carry_t [CELL-1:0] carry_in, carry;
  localparam int RESET_LATENCY = 9;
  // groups between the two halves: a whole vector gathers while the candidate's unit works on another
  localparam int CARRY = 5 * GROUPS + 32;

  // old states wait while a vector gathers, another is worked on, and others are in the pipeline
  localparam int PIPELINE = 16 + (SIMD + CHAINS_H - 1) / CHAINS_H + $clog2(CHAINS_H);
  localparam int HOLD = SF * ((PIPELINE + NF * SF - 1) / (NF * SF) + 2);

  gru_ring #(
      .INPUTS(INPUTS), .STEPS(STEPS), .LANES(LANES), .HAS_INITIAL(HAS_INITIAL), .SEQUENCE(SEQUENCE),
      .STATE_MEMORY(STATE_MEMORY), .STATE_ROW(STATE_ROW), .STATE_BANK(STATE_BANK), .PARK(PARK),
      .SIMD(SIMD), .CELL(CELL), .SF(SF), .HOLD(HOLD), .GROUPS(GROUPS), .XSIMD(XSIMD), .XBITS(XBITS),
      .XSIGNED(XSIGNED), .HBITS(HBITS), .WXBITS(WXBITS), .XACC(XACC), .CHAINS(CHAINS_X),
      .PACK_SHIFT(PACK_SHIFT_X), .PACK_HIGH(PACK_HIGH_X), .SINGLE_DSP(SINGLE_DSP_X),
      .W_LATENCY(W_LATENCY_X), .WXADDRS(WXADDRS), .WXWIDTH(WXWIDTH)
  ) u_ring (
      .clk(clk), .rst_n(rst_n),
      .x_dat(x_dat), .x_vld(x_vld), .x_rdy(x_rdy),
      .init_dat(init_dat), .init_vld(init_vld), .init_rdy(init_rdy), .wx_addr(wx_addr), .wx_dat(wx_dat),
      .word_dat(word_dat), .word_vld(word_vld), .word_rdy(word_rdy),
      .x_sum(x_sum), .hold(hold), .operands_vld(operands_vld), .take(enter), .bias_addr(bias_addr),
      .state_dat(new_dat), .state_vld(new_vld), .state_rdy(new_rdy),
      .odat(odat), .ovld(ovld), .ordy(ordy)
  );

  matrix_vector #(
      .UNITS(PE), .GATES(2), .SIMD(SIMD), .NF(NF), .SF(SF), .CELL(CELL), .WBITS(WHBITS), .ABITS(HBITS),
      .ACC_BITS(HACC), .CHAINS(CHAINS_H), .PACK_SHIFT(PACK_SHIFT_H), .PACK_HIGH(PACK_HIGH_H),
      .SINGLE_DSP(SINGLE_DSP_H), .W_LATENCY(W_LATENCY_H)
  ) u_recurrent (
      .clk(clk), .rst_n(rst_n),
      .idat(word_dat), .ivld(word_vld), .irdy(word_rdy), .waddr(wh_addr), .wdat(wh_dat),
      .odat(v), .ovld(v_vld), .ordy(enter)
  );

  assign enter = v_vld && operands_vld && reset_enough && carry_enough;
  for (genvar c = 0; c < CELL; c++) begin : gen_reset
    gru_unit_reset #(
        .HACC(HACC), .XACC(XACC), .BIAS(BIAS), .HALIGN(HALIGN), .XALIGN(XALIGN), .SUM(SUM), .PBITS(PBITS),
        .P_SHIFT(P_SHIFT), .HBITS(HBITS), .GBITS(GBITS), .GFRAC(GFRAC), .STATE_NARROW(STATE_NARROW), .DSP(CELL_DSP)
    ) u_unit (
        .clk(clk), .v(v[c]), .u(x_sum[c]), .h(hold[c]), .bias(bias_dat[c]),
        .gate_addr(gate_addr[c]), .gate_dat(gate_dat[c]),
        .rh(reset_in[c]), .z(carry_in[c].z), .h_out(carry_in[c].h), .u_n(carry_in[c].u)
    );
  end

  // ---- r*h to the candidate's product; z, h and the input part wait for it beside
  pipeline_out #(.WIDTH(CELL * HBITS), .LATENCY(RESET_LATENCY)) u_reset (
      .clk(clk), .rst_n(rst_n), .enter(enter), .enough(reset_enough), .idat(reset_in),
      .odat(reset_dat), .ovld(reset_vld), .ordy(reset_rdy)
  );
  pipeline_out #(.WIDTH($bits(carry_in)), .LATENCY(RESET_LATENCY), .PLACES(CARRY)) u_carry (
      .clk(clk), .rst_n(rst_n), .enter(enter), .enough(carry_enough), .idat(carry_in),
      .odat(carry), .ovld(carry_vld), .ordy(enter_n)
  );
  stream_widen #(.WIDTH(CELL * HBITS), .FACTOR(SIMD / CELL)) u_widen (
      .clk(clk), .rst_n(rst_n),
      .idat(reset_dat), .ivld(reset_vld), .irdy(reset_rdy),
      .odat(gather_dat), .ovld(gather_vld), .ordy(gather_rdy)
  );
  stream_fifo #(.WIDTH(SIMD * HBITS), .DEPTH(2 * SF)) u_gather (
      .clk(clk), .rst_n(rst_n),
      .idat(gather_dat), .ivld(gather_vld), .irdy(gather_rdy),
      .odat(wide_dat), .ovld(wide_vld), .ordy(wide_rdy)
  );
  matrix_vector #(
      .UNITS(PE), .GATES(1), .SIMD(SIMD), .NF(NF), .SF(SF), .CELL(CELL), .WBITS(WHBITS), .ABITS(HBITS),
      .ACC_BITS(HACC), .CHAINS(CHAINS_H), .PACK_SHIFT(PACK_SHIFT_H), .PACK_HIGH(PACK_HIGH_H),
      .SINGLE_DSP(SINGLE_DSP_H), .W_LATENCY(W_LATENCY_H)
  ) u_candidate (
      .clk(clk), .rst_n(rst_n),
      .idat(wide_dat), .ivld(wide_vld), .irdy(wide_rdy), .waddr(wn_addr), .wdat(wn_dat),
      .odat(vn), .ovld(vn_vld), .ordy(enter_n)
  );

  assign enter_n = vn_vld && carry_vld && enough;
  for (genvar c = 0; c < CELL; c++) begin : gen_candidate
    gru_unit_candidate #(
        .HACC(HACC), .HALIGN(HALIGN), .SUM(SUM), .PBITS(PBITS), .P_SHIFT(P_SHIFT), .HBITS(HBITS),
        .CBITS(CBITS), .GBITS(GBITS), .GFRAC(GFRAC), .HSHIFT(HSHIFT), .NSHIFT(NSHIFT),
        .STATE_SHIFT(STATE_SHIFT), .STATE_NARROW(STATE_NARROW), .DSP(CELL_DSP)
    ) u_unit (
        .clk(clk), .v(vn[c]), .u_n(carry[c].u), .z(carry[c].z), .h(carry[c].h),
        .cand_addr(cand_addr[c]), .cand_dat(cand_dat[c]), .odat(cell_dat[c])
    );
  end
  pipeline_out #(.WIDTH(CELL * HBITS), .LATENCY(10)) u_pipeline (
      .clk(clk), .rst_n(rst_n), .enter(enter_n), .enough(enough), .idat(cell_dat),
      .odat(new_dat), .ovld(new_vld), .ordy(new_rdy)
  );
endmodule
