# SPDX-License-Identifier: BSD-3-Clause
"""Step report: report/index.html, everything in one self-contained page."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any

import numpy as np

from finn_flirnn.build.boards import RESOURCES
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.figures import decay_figure, lifetime_figure, share_figure
from finn_flirnn.build.templates import render
from finn_flirnn.common.files import read_json_file, write_atomically
from finn_flirnn.driver.metadata import FILE_NAME as METADATA

Report = dict[str, Any]


def run(context: BuildContext) -> None:
    """Read the reports of all steps and render them."""
    reports = ("verification", "rtlsim", "synthesis", "estimate", "accuracy")
    given = {name: read_json_file(context.output / "report" / f"{name}.json") for name in reports}
    manifest = asdict(context.manifest)
    manifest["steps"] = [step for step in manifest["steps"] if step["name"] != "report"]
    page = render(
        "report.html.j2",
        html=True,
        **given,
        config=context.config,
        board=context.config.target,
        network=_describe(context),
        manifest=manifest,
        resources=RESOURCES,
        cards=_cards(given),
        speed=_speed(given, _through_the_link(context)),
        errors={key: _percent(error) for key, error in given["estimate"]["error"].items()},
        rtl_note=_rtl_note(given["accuracy"]),
        figures={name: _inline(svg) for name, svg in _figures(context, given).items()},
    )
    write_atomically(context.make("report/index.html"), page)


def _describe(context: BuildContext) -> str:
    network = context.network
    f = network.encoder.formats
    return (
        f"{'Seq2SeqLite' if network.decoders else 'Lifetimes by an encoder'} with "
        f"{network.encoder.hidden} units, {network.steps} gates, "
        f"{f.weight_hh.bits}-bit weights, {f.state.bits}-bit state"
    )


def _cards(given: Report) -> list[dict[str, str]]:
    sim, accuracy = given["rtlsim"], given["accuracy"]
    integer = next(row for row in accuracy["rows"] if row["model"] == "integer")
    mismatches = sum(stage["mismatches"] for stage in given["verification"]["stages"])
    values = (
        (f"{sim['pixels_per_s']:,.0f}", f"pixels a second at {sim['clock_mhz']:g} MHz", ""),
        (f"{sim['cycles_per_pixel']:,.0f}", "cycles a pixel, simulated", ""),
        (f"{100 * sim['mac_efficiency']:.1f} %", "MAC efficiency of the recurrent layers", ""),
        (f"{mismatches:,}", "mismatching codes", "bad" if mismatches else "good"),
        (
            (f"{integer['rmse_full']:.4f}", "RMSE of the full decay, integer model", "")
            if "rmse_full" in integer
            else (f"{integer['tau_m_mae_ns']:.4f} ns", "mean error of the mean lifetime, integer model", "")
        ),
        (f"{given['synthesis']['dsp']:,}", f"DSP by {given['synthesis']['tool'].capitalize()}", ""),
    )
    return [{"value": value, "label": label, "tone": tone} for value, label, tone in values]


def _through_the_link(context: BuildContext) -> list[dict[str, str]]:
    """What an open board's serial port lets through, as the deployment package predicts it."""
    if not context.config.target.is_open:
        return []
    predicted = read_json_file(context.output / "deploy" / METADATA)["pixels_per_s"]
    return [_row("pixels a second through the UART", f"{predicted:,.0f}", "")]


def _speed(given: Report, through_the_link: list[dict[str, str]]) -> list[dict[str, str]]:
    total, sim = given["estimate"]["total"], given["rtlsim"]
    clock = sim["clock_mhz"]
    estimated, simulated = total["cycles_per_pixel"], sim["cycles_per_pixel"]
    first = sim["first_output_cycles"]
    return [
        _row("cycles a pixel", f"{estimated:,.1f}", f"{simulated:,.1f}", _percent(estimated / simulated - 1)),
        _row("pixels a second", f"{clock * 1e6 / estimated:,.0f}", f"{sim['pixels_per_s']:,.0f}"),
        *through_the_link,
        _row("first output after", "", f"{first:,} cycles = {first / clock:,.1f} µs"),
        _row("MAC efficiency", "", f"{100 * sim['mac_efficiency']:.1f} %"),
        _row("pixels simulated", "", f"{sim['pixels']:,}"),
    ]


def _row(name: str, estimated: str, simulated: str, error: str = "") -> dict[str, str]:
    return {"name": name, "estimated": estimated, "simulated": simulated, "error": error}


def _percent(error: float | None) -> str:
    return "–" if error is None else f"{100 * error:+.1f} %"


def _rtl_note(accuracy: Report) -> str:
    rtl = next((row for row in accuracy["rows"] if row["model"] == "rtl"), None)
    pixels = accuracy["data"]["pixels"]
    if rtl is None or rtl["pixels"] == pixels:
        return ""
    return f" (“rtl”: the first {rtl['pixels']:,}, which were simulated)"


def _figures(context: BuildContext, given: Report) -> dict[str, str]:
    with np.load(context.output / PARTS / "accuracy_examples.npz") as archive:
        shown = dict(archive)
    shares = {
        "estimate": given["estimate"]["board_share"],
        "synthesis": context.config.target.share(given["synthesis"]),
    }
    predictions = {
        "integer model": shown["tau_m_integer_ns"],
        "maximum-likelihood fit": shown["tau_m_fit_ns"],
    }
    examples = [shown[name] for name in ("peaks", "signal", "truth", "predicted") if name in shown]
    decays = {"decays": decay_figure(float(shown["gate_step_ns"]), *examples)} if "predicted" in shown else {}
    return decays | {
        "lifetimes": lifetime_figure(shown["tau_m_ns"], predictions, float(shown["tau_m_ns"].max())),
        "share": share_figure(shares),
    }


def _inline(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
