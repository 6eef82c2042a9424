# SPDX-License-Identifier: BSD-3-Clause
"""The multiply-accumulate cell: every variant adds the same exact products, and so do vendor models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import Multiplier, RtlModule, StreamPort
from finn_flirnn.numerics import Codes
from finn_flirnn.rtl import library_sources
from finn_flirnn.sim import LintError, VerilatedModel, build_model
from finn_flirnn.synth import netlist
from finn_flirnn.synth.yosys import yosys_share
from tests.rtl.harness import bench, fields, raw, run

CELLS = 3
SUM_BITS = 48
START = 1 << 40
LATENCY = 3

BENCH = f"""  logic enter, enough;
  logic [{CELLS - 1}:0][47:0] carried, totals;
  logic unused_cells;
  assign in0_V_TREADY = enough;
  assign enter = in0_V_TVALID && enough;
  for (genvar i = 0; i < {CELLS}; i++) begin : gen_cell
    logic signed [ABITS-1:0] a;
    logic signed [BBITS-1:0] b;
    logic [47:0] carry;
    if (i == 0) begin : gen_first
      assign carry = '0;
    end else begin : gen_next
      assign carry = carried[i-1];
    end
    delay #(.WIDTH(ABITS), .CYCLES(i)) u_a (
        .clk(ap_clk), .idat(in0_V_dat[i*(ABITS+BBITS)+:ABITS]), .odat(a));
    delay #(.WIDTH(BBITS), .CYCLES(i)) u_b (
        .clk(ap_clk), .idat(in0_V_dat[i*(ABITS+BBITS)+ABITS+:BBITS]), .odat(b));
    dsp_mac #(
        .A_BITS(ABITS), .B_BITS(BBITS), .SUM_BITS({SUM_BITS}), .CASCADE(i > 0),
        .START((i == 0) ? 48'd{START} : '0)
    ) u_mac (.clk(ap_clk), .a(a), .b(b), .pcin(carry), .pcout(carried[i]), .p(totals[i]));
  end
  assign unused_cells = &{{1'b0, carried, totals}};
  pipeline_out #(.WIDTH({SUM_BITS}), .LATENCY({LATENCY + CELLS - 1})) u_out (
      .clk(ap_clk), .rst_n(ap_rst_n), .enter(enter), .enough(enough), .idat(totals[{CELLS - 1}]),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));
"""


def _chain(
    directory: Path, multiplier: Multiplier, a_bits: int, b_bits: int, cell: str = "dsp_mac"
) -> RtlModule:
    """Three cells in cascade behind a stream of operands."""
    body = BENCH.replace("dsp_mac", cell).replace("ABITS", str(a_bits)).replace("BBITS", str(b_bits))
    source = StreamPort("in0_V", CELLS * (a_bits + b_bits), raw(1))
    target = StreamPort("out0_V", 2, raw(SUM_BITS // 2))
    return bench(directory, "t_chain", [source], [target], body, multiplier=multiplier)


def _operands(bits: int) -> Codes:
    """(2000, CELLS) random codes, every third an extreme one."""
    rng = np.random.default_rng(bits)
    codes = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (2000, CELLS))
    extremes = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1, -1, 0]
    codes[::3] = rng.choice(extremes, codes[::3].shape)
    codes[:8] = extremes[0]
    return codes


def _check(model: VerilatedModel, a_bits: int, b_bits: int) -> None:
    a, b = _operands(a_bits), _operands(b_bits)
    columns = [(codes[:, i], bits) for i in range(CELLS) for codes, bits in ((a, a_bits), (b, b_bits))]
    given = run(model, fields(columns), len(a), stalls=0.2)
    expected = START + (a * b).sum(axis=1)
    assert ((given[:, 1] << (SUM_BITS // 2)) + given[:, 0] == expected % (1 << SUM_BITS)).all()


@pytest.mark.parametrize(
    ("multiplier", "a_bits", "b_bits"),
    [
        (Multiplier.DSP48E2, 27, 18),
        (Multiplier.DSP48E2, 9, 5),
        (Multiplier.DSP48E1, 25, 18),
        (Multiplier.DSP48E1, 9, 5),
        (Multiplier.MULT18, 18, 18),
        (Multiplier.MULT18, 9, 5),
    ],
)
def test_every_variant_adds_exact_products_in_cascade(
    tmp_path: Path, multiplier: Multiplier, a_bits: int, b_bits: int
) -> None:
    _check(build_model(_chain(tmp_path, multiplier, a_bits, b_bits)), a_bits, b_bits)


@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 8), (4, 9), (2, 2), (3, 8), (11, 3)])
def test_a_product_in_luts_is_exact_in_cascade(tmp_path: Path, a_bits: int, b_bits: int) -> None:
    module = _chain(tmp_path, Multiplier.DSP48E2, a_bits, b_bits, "lut_mac")
    _check(build_model(module), a_bits, b_bits)


def test_the_7_series_cell_behaves_as_yosys_models_it(tmp_path: Path) -> None:
    module = _chain(tmp_path, Multiplier.DSP48E1, 25, 18)
    theirs = yosys_share() / "xilinx" / "cells_sim.v"
    _check(build_model(replace(module, sources=(theirs, *module.sources)), lint=False), 25, 18)


def test_synthesis_leaves_the_registers_before_a_cell_alone(tmp_path: Path) -> None:
    module = _chain(tmp_path, Multiplier.DSP48E1, 25, 18)
    synthesised = netlist(module, "xc7", tmp_path / "netlist")
    _check(build_model(synthesised, lint=False, optimisation=0), 25, 18)


@pytest.mark.parametrize("cell", ["DSP48E1", "DSP48E2"])
@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        (".AREG(2)", "only registers A, B, M and P"),
        ('.USE_SIMD("TWO24")', "only the plain multiplier"),
        (".IS_CLK_INVERTED(1'b1)", "no inversion"),
    ],
)
def test_an_attribute_without_model_stops_the_elaboration(
    tmp_path: Path, cell: str, attribute: str, message: str
) -> None:
    variant = cell.lower()
    text = next(path for path in library_sources(variant) if path.parent.name == variant).read_text()
    changed = tmp_path / "dsp_mac.sv"
    changed.write_text(text.replace(".AREG(1)", attribute))
    ports = tuple((StreamPort(name, 1, raw(8)),) for name in ("in0_V", "out0_V"))
    with pytest.raises(LintError, match=message):
        build_model(RtlModule("dsp_mac", tmp_path, (changed,), (), *ports))
