# SPDX-License-Identifier: BSD-3-Clause
"""The parts of the ring by themselves: order of states, products of a matrix, under stalls and resets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import Multiplier, StreamPort
from finn_flirnn.codegen.systolic import mac_array
from finn_flirnn.numerics import Codes, Format
from finn_flirnn.numerics.gru import matvec
from finn_flirnn.sim import VerilatedModel, build_model, simulate
from tests.rtl.harness import bench, raw, run, settings, stream_model, wrap

BITS, SIMD, CELL, SF, STEPS, LANES, GROUPS = 5, 4, 2, 3, 4, 3, 6
STALLS = (0.0, 0.5, 0.9)
RESETS = (None, 1, 30, 77)


def _source(directory: Path, initial: bool) -> VerilatedModel:
    parameters = {
        "HBITS": BITS, "SIMD": SIMD, "CELL": CELL, "SF": SF, "STEPS": STEPS, "LANES": LANES,
        "HAS_INITIAL": int(initial),
    }  # fmt: skip
    ring = StreamPort("in0_V", SIMD, raw(BITS))
    init = [StreamPort("in1_V", CELL, raw(BITS))] if initial else []
    given = ".init_dat(in1_V_dat), .init_vld(in1_V_TVALID), .init_rdy(in1_V_TREADY)"
    no_stream = "logic no_rdy, unused_rdy; assign unused_rdy = &{1'b0, no_rdy};"
    none = ".init_dat('0), .init_vld(1'b0), .init_rdy(no_rdy)"
    body = f"""  {"" if initial else no_stream}
  gru_source #({settings(parameters)}) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), {given if initial else none},
      .ring_dat(in0_V_dat), .ring_vld(in0_V_TVALID), .ring_rdy(in0_V_TREADY),
      .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    return wrap(directory, "t_source", [ring, *init], [StreamPort("out0_V", SIMD, raw(BITS))], body)


@pytest.mark.parametrize("initial", [False, True])
def test_source_starts_each_group_anew_and_then_takes_the_ring(tmp_path: Path, initial: bool) -> None:
    rng = np.random.default_rng(1)
    groups = 5
    start = rng.integers(0, 1 << BITS, (groups, 1, LANES * SF, SIMD)) * int(initial)
    ring = rng.integers(0, 1 << BITS, (groups, STEPS - 1, LANES * SF, SIMD))
    expected = np.concatenate([start, ring], axis=1).reshape(-1, SIMD)
    inputs = {"in0_V": ring.reshape(-1, SIMD)}
    if initial:
        inputs["in1_V"] = start.reshape(-1, CELL)
    model = _source(tmp_path, initial)
    for stalls in STALLS:
        for reset_at in RESETS:
            given = simulate(
                model, inputs, {"out0_V": len(expected)}, stalls=stalls, reset_at=reset_at, exact=initial
            )
            assert (given.outputs["out0_V"] == expected).all()


@pytest.mark.parametrize("sequence", [False, True])
def test_sink_ends_each_group_and_keeps_the_states_of_all_lanes(tmp_path: Path, sequence: bool) -> None:
    parameters = {
        "HBITS": BITS, "SIMD": SIMD, "CELL": CELL, "SF": SF, "GROUPS": GROUPS, "STEPS": STEPS,
        "LANES": LANES, "SEQUENCE": int(sequence),
    }  # fmt: skip
    body = f"""  gru_sink #({settings(parameters)}) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .ring_dat(out0_V_dat), .ring_vld(out0_V_TVALID), .ring_rdy(out0_V_TREADY),
      .odat(out1_V_dat), .ovld(out1_V_TVALID), .ordy(out1_V_TREADY));"""
    model = wrap(
        tmp_path,
        "t_sink",
        [StreamPort("in0_V", CELL, raw(BITS))],
        [StreamPort("out0_V", SIMD, raw(BITS)), StreamPort("out1_V", CELL, raw(BITS))],
        body,
    )
    states = np.random.default_rng(2).integers(0, 1 << BITS, (5, STEPS, LANES * GROUPS, CELL))
    ring = states[:, :-1].reshape(-1, SIMD)
    out = (states if sequence else states[:, -1:]).reshape(-1, CELL)
    for stalls in STALLS:
        for reset_at in RESETS:
            given = simulate(
                model,
                {"in0_V": states.reshape(-1, CELL)},
                {"out0_V": len(ring), "out1_V": len(out)},
                stalls=stalls,
                reset_at=reset_at,
            )
            assert (given.outputs["out0_V"] == ring).all()
            assert (given.outputs["out1_V"] == out).all()


