# SPDX-License-Identifier: BSD-3-Clause
"""The README's tables, generated: ``python -m finn_flirnn.build.results BUILD_DIR``.

Copies what the tables need from a finished build's reports to docs/results/<name>.json, with the build's
manifest keys, and rewrites the part of README.md between the two markers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from finn_flirnn.build.files import read_json_file

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
MANIFEST_KEYS = ("version", "commit", "config", "config_sha256", "model_sha256", "tools", "seeds")
REPORTS = ("verification", "rtlsim", "estimate", "synthesis", "accuracy")
PUBLISHED = {"cycles": 110_297, "lut": 37_140, "ff": 54_802, "dsp": 183}
"""Vitis HLS report of the network's own authors (2026), one lane, xc7k410t, not bit-exact."""


LABELS = {
    "float": "float (the same weights, quantisers taken out)",
    "quantised": "quantised (Brevitas)",
    "rtl": "RTL",
    "fit": "maximum-likelihood fit, IRF known",
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


def insert(readme: str, table: str) -> str:
    """README text with the generated part replaced. Raises ValueError if a marker is missing."""
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"README.md must hold {BEGIN} and {END} once each; add them")
    head, rest = readme.split(BEGIN)
    return f"{head}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="output folder of a finished build")
    results = collect(parser.parse_args().build)
    target = ROOT / "docs" / "results" / f"{results['manifest']['config']['name']}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(insert(readme.read_text(encoding="utf-8"), render(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
