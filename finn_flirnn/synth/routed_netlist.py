# SPDX-License-Identifier: BSD-3-Clause
"""nextpnr's routed netlist of an ECP5 with nothing left unsaid, so that models of its cells can be put in.

nextpnr leaves an input that needs no wire unconnected, and states in a parameter ``<pin>MUX`` what the device
makes of it: a constant, the pin, or its inverse. A pin without a wire is high, so inverted it is low.
Source: nextpnr, ecp5/pack.cc and bitstream.cc.
"""

from __future__ import annotations

from typing import Any

from finn_flirnn.synth.yosys import SynthesisError

Json = dict[str, Any]
FLIP_FLOP = "TRELLIS_FF"
"""Yosys' model of it knows the MUX parameters itself."""
COMB = "TRELLIS_COMB"
MUX = "MUX"
NO_PIN = ("DATAMUX_ODDR", "DATAMUX_MDDR", "WREMUX", "WCKMUX")
"""Parameters that are no constant's: the models look at them."""


def explicit(module: Json) -> Json:
    """A module of ``PlacementReport.routed`` with constants where nextpnr has left inputs unconnected.

    Raises SynthesisError for an inverted pin that has a wire: no model is made for it.
    """
    return {**module, "cells": {name: _cell(name, cell) for name, cell in module["cells"].items()}}


def _cell(name: str, cell: Json) -> Json:
    parameters, wires = dict(cell["parameters"]), cell["connections"]
    inputs = [port for port, way in cell["port_directions"].items() if way == "input"]
    if cell["type"] == FLIP_FLOP:
        # a data pin each for what comes from the LUT beside it and from elsewhere; no wire resets nothing
        data = wires["M" if parameters.pop("SD").strip() == "0" else "DI"]
        wires = {**wires, "DI": data, "M": ["0"], "LSR": wires.get("LSR") or ["0"]}
        return {**cell, "parameters": parameters, "connections": wires}
    # the multiplexer beside a LUT takes two others' outputs, or those of two LUTs
    if cell["type"] == COMB and wires.get("FXA"):
        parameters["IS_Z1"] = "1"
    tied = {port: _level(name, port, wires[port], parameters.get(port + MUX, port)) for port in inputs}
    if cell["type"] != COMB:  # what has neither wire nor setting, the cell's mode does not use
        tied = {port: level for port, level in tied.items() if wires[port] or port + MUX in parameters}
        wires = {port: wire for port, wire in wires.items() if wire}
    kept = {key: value for key, value in parameters.items() if not key.endswith(MUX) or key in NO_PIN}
    return {**cell, "parameters": kept, "connections": {**wires, **tied}}


def _level(name: str, port: str, wire: list[int | str], setting: str) -> list[int | str]:
    setting = setting.strip()  # Yosys' JSON ends a text of digits with a space
    if setting in ("0", "1"):
        return [setting]
    if setting == port:
        return wire or ["1"]
    if setting == "INV" and not wire:
        return ["0"]
    raise SynthesisError(f"{name}: pin {port} must be taken as it is, but {setting} has no model; add one")
