# SPDX-License-Identifier: BSD-3-Clause
"""The README's tables, generated: ``python -m finn_flirnn.build.results [BUILD_DIR] [--bench BENCH_DIR]``.

Copies what the tables need from a finished build's reports to docs/results/build.json, with the build's
manifest keys, and from a bench to docs/results/bench.json, and rewrites the parts of README.md between
their markers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from finn_flirnn.build.bench_table import render_bench
from finn_flirnn.common.files import read_json_file

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "results"
MANIFEST_KEYS = ("version", "commit", "config", "config_sha256", "model_sha256", "tools", "seeds")
REPORTS = ("verification", "rtlsim", "estimate", "synthesis", "accuracy")
PUBLISHED = {"cycles": 110_297, "lut": 37_140, "ff": 54_802, "dsp": 183}
"""Vitis HLS report of the network's own authors (2026), one lane, xc7k410t, not bit-exact."""


LABELS = {
    "float": "float (the same weights, quantisers taken out)",
    "quantised": "quantised (Brevitas)",
    "rtl": "RTL",
    "fit": "maximum-likelihood fit, IRF known",
    "fit_shift": "maximum-likelihood fit, nominal IRF, shift fitted",
    "prior": "prior, no data",
}


def collect(build: Path) -> dict[str, Any]:
    """What the tables need of a build. Raises ValueError if the build is not finished."""
    manifest = read_json_file(build / "manifest.json")
    unfinished = [s["name"] for s in manifest["steps"] if s["status"] not in ("done", "skipped")]
    missing = [name for name in REPORTS if not (build / "report" / f"{name}.json").is_file()]
    if unfinished or missing:
        raise ValueError(
            f"{build} must be a finished build; steps {unfinished} are not done, "
            f"reports {missing} are missing: run the build to its end"
        )
    reports = {name: read_json_file(build / "report" / f"{name}.json") for name in REPORTS}
    return {
        "manifest": {key: manifest[key] for key in MANIFEST_KEYS},
        "steps": [{key: step[key] for key in ("name", "status", "reason")} for step in manifest["steps"]],
        "seconds": round(sum(step["seconds"] for step in manifest["steps"])),
        **reports,
    }


def render(results: dict[str, Any]) -> str:
    """The tables in Markdown."""
    manifest, estimate = results["manifest"], results["estimate"]
    rtlsim, synthesis = results["rtlsim"], results["synthesis"]
    commit = manifest["commit"][:10] + ("-dirty" if manifest["commit"].endswith("-dirty") else "")
    lines = [
        f"Build `{manifest['config']['name']}` at commit `{commit}`, "
        f"configuration {manifest['config_sha256'][:10]}, model {manifest['model_sha256'][:10]}, "
        f"{results['seconds']} s in all.",
        "",
        "| comparison by `==` | sequences | codes | mismatches |",
        "|---|---|---|---|",
        *(
            f"| {s['name']}{' ' + s['layer'] if 'layer' in s else ''} | {s['sequences']:,} | {s['codes']:,} "
            f"| {s['mismatches']} |"
            for s in results["verification"]["stages"]
        ),
        "",
        "| the whole design | FINN estimate | measured | error of the estimate | published HLS design |",
        "|---|---|---|---|---|",
        f"| cycles a pixel | {estimate['total']['cycles_per_pixel']:,.0f} "
        f"| {rtlsim['cycles_per_pixel']:,.1f} (Verilator) | {estimate['cycles_error']:+.1%} "
        f"| {PUBLISHED['cycles']:,} |",
        *(
            f"| {key.upper()} | {estimate['total'][key]:,} "
            f"| {synthesis[key]:,} (Yosys, {synthesis['family']}) "
            f"| {'-' if estimate['error'][key] is None else format(estimate['error'][key], '+.1%')} "
            f"| {PUBLISHED.get(key, 0):,} |"
            for key in ("lut", "ff", "dsp", "bram36")
        ),
        "",
        f"MAC efficiency of the recurrent layers {rtlsim['mac_efficiency']:.3f}; "
        f"{rtlsim['pixels_per_s']:,.0f} pixels/s at {rtlsim['clock_mhz']:g} MHz, if the clock is met "
        "(no tool has said so: Vivado has not been run); first output after "
        f"{rtlsim['first_output_cycles']:,} cycles.",
        "",
        f"| {results['accuracy']['data']['pixels']:,} fresh decays, {results['accuracy']['data']['preset']} "
        "| RMSE full | RMSE short | RMSE long | MAE tau_m, ns |",
        "|---|---|---|---|---|",
        *(
            f"| {_label(row)} | {row['rmse_full']:.4f} | {row['rmse_short']:.4f} | {row['rmse_long']:.4f} "
            f"| {row['tau_m_mae_ns']:.4f} |"
            for row in results["accuracy"]["rows"]
        ),
    ]
    return "\n".join(lines)


def _label(row: dict[str, Any]) -> str:
    name = LABELS.get(row["model"], row["model"])
    return f"{name}, first {row['pixels']:,}" if row["model"] == "rtl" else name


def insert(readme: str, part: str, table: str) -> str:
    """README text with a generated part replaced. Raises ValueError if one of its markers is missing."""
    begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
    if readme.count(begin) != 1 or readme.count(end) != 1:
        raise ValueError(f"README.md must hold {begin} and {end} once each; add them")
    head, rest = readme.split(begin)
    return f"{head}{begin}\n{table}\n{end}{rest.split(end)[1]}"


RENDERERS = {"build": render, "bench": render_bench}
"""Part of the README, and stem of its file in docs/results/ -> its table."""


def fill_in(readme: str) -> str:
    """README text with every generated part made anew from docs/results/."""
    for part, renderer in RENDERERS.items():
        readme = insert(readme, part, renderer(read_json_file(RESULTS / f"{part}.json")))
    return readme


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, nargs="?", help="output folder of a finished build")
    parser.add_argument("--bench", type=Path, help="output folder of a bench")
    given = parser.parse_args()
    found = {}
    if given.build:
        found["build"] = collect(given.build)
    if given.bench:
        found["bench"] = read_json_file(given.bench / "bench.json")
    for part, results in found.items():
        (RESULTS / f"{part}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(fill_in(readme.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
