# SPDX-License-Identifier: BSD-3-Clause
"""Step accuracy: every model, and the classical fits, judged on the same fresh decays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import Stimulus, judged_decays
from finn_flirnn.numerics import Reals
from finn_flirnn.physics.fresh_test import fit_method, fit_shift_method
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import mean_r2, rmse
from finn_flirnn.physics.prior import prior_mean_sfd, prior_median

CHANNELS = ("full", "short", "long")
FITS = {"fit": fit_method, "fit_shift": fit_shift_method}
EXAMPLE_PEAKS = (100.0, 400.0, 1500.0)
Row = dict[str, Any]


def run(context: BuildContext) -> None:
    """Write report/accuracy.json, and what the report's figures show to a part."""
    config, network = context.config, context.network
    judged = judged_decays(config, network.input_format)
    pixels, preset = config.accuracy.pixels, judged.decays.preset
    integer = network.output_format.dequantise(network.run(judged.codes[:pixels]))
    with np.load(context.output / PARTS / "rtl_codes.npz") as archive:
        codes = archive["codes"]
    rows = []
    for name, predict in context.source.predictors().items():
        context.tell(f"{name} model")
        rows.append(_row(name, predict(judged.signal[:pixels]), judged))
    rows.append(_row("integer", integer, judged))
    hardware = network.output_format.dequantise(codes.reshape(len(codes), *network.output_shape))
    rows.append(_row("rtl", hardware, judged))
    fits: dict[str, Lifetimes] = {}
    for name, method in FITS.items():
        context.tell(f"maximum-likelihood {name.replace('_', ', ')}")
        decays, found = method(judged.decays.of_pixels(slice(pixels)))
        assert isinstance(found, Lifetimes)
        fits[name] = found
        rows.append(_row(name, decays if network.decoders else None, judged, found))
    prior = np.broadcast_to(prior_mean_sfd(preset), integer.shape) if network.decoders else None
    rows.append(_row("prior", prior, judged, prior_median(preset, pixels)))
    data = {"preset": config.accuracy.preset, "seed": config.accuracy.seed, "pixels": pixels}
    context.report("accuracy", {"data": data, "rows": rows})
    _save_examples(context, judged, integer, fits["fit"])


def _row(
    model: str,
    predicted: npt.NDArray[Any] | None,
    judged: Stimulus,
    lifetimes: Lifetimes | None = None,
) -> Row:
    """Errors against the first so many judged decays.

    predicted: sample decays (pixels, gates, 3), a model's lifetimes (pixels, 2), or None for a method that
    gives nothing but ``lifetimes``.
    """
    truth = judged.decays
    found = lifetimes or _read(predicted, judged)
    pixels = len(found.tau_m_ns)
    row: Row = {"model": model, "pixels": pixels}
    if predicted is not None and predicted.ndim == 3:
        errors, r2 = rmse(predicted, truth.sfd[:pixels]), mean_r2(predicted, truth.sfd[:pixels])
        row |= {f"rmse_{name}": float(value) for name, value in zip(CHANNELS, errors, strict=True)}
        row |= {f"r2_{name}": _number(value) for name, value in zip(CHANNELS, r2, strict=True)}
    row["tau_m_mae_ns"] = float(np.abs(found.tau_m_ns - truth.tau_m_ns[:pixels]).mean())
    row["fraction_mae"] = float(np.abs(found.amplitude_fraction - truth.amplitude_fraction[:pixels]).mean())
    return row


def _read(predicted: npt.NDArray[Any] | None, judged: Stimulus) -> Lifetimes | MeanLifetimes:
    """Lifetimes that a model gives, or that its decays hold."""
    assert predicted is not None
    preset = judged.decays.preset
    if predicted.ndim == 2:
        return MeanLifetimes.from_outputs(predicted, preset.gates, preset.gate_step_ns)
    return lifetimes_from_sfd(predicted, preset.gate_step_ns)


def _number(value: float) -> float | None:
    """A float for JSON, which has no NaN."""
    return None if np.isnan(value) else float(value)


def _save_examples(context: BuildContext, judged: Stimulus, integer: Reals, fitted: Lifetimes) -> None:
    truth = judged.decays
    pixels = len(integer)
    chosen = [int(np.abs(truth.peak_counts[:pixels] - peak).argmin()) for peak in EXAMPLE_PEAKS]
    decays: Row = {"predicted": integer[chosen].astype(np.float32)} if integer.ndim == 3 else {}
    np.savez_compressed(
        context.make(f"{PARTS}/accuracy_examples.npz"),
        gate_step_ns=truth.preset.gate_step_ns,
        peaks=truth.peak_counts[chosen],
        signal=judged.signal[chosen],
        truth=truth.sfd[chosen],
        tau_m_ns=truth.tau_m_ns[:pixels].astype(np.float32),
        tau_m_integer_ns=_read(integer, judged).tau_m_ns.astype(np.float32),
        tau_m_fit_ns=fitted.tau_m_ns.astype(np.float32),
        **decays,
    )
