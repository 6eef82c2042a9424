# SPDX-License-Identifier: BSD-3-Clause
"""Where models break: checkpoints and the classical fits on decays of other conditions than the training's.

    python -m finn_flirnn.models.robustness seq2seqlite32_8bit seq2seqlite32_4bit --pixels 100000

All are judged on the same decays, whose seeds and IRFs no training meets (``physics.irf_split``). One fit
knows each pixel's IRF and the laser period, the changed ones too; another fits the IRF's width and shift; a
third is told the IRF's middle width and fits its shift; the models know what they were trained for.
``--floor N`` adds N decays on which all stand beside the Bayes floor of the counts alone (0.3 s a decay).
"""

from __future__ import annotations

import argparse
import math
import sys
import time

from finn_flirnn.models.checkpoints import load_checkpoint
from finn_flirnn.models.evaluation import predict_integer
from finn_flirnn.physics.bayes import estimates_from_counts_alone
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.fresh_test import (
    STREAM,
    Method,
    Prediction,
    by_condition,
    by_peak,
    fit_irf_method,
    fit_method,
    fit_shift_method,
    fresh_errors,
)
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import MeanLifetimes
from finn_flirnn.physics.pixel_errors import PixelErrors
from finn_flirnn.physics.presets import PRESETS, preset_by_name

FIGURES = ("rmse_full", "rmse_short", "rmse_long", "r2_full", "tau_m_mae_ns", "fraction_mae")
FITS: dict[str, Method] = {
    "maximum-likelihood fit, IRF known": fit_method,
    "maximum-likelihood fit, IRF fitted too": fit_irf_method,
    "maximum-likelihood fit, nominal IRF, shift fitted": fit_shift_method,
}


def table(name: str, method: Method, preset: str, pixels: int, each: int, seed: int) -> list[str]:
    """Lines of figures: of ``pixels`` decays, and of ``each`` for each group of peaks and condition."""
    conditions = preset_by_name(preset)
    started = time.monotonic()
    errors = fresh_errors(method, conditions, pixels, (seed, 0))
    seconds = time.monotonic() - started
    lines = [f"{name}: {pixels:,} fresh decays in {seconds:.0f} s, {each:,} for each other line"]
    rows = {"all": errors.figures()}
    rows |= {f"peak {counts}": figures for counts, figures in by_peak(method, conditions, each, seed).items()}
    rows |= by_condition(method, conditions, each, seed + 1)
    return lines + _lines(rows)


def beside_the_floor(methods: dict[str, Method], preset: str, pixels: int, seed: int) -> list[str]:
    """Lines of figures of the Bayes floor of the counts alone and of every method, on the same decays."""
    decays = simulate(preset_by_name(preset), pixels, (seed, 0, STREAM, 0), split=IrfSplit.TEST)
    means = estimates_from_counts_alone(decays)
    lifetimes = MeanLifetimes(means.tau_m_ns, means.amplitude_fraction)
    predictions: dict[str, Prediction] = {"Bayes floor, counts alone": (means.sfd, lifetimes)}
    predictions |= {name: method(decays) for name, method in methods.items()}
    rows = {name: PixelErrors.of(sfd, decays, found).figures() for name, (sfd, found) in predictions.items()}
    return [f"all on the same {pixels:,} fresh decays", *_lines(rows)]


def _lines(rows: dict[str, dict[str, float]]) -> list[str]:
    width = max(map(len, rows))
    lines = [f"{'':{width}s} " + " ".join(f"{figure:>13s}" for figure in FIGURES)]
    for name, figures in rows.items():
        lines.append(f"{name:{width}s} " + " ".join(f"{figures.get(f, math.nan):13.5f}" for f in FIGURES))
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="accuracy of checkpoints and the fits, also where they break"
    )
    parser.add_argument("checkpoints", nargs="+", help="names in models/checkpoints, or FILE.npz")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="paper135")
    parser.add_argument("--pixels", type=int, default=100_000)
    parser.add_argument(
        "--each", type=int, default=10_000, help="decays of each group of peak counts, and condition"
    )
    parser.add_argument("--floor", type=int, default=0, metavar="N", help="decays beside the Bayes floor")
    parser.add_argument("--seed", type=int, default=20_262)
    given = parser.parse_args()
    methods: dict[str, Method] = {}
    counts = given.pixels, given.each
    try:
        for name in given.checkpoints:
            model = load_checkpoint(name)
            methods[name] = lambda decays, model=model: (predict_integer(model, decays.counts), None)
        for name, method in (methods | FITS).items():
            print("\n".join(table(name, method, given.preset, *counts, given.seed)), flush=True)
        if given.floor:
            print("\n".join(beside_the_floor(methods | FITS, given.preset, given.floor, given.seed)))
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
