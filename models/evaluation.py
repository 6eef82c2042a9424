# SPDX-License-Identifier: BSD-3-Clause
"""Accuracy of Seq2SeqLite models on simulated decays: decay channels and mean lifetime.

Run ``python -m finn_flirnn.models.evaluation NAME|FILE`` for the table of a checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch

from finn_flirnn.models.fused import KernelUnavailable, from_blocks, fused_forward, to_blocks
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.numerics import Reals
from finn_flirnn.physics.decays import CHANNELS, Decays, simulate
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import lifetime_errors, mean_r2, rmse
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PRESETS, preset_by_name

CHUNK = 2048


def predict_integer(model: Seq2SeqLite, counts: npt.NDArray[np.generic]) -> Reals:
    """Sample decays by the integer model: raw counts (pixels, T) -> (pixels, T, O) values."""
    network = model.to_network()
    codes = network.input_format.quantise(normalise(counts)[:, :, None])
    return network.output_format.dequantise(network.run(codes))


def predict_float(model: Seq2SeqLite, counts: npt.NDArray[np.generic]) -> Reals:
    """Sample decays by the float model on the same weights: (pixels, T) -> (pixels, T, O)."""
    predicted = predict_unquantised(model, torch.from_numpy(normalise(counts)[:, :, None]))
    return predicted.double().numpy()


def predict_unquantised(model: Seq2SeqLite, x: torch.Tensor) -> torch.Tensor:
    """The float model on inputs that are normalised already: (pixels, T, I) -> (pixels, T, O) float32.

    Without decoder (pixels, O).
    """
    y = []
    before, training = model.quantised, model.training
    model.quantised = False
    try:
        with torch.no_grad():
            for i in range(0, max(len(x), 1), CHUNK):
                y.append(_forward(model, x[i : i + CHUNK]))
    finally:
        model.quantised = before
        model.train(training)
    return torch.cat(y)


def _forward(model: Seq2SeqLite, x: torch.Tensor) -> torch.Tensor:
    try:
        return from_blocks(fused_forward(model, to_blocks(x)), len(x))
    except KernelUnavailable:
        return torch.as_tensor(model(x))


def accuracy(predicted: Reals, decays: Decays) -> dict[str, float]:
    """rmse_*, r2_* of the channels and tau_m_mae_ns, as report/accuracy.json names them.

    predicted: decays (pixels, T, 3); or lifetimes (pixels, 2), which have tau_m_mae_ns and fraction_mae.
    """
    preset = decays.preset
    if predicted.ndim == 2:
        direct = MeanLifetimes.from_outputs(predicted, preset.gates, preset.gate_step_ns)
        figures = {
            "tau_m_mae_ns": float(np.abs(direct.tau_m_ns - decays.tau_m_ns).mean()),
            "fraction_mae": float(np.abs(direct.amplitude_fraction - decays.amplitude_fraction).mean()),
        }
        return {name: round(value, 6) for name, value in figures.items()}
    errors = lifetime_errors(lifetimes_from_sfd(predicted, preset.gate_step_ns), decays)
    figures = {"tau_m_mae_ns": errors.tau_m_ns}
    for name, measure in (("rmse", rmse), ("r2", mean_r2)):
        values = measure(predicted, decays.sfd)
        figures |= {f"{name}_{channel}": float(values[c]) for c, channel in enumerate(CHANNELS)}
    return {name: round(value, 6) for name, value in figures.items()}


def headline(metrics: Mapping[str, float]) -> tuple[str, float]:
    """The figure by which models of a kind are compared, named for people; lower is better."""
    if "rmse_full" in metrics:
        return "full RMSE", metrics["rmse_full"]
    return "tau_m MAE (ns)", metrics["tau_m_mae_ns"]


def evaluate(model: Seq2SeqLite, preset: str, pixels: int, seed: int) -> dict[str, dict[str, float]]:
    """Accuracy of the integer model and of the float model on its weights: {"integer": ..., "float": ...}."""
    decays = simulate(preset_by_name(preset), pixels, seed, split=IrfSplit.TEST)
    return {
        "integer": accuracy(predict_integer(model, decays.counts), decays),
        "float": accuracy(predict_float(model, decays.counts), decays),
    }


def main() -> None:
    """Print the accuracy of a checkpoint on fresh decays."""
    from finn_flirnn.models.checkpoints import load_checkpoint

    parser = argparse.ArgumentParser(description="accuracy of a checkpoint on fresh simulated decays")
    parser.add_argument("checkpoint", help="a name in models/checkpoints, or FILE.npz")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="paper135")
    parser.add_argument("--pixels", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20_261)
    given = parser.parse_args()
    try:
        rows = evaluate(load_checkpoint(given.checkpoint), given.preset, given.pixels, given.seed)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    for kind, row in rows.items():
        print(f"{kind:8s}", "  ".join(f"{name} {value:.5f}" for name, value in row.items()))


if __name__ == "__main__":
    main()
