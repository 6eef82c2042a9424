# SPDX-License-Identifier: BSD-3-Clause
"""Step accuracy: every model, and the classical fit, judged on the same fresh decays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import Stimulus, judged_decays
from finn_flirnn.numerics import Reals
from finn_flirnn.physics.decays import sample_decays
from finn_flirnn.physics.fit import fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.lifetimes import Lifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import mean_r2, rmse
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median

CHANNELS = ("full", "short", "long")
EXAMPLE_PEAKS = (100.0, 400.0, 1500.0)
Row = dict[str, Any]


def run(context: BuildContext) -> None:
    """Write report/accuracy.json, and what the report's figures show to a part."""
    config, network = context.config, context.network
    judged = judged_decays(config, network.input_format)
    pixels = config.accuracy.pixels
    integer = network.output_format.dequantise(network.run(judged.codes[:pixels]))
    with np.load(context.output / PARTS / "rtl_codes.npz") as archive:
        hardware = network.output_format.dequantise(archive["codes"])
    rows = []
    for name, predict in context.source.predictors().items():
        context.tell(f"{name} model")
        rows.append(_row(name, predict(judged.signal[:pixels]), judged))
    rows.append(_row("integer", integer, judged))
    rows.append(_row("rtl", hardware, judged))
    context.tell("maximum-likelihood fit")
    fitted = _fit(judged, pixels)
    grid = judged.decays.preset.grid
    sfd = sample_decays(grid.starts_ns, fitted.tau1_ns, fitted.tau2_ns, fitted.amplitude_fraction)
    rows.append(_row("fit", sfd, judged, fitted))
    prior = np.broadcast_to(prior_mean_sfd(judged.decays.preset), integer.shape)
    rows.append(_row("prior", prior, judged, prior_median(judged.decays.preset, pixels)))
    data = {"preset": config.accuracy.preset, "seed": config.accuracy.seed, "pixels": pixels}
    context.report("accuracy", {"data": data, "rows": rows})
    _save_examples(context, judged, integer, fitted)


def _row(model: str, sfd: npt.NDArray[Any], judged: Stimulus, lifetimes: Lifetimes | None = None) -> Row:
    """Errors of predicted sample decays (pixels, gates, 3) against the first so many judged decays."""
    pixels, truth = len(sfd), judged.decays
    found = lifetimes or lifetimes_from_sfd(sfd, truth.preset.gate_step_ns)
    errors, r2 = rmse(sfd, truth.sfd[:pixels]), mean_r2(sfd, truth.sfd[:pixels])
    row: Row = {"model": model, "pixels": pixels}
    row |= {f"rmse_{name}": float(value) for name, value in zip(CHANNELS, errors, strict=True)}
    row |= {f"r2_{name}": _number(value) for name, value in zip(CHANNELS, r2, strict=True)}
    row["tau_m_mae_ns"] = float(np.abs(found.tau_m_ns - truth.tau_m_ns[:pixels]).mean())
    return row


def _number(value: float) -> float | None:
    """A float for JSON, which has no NaN."""
    return None if np.isnan(value) else float(value)


def _fit(judged: Stimulus, pixels: int) -> Lifetimes:
    truth = judged.decays
    preset = truth.preset
    irf = EmgIrf(
        preset.irf_position_ns + truth.irf_shift_ns[:pixels],
        truth.irf_fwhm_ns[:pixels],
        truth.irf_tail_ratio[:pixels],
    )
    return fit_decays(truth.counts[:pixels], preset.grid, irf).lifetimes


def _save_examples(context: BuildContext, judged: Stimulus, integer: Reals, fitted: Lifetimes) -> None:
    truth = judged.decays
    pixels = len(integer)
    chosen = [int(np.abs(truth.peak_counts[:pixels] - peak).argmin()) for peak in EXAMPLE_PEAKS]
    np.savez_compressed(
        context.make(f"{PARTS}/accuracy_examples.npz"),
        gate_step_ns=truth.preset.gate_step_ns,
        peaks=truth.peak_counts[chosen],
        signal=judged.signal[chosen],
        truth=truth.sfd[chosen],
        predicted=integer[chosen].astype(np.float32),
        tau_m_ns=truth.tau_m_ns[:pixels].astype(np.float32),
        tau_m_integer_ns=lifetimes_from_sfd(integer, truth.preset.gate_step_ns).tau_m_ns.astype(np.float32),
        tau_m_fit_ns=fitted.tau_m_ns.astype(np.float32),
    )
