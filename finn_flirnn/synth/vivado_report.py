# SPDX-License-Identifier: BSD-3-Clause
"""What Vivado's reports say: resources, and whether timing is met.

Read are report_utilization as text (UG835; "CLB" rows of UltraScale+, "Slice" rows of 7 series) and as
hierarchical XML, and report_timing_summary (UG906). A row or heading that is not found is an error, never
a number.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass

NUMBER = r"-?\d+(?:\.\d+)?"
ROWS = {
    "lut": ("CLB LUTs", "Slice LUTs"),
    "ff": ("CLB Registers", "Slice Registers"),
    "dsp": ("DSPs",),
    "bram36": ("Block RAM Tile",),
}
"""Key -> the names that its row may have. A block RAM tile is one block of 36 Kb."""
HEADINGS = {
    "lut": ("Total LUTs",),
    "ff": ("FFs",),
    "dsp": ("DSP Blocks", "DSP48 Blocks"),
    "ramb36": ("RAMB36",),
    "ramb18": ("RAMB18",),
}


@dataclass(frozen=True)
class VivadoResources:
    """Resources in use; bram36: blocks of 36 Kb, halves for blocks of 18 Kb."""

    lut: int
    ff: int
    dsp: int
    bram36: float
    uram: int


@dataclass(frozen=True)
class VivadoTiming:
    """wns_ns, tns_ns: worst and total negative slack of setup; whs_ns: worst hold slack.

    met: what Vivado says of all constraints together. periods_ns: clock -> period.
    """

    wns_ns: float
    tns_ns: float
    whs_ns: float
    met: bool
    periods_ns: dict[str, float]


def tool_version(text: str) -> str:
    """Release of the Vivado that wrote a text report. Raises ValueError."""
    found = re.search(r"Tool Version\s*:\s*Vivado v\.?(\S+)", text)
    if found is None:
        raise ValueError("the report must name its tool as 'Tool Version : Vivado v.<release>', and does not")
    return found[1]


def parse_utilisation(text: str) -> VivadoResources:
    """Resources of report_utilization as text. Raises ValueError for a missing row.

    A device without UltraRAM has no row for it.
    """
    used = {key: _used(text, names) for key, names in ROWS.items()}
    uram = _find_row(text, "URAM")
    return VivadoResources(
        lut=int(used["lut"]),
        ff=int(used["ff"]),
        dsp=int(used["dsp"]),
        bram36=used["bram36"],
        uram=0 if uram is None else int(uram),
    )


def parse_hierarchy(xml: str) -> VivadoResources:
    """Resources of the whole design in hierarchical report_utilization as XML. Raises ValueError."""
    root = ET.fromstring(xml)
    rows = [[cell.get("contents", "").strip() for cell in row] for row in root.iter("tablerow")]
    headings = next((row for row in rows if "Instance" in row), None)
    top = next((row for row in rows if "(top)" in row), None)
    if headings is None or top is None:
        raise ValueError(
            "the report must have a table with the heading Instance and a row (top), and has none"
        )
    cells = dict(zip(headings, top, strict=True))
    found = {}
    for key, names in HEADINGS.items():
        name = next((name for name in names if name in cells), None)
        if name is None:
            raise ValueError(f"the report must have a column {' or '.join(names)}, has {', '.join(headings)}")
        found[key] = int(cells[name])
    bram36 = found["ramb36"] + found["ramb18"] / 2
    return VivadoResources(found["lut"], found["ff"], found["dsp"], bram36, int(cells.get("URAM", "0")))


def parse_timing(text: str) -> VivadoTiming:
    """The design's summary in report_timing_summary. Raises ValueError if it is not there."""
    summary = re.search(
        rf"WNS\(ns\)\s+TNS\(ns\).*\n[ -]+\n\s*({NUMBER})\s+({NUMBER})\s+\d+\s+\d+\s+({NUMBER})", text
    )
    met, failed = (
        "All user specified timing constraints are met" in text,
        "Timing constraints are not met" in text,
    )
    if summary is None or met == failed:
        raise ValueError("the report must hold a Design Timing Summary that says met or not met; it does not")
    clocks = re.findall(rf"^(\S+)\s+\{{[\d. ]+\}}\s+({NUMBER})\s+{NUMBER}\s*$", text, re.MULTILINE)
    periods = {name: float(period) for name, period in clocks}
    return VivadoTiming(float(summary[1]), float(summary[2]), float(summary[3]), met, periods)


def _used(text: str, names: tuple[str, ...]) -> float:
    for name in names:
        value = _find_row(text, name)
        if value is not None:
            return value
    raise ValueError(f"the report must have a row {' or '.join(names)}, and has none")


def _find_row(text: str, name: str) -> float | None:
    found = re.search(rf"^\|\s*{re.escape(name)}\*?\s*\|\s*({NUMBER})\s*\|", text, re.MULTILINE)
    return None if found is None else float(found[1])
