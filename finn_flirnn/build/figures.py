# SPDX-License-Identifier: BSD-3-Clause
"""The figures of the report, as SVG text; equal data, equal text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from finn_flirnn.numerics import Reals

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b7280"
CHANNELS = (("full", BLUE), ("short", ORANGE), ("long", GREEN))
STYLE = {
    "font.family": "sans-serif",
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "xtick.color": "#4b5563",
    "ytick.color": "#4b5563",
    "svg.fonttype": "none",
    "svg.hashsalt": "finn_flirnn",
}
LEAST_SHOWN = 1e-3


def decay_figure(gate_step_ns: float, peaks: Reals, signal: Reals, truth: Reals, predicted: Reals) -> str:
    """Example pixels: the normalised signal, true and predicted components, and what is left over.

    peaks: (pixels,) counts in the brightest gate. signal: (pixels, gates). truth, predicted:
    (pixels, gates, 3) sample decays full, short, long.
    """
    times = np.arange(signal.shape[1]) * gate_step_ns
    with _drawing():
        figure = Figure(figsize=(9.6, 4.2), layout="constrained")
        grid = figure.subplots(2, len(signal), sharex=True, sharey="row", squeeze=False, height_ratios=[3, 1])
        for i, (upper, lower) in enumerate(grid.T):
            upper.semilogy(times, np.maximum(signal[i], LEAST_SHOWN), ".", color=GREY, markersize=3)
            for channel, (name, colour) in enumerate(CHANNELS):
                upper.semilogy(times, np.maximum(truth[i, :, channel], LEAST_SHOWN), "--", color=colour, lw=1)
                shown = np.maximum(predicted[i, :, channel], LEAST_SHOWN)
                upper.semilogy(times, shown, color=colour, lw=1.4, label=name)
                lower.plot(times, predicted[i, :, channel] - truth[i, :, channel], color=colour, lw=1)
            upper.set(title=f"peak {peaks[i]:.0f} counts", ylim=(LEAST_SHOWN, 1.6))
            lower.axhline(0, color="#d1d5db", lw=0.8, zorder=0)
            lower.set_xlabel("time after excitation (ns)")
        grid[0, 0].set_ylabel("decay (first gate of full = 1)")
        grid[1, 0].set_ylabel("predicted − true")
        grid[0, -1].legend(frameon=False, loc="upper right")
        return _svg(figure)


def lifetime_figure(truth_ns: Reals, predictions: dict[str, Reals], limit_ns: float) -> str:
    """Density of predicted against true amplitude-weighted mean lifetimes, one panel a method."""
    with _drawing():
        figure = Figure(figsize=(3.4 * len(predictions), 3.2), layout="constrained")
        panels = figure.subplots(1, len(predictions), sharey=True, squeeze=False)[0]
        for axes, (name, predicted) in zip(panels, predictions.items(), strict=True):
            _hexbin(axes, truth_ns, predicted, limit_ns)
            axes.set(title=name, xlabel="true mean lifetime (ns)")
        panels[0].set_ylabel("predicted (ns)")
        return _svg(figure)


def share_figure(shares: dict[str, dict[str, float | None]]) -> str:
    """Bars of each resource's share of the board, one colour a source (estimate, synthesis)."""
    names = list(next(iter(shares.values())))
    with _drawing():
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        axes = figure.subplots()
        height = 0.8 / len(shares)
        for row, (source, share) in enumerate(shares.items()):
            values = [100 * (share[name] or 0.0) for name in names]
            places = np.arange(len(names)) + (row - (len(shares) - 1) / 2) * height
            bars = axes.barh(places, values, height * 0.9, label=source, color=(BLUE, ORANGE, GREEN)[row])
            labels = [
                "none on this board" if share[n] is None else f"{v:.1f} %"
                for n, v in zip(names, values, strict=True)
            ]
            axes.bar_label(bars, labels, padding=3, fontsize=7.5, color="#4b5563")
        axes.set(yticks=range(len(names)), yticklabels=[name.upper() for name in names])
        axes.set(xlabel="share of the board (%)", xlim=(0, None))
        axes.margins(x=0.2)
        axes.invert_yaxis()
        axes.legend(frameon=False, loc="lower right")
        return _svg(figure)


def _hexbin(axes: Axes, truth: Reals, predicted: Reals, limit: float) -> None:
    shown = np.clip(predicted, 0, limit)
    axes.hexbin(
        truth, shown, gridsize=48, extent=(0, limit, 0, limit), bins="log", mincnt=1, cmap="viridis", lw=0.1
    )
    axes.plot([0, limit], [0, limit], color=GREY, lw=0.8)
    axes.set(xlim=(0, limit), ylim=(0, limit), aspect="equal")


@contextmanager
def _drawing() -> Iterator[None]:
    with matplotlib.rc_context(STYLE):
        yield


def _svg(figure: Figure) -> str:
    """The <svg> element alone, without the declarations that have no place inside HTML."""
    text = StringIO()
    metadata: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(text, format="svg", metadata=metadata, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]
