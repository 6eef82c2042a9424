# SPDX-License-Identifier: BSD-3-Clause
"""Proofs with Yosys' own SAT solver: streams wait unchanged, and keep every word, whatever both sides do.

That a waiting word is stable is proved by induction, so for ever; that no word is lost, from reset on for
STEPS cycles in which every FIFO fills, empties and wraps.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from finn_flirnn.rtl import library_sources
from finn_flirnn.synth import SynthesisError
from finn_flirnn.synth.yosys import run_yosys

HERE = Path(__file__).parent
PROPERTIES = (HERE / "credited_pipeline.sv", HERE / "stream_properties.sv")
NEEDED = (
    "successor",
    "round_counter",
    "credits",
    "stream_fifo",
    "stream_widen",
    "stream_narrow",
    "pipeline_out",
)
STEPS = 18
MODULES = {
    "stream_fifo #(.WIDTH(2), .DEPTH(1))": (1, 1),
    "stream_fifo #(.WIDTH(2), .DEPTH(3))": (1, 1),
    "credited_pipeline": (1, 1),
    "stream_widen #(.WIDTH(2), .FACTOR(3))": (1, 3),
    "stream_narrow #(.WIDTH(2), .FACTOR(3))": (3, 1),
}


def prove(directory: Path, module: str, sources: list[Path], stable: bool) -> None:
    """Prove stability by induction, or that elements are kept for STEPS cycles. Raises SynthesisError."""
    given, taken = MODULES[module]
    parameters = {"IN": given, "OUT": taken, "STABLE": int(stable), "KEPT": int(not stable)}
    settings = [word for name, value in parameters.items() for word in ("-set", name, str(value))]
    induction = ["-tempinduct", "-maxsteps", str(STEPS), *([] if stable else ["-tempinduct-baseonly"])]
    commands = [
        ["read_verilog", "-sv", "-formal", f"-DMODULE={module}", *map(str, (*sources, *PROPERTIES))],
        ["chparam", *settings, "stream_properties"],
        ["prep", "-flatten", "-top", "stream_properties"],
        ["memory_map"],
        ["opt", "-full"],
        ["chformal", "-lower"],
        ["sat", "-prove-asserts", "-set-assumes", *induction, "-verify"],
    ]
    run_yosys(commands, directory, timeout_s=300)


def library() -> list[Path]:
    return [path for path in library_sources() if path.stem in NEEDED]


@pytest.mark.parametrize("module", MODULES)
def test_a_word_that_waits_stays_as_it_is(tmp_path: Path, module: str) -> None:
    prove(tmp_path, module, library(), stable=True)


@pytest.mark.parametrize("module", MODULES)
def test_no_word_is_lost_doubled_or_changed(tmp_path: Path, module: str) -> None:
    prove(tmp_path, module, library(), stable=False)


def test_a_fifo_that_takes_a_word_too_many_is_found(tmp_path: Path) -> None:
    good = next(path for path in library() if path.stem == "stream_fifo")
    right, wrong = "assign push = ivld && !full;", "assign push = ivld;"
    text = good.read_text()
    assert right in text
    bad = tmp_path / "stream_fifo.sv"
    bad.write_text(text.replace(right, wrong).replace("assign irdy = !full;", "assign irdy = 1'b1;"))
    sources = [bad if path == good else path for path in library()]
    with pytest.raises(SynthesisError, match="proof did fail"):
        prove(tmp_path, "stream_fifo #(.WIDTH(2), .DEPTH(3))", sources, stable=False)


def test_credits_for_a_place_that_is_not_there_are_found(tmp_path: Path) -> None:
    bad = tmp_path / "pipeline_out.sv"
    good = next(path for path in library() if path.stem == "pipeline_out")
    right = "credits #(.PLACES(PLACES))"
    text = good.read_text()
    assert right in text
    bad.write_text(text.replace(right, "credits #(.PLACES(PLACES + 2))"))
    sources = [bad if path == good else path for path in library()]
    with pytest.raises(SynthesisError, match="proof did fail"):
        prove(tmp_path, "credited_pipeline", sources, stable=False)
