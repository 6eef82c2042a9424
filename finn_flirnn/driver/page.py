# SPDX-License-Identifier: BSD-3-Clause
"""validation.html: the report of a validation as one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from finn_flirnn.driver.metadata import AcceleratorMetadata

Report = dict[str, Any]
Row = Sequence[str]

STYLE = """
  :root { --ink: #1f2937; --soft: #6b7280; --line: #e5e7eb; --good: #047857; --bad: #b91c1c; }
  * { box-sizing: border-box; }
  body { margin: 0; color: var(--ink); background: #fff; font: 15px/1.55 system-ui, sans-serif; }
  main { max-width: 1100px; margin: 0 auto; padding: 40px 24px 80px; }
  h1 { font-size: 27px; margin: 0 0 4px; letter-spacing: -0.01em; }
  h2 { font-size: 18px; margin: 44px 0 6px; padding-top: 20px; border-top: 1px solid var(--line); }
  p { max-width: 76ch; margin: 6px 0 14px; }
  .lead, .note { color: var(--soft); } .note { font-size: 13px; }
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 12px;
    margin: 26px 0 0; }
  .card { border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; }
  .card b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
  .card span { color: var(--soft); font-size: 13px; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; margin: 10px 0 6px; font-variant-numeric: tabular-nums; }
  th, td { padding: 5px 18px 5px 0; text-align: right; border-bottom: 1px solid var(--line); }
  th { font-weight: 600; font-size: 13px; color: var(--soft); }
  th:first-child, td:first-child { text-align: left; }
  svg { max-width: 100%; height: auto; display: block; margin: 14px 0; font-family: system-ui, sans-serif; }
  .beside { display: flex; flex-wrap: wrap; gap: 24px 64px; align-items: center; }
  .good { color: var(--good); } .bad { color: var(--bad); }
"""


def render(meta: AcceleratorMetadata, report: Report, figures: dict[str, str]) -> str:
    """The page. report: as in validation.json. figures: "decays", "lifetimes", "map" -> SVG, where made."""
    parts = [_head(meta, report)]
    if report["outcome"] == "failed":
        message = f"{report['error']}: {report['message']}"
        parts.append(f'<h2>It could not be run to its end</h2><p class="bad">{escape(message)}</p>')
    else:
        parts += [_cards(report), _comparisons(report), _speed(meta, report), _accuracy(report, figures)]
        if report["image"] is not None:
            parts.append(_image(report["image"], figures))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(meta.name)}: validation</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{''.join(parts)}\n</main>\n</body>\n</html>\n"
    )


def _head(meta: AcceleratorMetadata, report: Report) -> str:
    tone = "good" if report["outcome"] == "equal" else "bad"
    return (
        f'<h1>{escape(meta.name)}: <span class="{tone}">{report["outcome"]}</span></h1>\n'
        f'<div class="lead">Build {meta.build_id} for {escape(meta.board)} at {meta.clock_mhz:g} MHz on '
        f"device {escape(report['device'])}. QONNX model {meta.model_sha256[:12]}, finn_flirnn "
        f"{escape(meta.project_version)}.</div>\n"
    )


def _cards(report: Report) -> str:
    image = report["image"] or {"mismatches": 0, "codes": 0}
    wrong, codes = report["mismatches"] + image["mismatches"], report["codes"] + image["codes"]
    cards = [
        (f"{wrong:,}", f"mismatching codes of {codes:,}", "bad" if wrong else "good"),
        (f"{report['pixels_per_s']:,.0f}", f"pixels a second ({report['measured_in']})", ""),
    ]
    if report["accuracy"]:
        errors = report["accuracy"]
        if errors["rmse"]:
            cards.append((f"{errors['rmse']['full']:.4f}", "RMSE of the full decay", ""))
        cards.append((f"{errors['mean_absolute_error']['tau_m_ns']:.3f} ns", "mean error of tau_m", ""))
    items = (f'<div class="card"><b class="{tone}">{v}</b><span>{t}</span></div>' for v, t, tone in cards)
    return f'<div class="cards">{"".join(items)}</div>\n'


def _comparisons(report: Report) -> str:
    runs = {"test set": report, "image": report["image"], "with pauses at random": report["pauses"]}
    rows, notes = [], []
    for name, run in runs.items():
        if run is not None:
            wrong = run["mismatches"]
            tone = "bad" if wrong else "good"
            count = f'<span class="{tone}">{wrong:,}</span>'
            rows.append((name, f"{run['pixels']:,}", f"{run['codes']:,}", count))
            if wrong:
                first = run["first_mismatch"]
                where = ", ".join(f"{key} {first[key]}" for key in ("pixel", "step", "output"))
                notes.append(f"{name}: first at {where}: expected {first['expected']}, got {first['got']}.")
    listed = "".join(f'<p class="bad">{note}</p>' for note in notes)
    return (
        "<h2>Bit by bit against the integer model</h2>\n"
        + _table(("", "pixels", "codes", "mismatches"), rows)
        + listed
    )


def _speed(meta: AcceleratorMetadata, report: Report) -> str:
    rows = [
        (
            "pixels a second",
            f"{report['pixels_per_s']:,.0f}",
            f"{report['predicted_pixels_per_s']:,.0f}",
            f"{100 * (report['pixels_per_s'] / report['predicted_pixels_per_s'] - 1):+.1f} %",
        )
    ]
    latency = report["latency"]
    if latency is not None:
        predicted = latency["predicted_seconds"]
        rows.append(
            (
                f"one group of {latency['pixels']} alone, in to out",
                f"{1e6 * latency['seconds']:,.1f} µs",
                f"{1e6 * predicted:,.1f} µs" if predicted else "",
                f"{100 * (latency['seconds'] / predicted - 1):+.1f} %" if predicted else "",
            )
        )
    if report["measured_in"] == "wall time":
        note = "Wall time of the driver's call: packing, transfer and unpacking by this computer included."
    else:
        note = (
            f"Cycles of the simulated hardware at {meta.clock_mhz:g} MHz, filling and draining included; the "
            "computer's own time is not in it."
        )
    table = _table(("", f"measured ({report['measured_in']})", "predicted", "difference"), rows)
    return f'<h2>Speed</h2>\n{table}<p class="note">{note}</p>\n'


def _accuracy(report: Report, figures: dict[str, str]) -> str:
    errors = report["accuracy"]
    shown = figures.get("decays", "")
    if errors is None:
        return f"<h2>Decays</h2>{shown}" if shown else ""
    values = errors["mean_absolute_error"]
    names = {
        "tau_m_ns": "tau_m, amplitude mean (ns)",
        "tau_i_ns": "tau_i, intensity mean (ns)",
        "tau1_ns": "tau1 (ns)",
        "tau2_ns": "tau2 (ns)",
        "amplitude_fraction": "amplitude fraction",
        "photon_fraction": "photon fraction",
    }
    rmse_rows = [(name, f"{value:.5f}") for name, value in errors["rmse"].items()]
    mae_rows = [
        (title, "–" if values[key] is None else f"{values[key]:.4f}")
        for key, title in names.items()
        if key in values
    ]
    return (
        "<h2>Against the truth</h2>\n<p>Simulated decays, whose lifetimes are known. tau1 and tau2 are "
        "judged where the component holds at least a tenth of the amplitude.</p>\n"
        + '<div class="beside"><div>'
        + (_table(("sample decay", "RMSE"), rmse_rows) if rmse_rows else "")
        + _table(("lifetime or fraction", "mean absolute error"), mae_rows)
        + f"</div>{figures.get('lifetimes', '')}</div>{shown}"
    )


def _image(image: Report, figures: dict[str, str]) -> str:
    rows = [("pixels", f"{image['pixels']:,}")]
    agreement = image["agreement"]
    if agreement is not None:
        rows += [
            ("median mean lifetime, device", f"{agreement['median_ns']:.3f} ns"),
            ("median, maximum-likelihood fit", f"{agreement['median_fit_ns']:.3f} ns"),
            ("mean absolute difference", f"{agreement['mean_absolute_difference_ns']:.3f} ns"),
            ("within 100 ps of the fit", f"{100 * agreement['within_100_ps']:.0f} %"),
        ]
    return (
        f"<h2>A measured image: {escape(image['name'])}</h2>\n<p>No truth is known; the fit of the "
        "instrument's own bins stands beside the device. Brightness is the number of photons; black "
        "pixels have too few.</p>\n" + figures.get("map", "") + _table(("", ""), rows)
    )


def _table(head: Row, rows: Sequence[Row]) -> str:
    titles = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f'<div class="scroll"><table>\n<tr>{titles}</tr>\n{body}</table></div>\n'
