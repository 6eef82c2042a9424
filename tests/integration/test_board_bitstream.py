# SPDX-License-Identifier: BSD-3-Clause
"""A small network becomes a bitstream for the ULX3S, by open tools."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from finn_flirnn.build.board_files import CONSTRAINTS, NETLIST, load_board
from finn_flirnn.synth import pack_bitstream, place_and_route, synthesise
from tests.fakes.small_board import PRESET, SETTINGS, make_build

FAKES = Path(__file__).parents[1] / "fakes"


def test_small_network_becomes_a_bitstream_that_meets_its_clock(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        network = importlib.import_module("oracle_engine").small_network(PRESET.gates)
    board = make_build(tmp_path, network).output / "board"
    top, _ = load_board(board)
    report = synthesise(top, "ecp5", netlist=board / NETLIST)
    placed = place_and_route(
        board / NETLIST, tmp_path / "routed", clock_mhz=25, constraints=board / CONSTRAINTS
    )
    core = next(clock for name, clock in placed.clocks.items() if name != "clk_25mhz")
    assert core.achieved_mhz > core.required_mhz == SETTINGS.clock_hz / 1e6
    assert placed.utilisation["EHXPLLL"].used == 1
    assert placed.utilisation["TRELLIS_IO"].used == 13
    assert placed.utilisation["MULT18X18D"].used == report.dsp
    bits = pack_bitstream(placed.config, tmp_path / "small.bit").read_bytes()
    assert b"Part: LFE5U-85F-6CABGA381" in bits[:200]
