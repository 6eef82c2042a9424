# SPDX-License-Identifier: BSD-3-Clause
"""Place and route for Lattice ECP5: from a netlist to a textual configuration, and to a bitstream."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.synth.nextpnr import (
    DEFAULT_TIMEOUT_S,
    PlacementError,
    Tool,
    nextpnr_version,
    run_tool,
)

SIZES = ("12k", "25k", "45k", "85k")
SPEED_GRADES = (6, 7, 8)
GLOBAL_PREFIX, PAD_SUFFIX = "$glbnet$", "$TRELLIS_IO_IN"


class TimingError(PlacementError):
    """The routed design does not meet its clock."""


@dataclass(frozen=True)
class Ecp5Part:
    """A device of the family LFE5U: size in thousands of LUTs, package, speed grade (6 is the slowest)."""

    size: str = "85k"
    package: str = "CABGA381"
    speed: int = 6

    def __post_init__(self) -> None:
        if self.size not in SIZES or self.speed not in SPEED_GRADES:
            raise ValueError(
                f"size={self.size!r}, speed={self.speed} must be one of {', '.join(SIZES)} and one of "
                f"{SPEED_GRADES}"
            )


@dataclass(frozen=True)
class ClockTiming:
    """A clock: what the routed design reaches, and what was asked for (MHz)."""

    achieved_mhz: float
    required_mhz: float


@dataclass(frozen=True)
class Use:
    """Cells of a type that the design takes, and that the device has."""

    used: int
    available: int


@dataclass(frozen=True)
class PathStep:
    """A part of a path: "clk-to-q", "routing", "logic" or "setup"; its delay; the net or the cell's port."""

    kind: str
    delay_ns: float
    what: str


@dataclass(frozen=True)
class PlacementReport:
    """What nextpnr says of a routed design.

    clocks: by net. critical_path: of the clock with the least slack, in order; empty without clocks.
    utilisation: by cell type, of those that are used. config: the textual configuration.
    routed: the routed netlist as JSON. seconds: duration.
    """

    tool: str
    version: str
    part: Ecp5Part
    seed: int
    clocks: dict[str, ClockTiming]
    utilisation: dict[str, Use]
    critical_path: tuple[PathStep, ...]
    config: Path
    routed: Path
    seconds: float

    @property
    def fmax_mhz(self) -> float:
        """What the clock with the least slack reaches. Raises PlacementError if there is no clock."""
        return self.clocks[_slowest(self.clocks)].achieved_mhz

    @property
    def critical_ns(self) -> float:
        """Length of the critical path."""
        return sum(step.delay_ns for step in self.critical_path)

    def check_timing(self) -> None:
        """Raise TimingError unless every clock is met."""
        missed = [
            f"{name} must run at {c.required_mhz:.2f} MHz and reaches {c.achieved_mhz:.2f} MHz: "
            f"{1000 / c.achieved_mhz - 1000 / c.required_mhz:.2f} ns too slow"
            for name, c in self.clocks.items()
            if c.achieved_mhz < c.required_mhz
        ]
        if missed:
            through = " -> ".join(step.what for step in self.critical_path if step.kind != "routing")
            raise TimingError(
                f"{'; '.join(missed)}; lower the clock, try another seed, "
                f"or shorten the critical path {through}"
            )


def place_and_route(
    netlist: Path,
    directory: Path,
    *,
    clock_mhz: float,
    part: Ecp5Part | None = None,
    constraints: Path | None = None,
    seed: int = 1,
    check_timing: bool = True,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> PlacementReport:
    """Place and route a netlist; writes ``<its name>.config``, .routed.json, .log, .report.

    directory: where they go. clock_mhz: for every clock that neither the constraints nor a PLL set.
    constraints: an .lpf file, which must then place every port; without it ports are placed freely.
    check_timing: a clock that is not met is an error.
    Raises TimingError, PlacementError.
    """
    part = part or Ecp5Part()
    directory.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    made = {kind: directory / f"{netlist.stem}.{kind}" for kind in ("config", "report", "log", "routed.json")}
    run_tool(
        Tool.NEXTPNR,
        [
            f"--{part.size}", "--package", part.package, "--speed", str(part.speed), "--seed", str(seed),
            "--json", netlist, "--freq", f"{clock_mhz:g}", "--timing-allow-fail", "--quiet",
            *(["--lpf", constraints] if constraints else ["--lpf-allow-unconstrained"]),
            "--textcfg", made["config"], "--report", made["report"], "--log", made["log"],
            "--write", made["routed.json"],
        ],
        directory,
        timeout_s,
    )  # fmt: skip
    found = json.loads(made["report"].read_text())
    clocks = {
        _net(name): ClockTiming(clock["achieved"], clock["constraint"])
        for name, clock in sorted(found["fmax"].items())
    }
    report = PlacementReport(
        tool="nextpnr-ecp5",
        version=nextpnr_version(),
        part=part,
        seed=seed,
        clocks=clocks,
        utilisation={
            kind: Use(use["used"], use["available"])
            for kind, use in sorted(found["utilization"].items())
            if use["used"]
        },
        critical_path=_critical_path(found["critical_paths"], clocks),
        config=made["config"],
        routed=made["routed.json"],
        seconds=time.monotonic() - begun,
    )
    if check_timing:
        report.check_timing()
    return report


def pack_bitstream(config: Path, target: Path) -> Path:
    """Write the bitstream, compressed, of a textual configuration. Raises PlacementError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    run_tool(Tool.ECPPACK, ["--compress", config, target], target.parent)
    return target


def _slowest(clocks: Mapping[str, ClockTiming]) -> str:
    """The clock with the least slack, in relation to its period. Raises PlacementError if there is none."""
    if not clocks:
        raise PlacementError("the design has no clock, so no Fmax; give it registers")
    return min(clocks, key=lambda name: clocks[name].achieved_mhz / clocks[name].required_mhz)


def _critical_path(paths: list[Mapping[str, Any]], clocks: Mapping[str, ClockTiming]) -> tuple[PathStep, ...]:
    if not clocks:
        return ()
    clock = _slowest(clocks)
    path = next(p for p in paths if all(_net(p[end].split()[-1]) == clock for end in ("from", "to")))
    return tuple(PathStep(step["type"], step["delay"], _what(step)) for step in path["path"])


def _what(step: Mapping[str, Any]) -> str:
    if step["type"] == "routing":
        return str(step["net"])
    return f"{step['to']['cell']}.{step['to']['port']}"


def _net(name: str) -> str:
    """A clock's net as the design has it.

    >>> _net("$glbnet$clk$TRELLIS_IO_IN")
    'clk'
    """
    return name.removeprefix(GLOBAL_PREFIX).removesuffix(PAD_SUFFIX)
