# SPDX-License-Identifier: BSD-3-Clause
"""A small network becomes a bitstream for the ULX3S; its netlists are simulated, whole and over the pins."""

from __future__ import annotations

import gzip
import importlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from finn_flirnn.build import simulated_link
from finn_flirnn.build.board_files import CONSTRAINTS, NETLIST, ROUTED, load_board
from finn_flirnn.build.boards import board
from finn_flirnn.build.errors import MismatchError, StepSkipped
from finn_flirnn.build.steps import verify_netlist
from finn_flirnn.codegen.ulx3s import TOP
from finn_flirnn.synth import PlacementReport, pack_bitstream, place_and_route, synthesise
from tests.fakes.small_board import PIXELS, PRESET, SETTINGS, make_build

FAKES = Path(__file__).parents[1] / "fakes"


@dataclass(frozen=True)
class Built:
    """Output folder of a small build for the ULX3S, and what the tools reported of it."""

    output: Path
    dsp: int
    placed: PlacementReport


@pytest.fixture(autouse=True)
def quickly_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small board's few cycles are run sooner than its netlist is optimised."""
    monkeypatch.setattr(simulated_link, "NETLIST_OPTIMISATION", 0)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FAKES)
        network = importlib.import_module("oracle_engine").small_network(PRESET.gates)
    output = make_build(tmp_path_factory.mktemp("build"), network).output
    board, scratch = output / "board", output / "nextpnr"
    top, _ = load_board(board)
    report = synthesise(top, "ecp5", netlist=board / NETLIST)
    placed = place_and_route(board / NETLIST, scratch, clock_mhz=25, constraints=board / CONSTRAINTS)
    (board / ROUTED).write_bytes(gzip.compress(placed.routed.read_bytes(), mtime=0))
    return Built(output, report.dsp, placed)


def test_small_network_becomes_a_bitstream_that_meets_its_clock(built: Built, tmp_path: Path) -> None:
    placed = built.placed
    core = next(clock for name, clock in placed.clocks.items() if name != "clk_25mhz")
    assert core.achieved_mhz > core.required_mhz == SETTINGS.clock_hz / 1e6
    assert placed.utilisation["EHXPLLL"].used == 1
    assert placed.utilisation["TRELLIS_IO"].used == 13
    assert placed.utilisation["MULT18X18D"].used == built.dsp
    bits = pack_bitstream(placed.config, tmp_path / "small.bit").read_bytes()
    assert b"Part: LFE5U-85F-6CABGA381" in bits[:200]


def verify(output: Path, results: Path, name: str = "ULX3S") -> None:
    """Run the step on a build; its part goes below ``results``."""

    def make(path: str) -> Path:
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        return results / path

    config = SimpleNamespace(target=board(name))
    verify_netlist.run(
        SimpleNamespace(config=config, output=output, make=make, tell=lambda text: None)  # type: ignore[arg-type]
    )


def stages(results: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((results / "report/parts/verified_netlist.json").read_text())[
        "stages"
    ]
    return found


def test_netlist_gives_the_oracles_codes_before_and_after_routing(built: Built, tmp_path: Path) -> None:
    verify(built.output, tmp_path)
    found = stages(tmp_path)
    assert [(stage["name"], stage["sequences"], stage["mismatches"]) for stage in found] == [
        ("netlist", PIXELS, 0),
        ("routed", PIXELS, 0),
    ]
    # place and route changes no cycle
    assert len({(stage["codes"], stage["cycles"]) for stage in found}) == 1
    assert found[0]["codes"] == PIXELS * PRESET.gates * 3


def test_two_exchanged_wires_of_a_multiplier_fail_the_step(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    shutil.copytree(built.output, output)
    design = json.loads((output / "board" / NETLIST).read_text())
    cells = design["modules"][TOP]["cells"].values()
    wires = next(c for c in cells if c["type"] == "MULT18X18D")["connections"]
    wires["P5"], wires["P6"] = wires["P6"], wires["P5"]
    (output / "board" / NETLIST).write_text(json.dumps(design))
    monkeypatch.delitem(verify_netlist.NETLISTS, "routed")  # compiling it again would show nothing more
    with pytest.raises(MismatchError, match=r"expected .*do not load this build's bitstream"):
        verify(output, tmp_path / "results")
    assert stages(tmp_path / "results")[0]["mismatches"] > 0


def test_netlist_of_a_board_of_amd_is_left_to_vivado(tmp_path: Path) -> None:
    with pytest.raises(StepSkipped, match="Vivado makes the netlist"):
        verify(tmp_path, tmp_path, "ZCU104")
