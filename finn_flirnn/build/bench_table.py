# SPDX-License-Identifier: BSD-3-Clause
"""The bench's table in Markdown, with the published designs of the same network beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HEAD = (
    "| configuration | family | products a cycle | DSP | LUT | FF | BRAM36 | URAM | cycles a pixel "
    "| MAC efficiency | first output, us | last value to first code, cycles | pixels/s | 500x500, s "
    "| delay | cycles x DSP, published = 1 |"
)
PUBLISHED = (
    ("1 lane", "183", "37,140", "54,802", "0", "110,297", "-"),
    ("4 lanes", "732", "163,186", "228,916", "8", "-", "30.08"),
    ("8 lanes, 128 % of the device's LUT", "1,464", "326,282", "457,772", "16", "-", "15.04"),
    ("64 pixels interleaved, an estimate, never synthesised", "790-830", "-", "-", "-", "-", "1.215"),
)
"""The network's own authors (2026), Vitis HLS 2022.2, xc7k410t at 4.5 ns, not bit-exact: name, DSP, LUT, FF,
BRAM, cycles a pixel, seconds for 500 x 500 pixels."""
CYCLES, DSP = 110_297, 183


def render_bench(results: dict[str, Any]) -> str:
    """The tables of docs/results/bench.json."""
    rows = results["rows"]
    columns = HEAD.count("|") - 1
    commit = results["commit"][:10] + ("-dirty" if results["commit"].endswith("-dirty") else "")
    lines = [f"Commit `{commit}`.", "", HEAD, "|---" * columns + "|"]
    lines += [_row(row) for row in rows]
    lines += [_published(row) for row in PUBLISHED]
    speeds = [
        f"`{r['name']}` {r['simulated_pixels_per_s']:,.0f}" for r in rows if r["simulated_pixels_per_s"]
    ]
    lines += [
        "",
        f"Pixels a second in Verilator, where this was run: {', '.join(speeds)}.",
        "",
        *_misses(rows),
    ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    latency = row["first_output_cycles"] / row["clock_mhz"]
    share = row["cycles_per_pixel"] * row["dsp"] / (CYCLES * DSP)
    cells = (
        f"`{row['name']}`", row["family"], f"{row['products_per_cycle']:,}", f"{row['dsp']:,}",
        f"{row['lut']:,}", f"{row['ff']:,}", f"{row['bram36']:g}", row["uram"],
        f"{row['cycles_per_pixel']:,.1f}", f"{row['mac_efficiency']:.3f}", f"{latency:,.1f}",
        f"{row['answer_cycles']:,}",
        f"{row['pixels_per_s']:,.0f} at {row['clock_mhz']:g} MHz", f"{row['frame_s']:.2f}", _delay(row),
        f"1/{1 / share:.1f}",
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _delay(row: dict[str, Any]) -> str:
    """What a tool said of the clock: a router's Fmax if there is one, else abc9's delay before routing."""
    if row["fmax_mhz"] is not None:
        return f"{row['fmax_mhz']:.1f} MHz routed"
    return "-" if row["abc9_delay_ns"] is None else f"{row['abc9_delay_ns']:.2f} ns pre-route"


def _published(row: tuple[str, ...]) -> str:
    name, dsp, lut, ff, bram, cycles, frame = row
    cells = (
        f"published HLS, {name}",
        "xc7k410t",
        "-",
        dsp,
        lut,
        ff,
        bram,
        "-",
        cycles,
        *"----",
        frame,
        *"--",
    )
    return "| " + " | ".join(cells) + " |"


def _speeds(rows: Sequence[dict[str, Any]]) -> str:
    found = {row["name"]: row["simulated_pixels_per_s"] for row in rows}
    return ", ".join(f"`{name}` {speed:,.0f}" for name, speed in found.items() if speed is not None)


def _misses(rows: Sequence[dict[str, Any]]) -> list[str]:
    missed = [f"- `{row['name']}`: {'; '.join(row['missed'])}" for row in rows if row["missed"]]
    return ["Over budget:", "", *missed] if missed else ["Every configuration with a budget is within it."]
