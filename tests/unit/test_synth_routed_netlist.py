# SPDX-License-Identifier: BSD-3-Clause
"""What nextpnr leaves unsaid in a routed netlist is said, and what has no model is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.synth import SynthesisError
from finn_flirnn.synth.flat_netlist import flat_netlist
from finn_flirnn.synth.routed_netlist import explicit


def cell(kind: str, wires: dict[str, list[int]], **parameters: str) -> dict[str, Any]:
    ways = {port: "output" if port in ("F", "Q", "P0") else "input" for port in wires}
    return {"type": kind, "parameters": parameters, "port_directions": ways, "connections": wires}


def made_explicit(given: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = explicit({"cells": {"u": given}})["cells"]["u"]
    return result


def test_input_of_a_lut_without_a_wire_is_high() -> None:
    found = made_explicit(cell("TRELLIS_COMB", {"A": [5], "B": [], "F": [6]}))
    assert found["connections"] == {"A": [5], "B": ["1"], "F": [6]}


def test_wide_multiplexer_is_known_by_its_wires() -> None:
    found = made_explicit(cell("TRELLIS_COMB", {"FXA": [5], "FXB": [7], "F": []}))
    assert found["parameters"] == {"IS_Z1": "1"}


@pytest.mark.parametrize(("setting", "level"), [("0 ", "0"), ("1 ", "1"), ("INV", "0"), ("A0", "1")])
def test_setting_of_a_pin_without_a_wire_becomes_a_constant(setting: str, level: str) -> None:
    found = made_explicit(cell("MULT18X18D", {"A0": [], "P0": [6]}, A0MUX=setting))
    assert found["connections"] == {"A0": [level], "P0": [6]}
    assert found["parameters"] == {}


def test_pin_with_neither_wire_nor_setting_is_left_out() -> None:
    assert made_explicit(cell("MULT18X18D", {"CLK0": [], "P0": [6]}))["connections"] == {"P0": [6]}


@pytest.mark.parametrize(("source", "wire"), [("0 ", 5), ("1 ", 7)])
def test_flip_flop_takes_its_data_from_the_pin_that_is_selected(source: str, wire: int) -> None:
    found = made_explicit(cell("TRELLIS_FF", {"M": [5], "DI": [7], "LSR": [], "Q": [6]}, SD=source))
    assert found["connections"] == {"M": ["0"], "DI": [wire], "LSR": ["0"], "Q": [6]}


def test_inverted_pin_with_a_wire_is_refused() -> None:
    with pytest.raises(SynthesisError, match="u: pin CEA must be taken as it is, but INV has no model"):
        made_explicit(cell("DP16KD", {"CEA": [5]}, CEAMUX="INV"))


def test_netlist_of_another_module_is_refused(tmp_path: Path) -> None:
    netlist = tmp_path / "other.json"
    netlist.write_text(json.dumps({"creator": "Yosys", "modules": {"other": {}}}))
    with pytest.raises(SynthesisError, match="must hold module ulx3s, but has other"):
        flat_netlist(netlist, "ulx3s", tmp_path)
