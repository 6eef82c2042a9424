# SPDX-License-Identifier: BSD-3-Clause
"""Two products a multiplier: exact for every pair of weights and every operand of 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import Multiplier, StreamPort
from finn_flirnn.codegen.multiplier import choose_packing
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.sim import build_model, simulate
from tests.rtl.harness import bench, raw

OPERAND = Format(8, 0)
LATENCY = 3

# One transfer in, a lower weight; one out, the wrong products with all upper weights and operands.
BODY = """  logic busy, done;
  logic [16:0] count;
  logic [31:0] wrong;
  logic signed [7:0] w0, w1, a;
  logic [UPPER-1:0] upper;
  logic [1:0][15:0] given, expected, expected_q;
  logic valid, valid_q;
  assign w1 = count[15:8];
  assign a = count[7:0];
  assign upper = UPPER'(w1) - UPPER'(w0[7]);
  assign expected = {16'(w1 * a), 16'(w0 * a)};
  assign valid = busy && !count[16] && !(NARROW && (w0 == -128 || w1 == -128));
  mac_rows #(
      .ROWS(2), .SIMD(1), .WBITS(8), .ABITS(8), .SHIFT(FIELD), .HIGH(UPPER)
  ) u_it (.clk(ap_clk), .weight({upper, w0}), .operand(a), .odat(given));
  delay #(.WIDTH(33), .CYCLES(LATENCY)) u_expected (
      .clk(ap_clk), .idat({valid, expected}), .odat({valid_q, expected_q}));
  assign done = busy && count == 17'd65536 + 17'(LATENCY);
  assign in0_V_TREADY = !busy;
  assign out0_V_TVALID = done;
  assign out0_V_dat = wrong;
  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) busy <= 1'b0;
    else if (!busy) busy <= in0_V_TVALID;
    else if (done && out0_V_TREADY) busy <= 1'b0;
    if (!busy) begin
      w0 <= in0_V_dat;
      count <= '0;
      wrong <= '0;
    end else if (!done) begin
      count <= count + 1'b1;
      if (valid_q && given != expected_q) wrong <= wrong + 1'b1;
    end
  end
"""


def _wrong_products(directory: Path, multiplier: Multiplier, shift: int, high: int, narrow: bool) -> Codes:
    """Wrong results by lower weight, through all upper weights and operands."""
    sizes = f"""  localparam int LATENCY = {LATENCY};
  localparam int FIELD = {shift};
  localparam int UPPER = {high};
  localparam bit NARROW = 1'b{int(narrow)};
"""
    source, target = StreamPort("in0_V", 1, raw(8)), StreamPort("out0_V", 1, raw(32))
    model = build_model(bench(directory, "t_all", [source], [target], sizes + BODY, multiplier=multiplier))
    given = simulate(model, {"in0_V": np.arange(256)[:, None]}, {"out0_V": 256})
    assert given.cycles > 1 << 24
    return given.outputs["out0_V"][:, 0]


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("multiplier", [Multiplier.DSP48E2, Multiplier.DSP48E1])
def test_both_products_of_a_multiplier_are_exact_for_all_8_bit_operands(
    tmp_path: Path, multiplier: Multiplier, narrow: bool
) -> None:
    packing = choose_packing(multiplier, Format(8, 0, narrow=narrow), OPERAND, simd=1)
    assert packing.active
    assert (_wrong_products(tmp_path, multiplier, packing.shift, packing.high, narrow) == 0).all()


def test_a_field_one_bit_too_narrow_is_wrong_for_the_greatest_product_only(tmp_path: Path) -> None:
    wrong = _wrong_products(tmp_path, Multiplier.DSP48E2, 15, 9, narrow=False)
    assert wrong[128] == 256  # weight -128, operand -128, every upper weight
    assert wrong.sum() == 256
