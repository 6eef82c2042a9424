# SPDX-License-Identifier: BSD-3-Clause
"""The steps of a build, in order. A step's module is imported when it runs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from finn_flirnn.build.pipeline import Step

HARDWARE = (
    "board",
    "clock_mhz",
    "lanes",
    "decoder_lanes",
    "order",
    "folding",
    "unroll",
    "copies",
    "runtime_weights",
)


def _step(name: str, after: tuple[str, ...], settings: tuple[str, ...], purpose: str) -> Step:
    def run(context: Any) -> None:
        import_module(f"{__name__}.{name}").run(context)

    return Step(name, run, after, settings, purpose)


STEPS = (
    _step("model", (), ("model",), "trained model to QONNX and to the integer oracle"),
    _step("software", ("model",), ("verification", "accuracy"), "QONNX = oracle = Brevitas, code by code"),
    _step("convert", ("model",), HARDWARE, "QONNX to hardware layers in FINN"),
    _step("rtl", ("model", "convert"), (*HARDWARE, "synthesis"), "SystemVerilog of the layers, stitched"),
    _step(
        "verify_rtl",
        ("model", "rtl"),
        (*HARDWARE, "synthesis", "verification", "accuracy"),
        "simulated hardware = oracle; cycles counted",
    ),
    _step(
        "synthesis", ("model", "rtl"), (*HARDWARE, "synthesis", "link"), "area and delay by Yosys, nextpnr"
    ),
    _step("estimate", ("convert", "rtl", "verify_rtl", "synthesis"), HARDWARE, "estimates and their errors"),
    _step("accuracy", ("model", "verify_rtl"), ("accuracy", "verification"), "models and fit against truth"),
    _step("ip", ("model", "rtl"), ("name", *HARDWARE), "Tcl that packages Vivado IP with its registers"),
    _step(
        "bitfile",
        ("model", "convert", "rtl", "synthesis"),
        ("name", "flow", *HARDWARE),
        "bitstream, where its tools are there",
    ),
    _step(
        "deploy",
        ("model", "rtl", "verify_rtl", "bitfile"),
        ("name", *HARDWARE, "accuracy", "verification", "link"),
        "driver package for the board",
    ),
    _step("verify_netlist", ("synthesis", "deploy"), ("board",), "the bitstream's netlist = oracle"),
    _step(
        "report",
        (
            "model",
            "software",
            "verify_rtl",
            "synthesis",
            "estimate",
            "accuracy",
            "bitfile",
            "deploy",
            "verify_netlist",
        ),
        ("name", "flow", *HARDWARE, "verification", "accuracy", "synthesis"),
        "report/index.html",
    ),
)