def test_hold_keeps_the_order_of_units(tmp_path: Path) -> None:
    source, target = StreamPort("in0_V", SIMD, raw(BITS)), StreamPort("out0_V", CELL, raw(BITS))
    parameters = {"HBITS": BITS, "SIMD": SIMD, "CELL": CELL, "DEPTH": 5}
    model = stream_model(tmp_path, "gru_hold", parameters, source, target)
    words = np.random.default_rng(3).integers(0, 1 << BITS, (200, SIMD))
    for stalls in STALLS:
        assert (run(model, words, 400, stalls) == words.reshape(-1, CELL)).all()


NARROW, WIDE = Format(8, 0, narrow=True), Format(8, 0)


@pytest.mark.parametrize(
    ("shape", "rows", "columns", "multiplier", "weight_format", "operand_format"),
    [
        ((4, 3, 2, 4), 8, 8, Multiplier.DSP48E2, WIDE, WIDE),
        ((3, 1, 1, 2), 9, 6, Multiplier.DSP48E2, WIDE, WIDE),  # two units a slice, and one left over
        ((4, 3, 1, 4), 4, 16, Multiplier.DSP48E2, NARROW, NARROW),  # three rows a unit: two units a slice
        ((6, 2, 6, 6), 6, 6, Multiplier.DSP48E1, WIDE, WIDE),  # one fold of one word, several chains
        ((2, 2, 2, 7), 4, 14, Multiplier.DSP48E1, NARROW, NARROW),  # chains of four and of three
        ((2, 1, 2, 19), 2, 19, Multiplier.DSP48E2, NARROW, NARROW),  # two chains of ten and nine
        ((3, 1, 3, 16), 3, 32, Multiplier.DSP48E2, NARROW, NARROW),  # the longest chain, an odd row in LUTs
        ((2, 2, 2, 5), 2, 5, Multiplier.DSP48E2, Format(4, 0), Format(11, 0)),
        ((2, 2, 2, 17), 2, 17, Multiplier.DSP48E2, Format(2, 0), Format(18, 0)),  # all 48 bits
        ((2, 3, 2, 8), 4, 8, Multiplier.MULT18, WIDE, WIDE),  # one product a multiplier
        ((2, 2, 2, 8), 2, 8, Multiplier.MULT18, Format(4, 0, narrow=True), NARROW),  # two
        ((1, 1, 1, 1), 140, 7, Multiplier.DSP48E2, WIDE, WIDE),  # weights in block RAM
    ],
)
def test_matrix_vector_unit_multiplies(
    tmp_path: Path,
    shape: tuple[int, int, int, int],
    rows: int,
    columns: int,
    multiplier: Multiplier,
    weight_format: Format,
    operand_format: Format,
) -> None:
    units, gates, cell, simd = shape
    rng = np.random.default_rng(4)
    weight = _codes(rng, weight_format, (rows * gates, columns))  # a unit's gates side by side
    weight[::4] = weight[5::8] = weight_format.min_code
    weight[1::8] = weight_format.max_code
    array = mac_array(multiplier, weight_format, operand_format, shape, rows // units, columns // simd)
    rom = array.weights("t_weights", weight)
    acc = weight_format.bits + operand_format.bits + (columns - 1).bit_length()
    parameters = {
        "UNITS": units, "GATES": gates, "SIMD": simd, "NF": rows // units, "SF": columns // simd,
        "CELL": cell, "WBITS": weight_format.bits, "ABITS": operand_format.bits, "ACC_BITS": acc,
        **array.parameters(),
    }  # fmt: skip
    body = f"""  logic [{rom.address_width - 1}:0] address;
  logic [{rom.width - 1}:0] weights;
  t_weights u_weights (.clk(ap_clk), .addr(address), .dat(weights));
  matrix_vector #({settings(parameters)}) u_it (
      .clk(ap_clk), .rst_n(ap_rst_n), .idat(in0_V_dat), .ivld(in0_V_TVALID), .irdy(in0_V_TREADY),
      .waddr(address), .wdat(weights), .odat(out0_V_dat), .ovld(out0_V_TVALID), .ordy(out0_V_TREADY));"""
    source = StreamPort("in0_V", simd, operand_format)
    target = StreamPort("out0_V", cell * gates, Format(acc, 0))
    model = build_model(bench(tmp_path, "t_matrix_vector", [source], [target], body, rom, multiplier))
    vectors = _codes(rng, operand_format, (120, columns))
    vectors[:8] = operand_format.min_code
    vectors[8:16] = operand_format.max_code
    expected = matvec(weight, vectors).reshape(-1, cell * gates)
    for stalls in STALLS:
        for reset_at in RESETS:
            given = simulate(
                model, {"in0_V": vectors.reshape(-1, simd)}, {"out0_V": len(expected)},
                stalls=stalls, reset_at=reset_at,
            )  # fmt: skip
            assert (given.outputs["out0_V"] == expected).all()


def _codes(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> Codes:
    return rng.integers(form.min_code, form.max_code + 1, shape)
