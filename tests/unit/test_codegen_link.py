# SPDX-License-Identifier: BSD-3-Clause
"""The link's settings, the ULX3S' PLL and pins."""

import re
from pathlib import Path

import pytest

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.codegen.link import LinkSettings, emit_link_system
from finn_flirnn.codegen.ulx3s import VCO_MHZ, constraints, emit_ulx3s, pll_for
from finn_flirnn.numerics import Format

SETTINGS = LinkSettings(clock_hz=50_000_000)


@pytest.mark.parametrize("clock_mhz", [25.0, 37.5, 50.0, 62.5, 87.5, 100.0])
def test_pll_gives_exactly_the_clock_within_its_limits(clock_mhz: float) -> None:
    pll = pll_for(clock_mhz)
    assert 25 / pll.clki * pll.clkfb == clock_mhz
    assert VCO_MHZ[0] <= clock_mhz * pll.clkop <= VCO_MHZ[1]
    assert 25 / pll.clki >= 10


def test_clock_that_the_pll_cannot_make_is_refused_with_its_neighbours() -> None:
    with pytest.raises(ValueError, match="choose one of 37.5, 50, 62.5"):
        pll_for(51.0)


def test_every_port_of_the_top_has_a_pin_and_no_pin_is_left_over(tmp_path: Path) -> None:
    system = RtlModule("system", tmp_path, (), (), (), ())
    top, pins = emit_ulx3s(system, tmp_path, 50.0)
    header = (tmp_path / "ulx3s.sv").read_text().split(");")[0]
    ports = re.findall(r"(?:input|output) +logic (?:\[(\d+):0\] )?(\w+)", header)
    expected = {f"{name}[{i}]" if high else name for high, name in ports for i in range(int(high or 0) + 1)}
    assert set(re.findall(r'LOCATE COMP "([^"]+)"', pins.read_text())) == expected
    assert top.top == "ulx3s"
    sites = re.findall(r'SITE "(\w+)"', constraints())
    assert len(set(sites)) == len(sites)


@pytest.mark.parametrize(
    ("clock_hz", "baud", "what"), [(25_000_000, 6_000_000, "at least 5 times"), (400_000_000, 100, "missed")]
)
def test_baud_rate_out_of_reach_is_refused(clock_hz: int, baud: int, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        LinkSettings(clock_hz, baud)


def test_window_is_what_the_buffer_holds() -> None:
    assert SETTINGS.window(540) == 7
    assert SETTINGS.window(1) == 255
    with pytest.raises(ValueError, match="4097 bytes must fit buffer_bytes=4096"):
        SETTINGS.window(4097)


def core(last: bool = False, outputs: int = 1) -> RtlModule:
    port = StreamPort("in0_V", 2, Format(8, 0), last)
    return RtlModule("core", Path(), (), (), (port,), (StreamPort("out0_V", 1, Format(8, 0)),) * outputs)


@pytest.mark.parametrize(
    ("module", "frame", "result", "what"),
    [
        (core(outputs=2), 4, 4, "one input and one output stream"),
        (core(last=True), 4, 4, "without TLAST"),
        (core(), 5, 4, "whole transfers"),
        (core(), 4, 1 << 16, "use fewer lanes"),
    ],
)
def test_core_that_does_not_fit_the_link_is_refused(
    tmp_path: Path, module: RtlModule, frame: int, result: int, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        emit_link_system(module, tmp_path, "system", SETTINGS, frame, result, b"me")
