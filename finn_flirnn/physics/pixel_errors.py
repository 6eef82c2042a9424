# SPDX-License-Identifier: BSD-3-Clause
"""Errors of every pixel, small enough to keep for any number of decays, and figures of some or all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import CHANNELS, Decays
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.metrics import IDENTIFIABLE_FRACTION, peak_groups


@dataclass(frozen=True)
class PixelErrors:
    """squares, truth_sums, truth_squares: (pixels, 3) over a pixel's gates, of the errors and of the truth.

    tau_m_ns, tau1_ns, tau2_ns, fraction: (pixels,) absolute errors; NaN where a component is too weak to
    have a lifetime (``metrics.lifetime_errors``), or was not predicted. peak_counts: (pixels,). gates:
    (pixels,), equal for all.
    """

    squares: Reals
    truth_sums: Reals
    truth_squares: Reals
    tau_m_ns: Reals
    tau1_ns: Reals
    tau2_ns: Reals
    fraction: Reals
    peak_counts: Reals
    gates: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls, predicted: npt.NDArray[Any], decays: Decays, lifetimes: Lifetimes | MeanLifetimes | None = None
    ) -> PixelErrors:
        """Errors of predictions; lifetimes: None to read them off.

        predicted: sample decays (pixels, gates, 3), or ``DIRECT_OUTPUTS`` (pixels, 2), which leave the errors
        of decays unknown. Raises ValueError for other shapes.
        """
        preset = decays.preset
        if predicted.ndim == 2:
            found = lifetimes or MeanLifetimes.from_outputs(predicted, preset.gates, preset.gate_step_ns)
            sfd: npt.NDArray[Any] = np.full(decays.sfd.shape, np.nan)
        else:
            sfd = predicted
            if sfd.shape != decays.sfd.shape:
                raise ValueError(f"predictions {sfd.shape} must be of the decays' shape {decays.sfd.shape}")
            found = lifetimes or lifetimes_from_sfd(sfd, preset.gate_step_ns)
        tau1, tau2 = np.full((2, len(decays)), np.nan)
        if isinstance(found, Lifetimes):
            tau1, tau2 = found.tau1_ns, found.tau2_ns
        truth = decays.sfd.astype(np.float64)
        fraction = decays.amplitude_fraction
        first, second = fraction >= IDENTIFIABLE_FRACTION, fraction <= 1 - IDENTIFIABLE_FRACTION
        return cls(
            squares=np.square(sfd - truth).sum(axis=1),
            truth_sums=truth.sum(axis=1),
            truth_squares=np.square(truth).sum(axis=1),
            tau_m_ns=np.abs(found.tau_m_ns - decays.tau_m_ns),
            tau1_ns=np.where(first, np.abs(tau1 - decays.tau1_ns), np.nan),
            tau2_ns=np.where(second, np.abs(tau2 - decays.tau2_ns), np.nan),
            fraction=np.abs(found.amplitude_fraction - fraction),
            peak_counts=decays.peak_counts,
            gates=np.full(len(decays), truth.shape[1]),
        )

    @classmethod
    def joined(cls, parts: Sequence[PixelErrors]) -> PixelErrors:
        """The pixels of all parts."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))

    def __len__(self) -> int:
        return len(self.peak_counts)

    def of_pixels(self, chosen: npt.NDArray[Any]) -> PixelErrors:
        """Some of the pixels."""
        return PixelErrors(*(getattr(self, f.name)[chosen] for f in fields(self)))

    def figures(self) -> dict[str, float]:
        """rmse_*, r2_* (pooled), l2_* (mean norm of a pixel's error) by channel, and mean absolute errors.

        tau_m_mae_ns, tau1_mae_ns, tau2_mae_ns, fraction_mae. What no pixel can tell is left out.
        """
        samples = self.gates.sum()
        spread = self.truth_squares.sum(axis=0) - self.truth_sums.sum(axis=0) ** 2 / samples
        wrong = self.squares.sum(axis=0)
        values = {
            "rmse": np.sqrt(wrong / samples),
            "r2": 1 - np.divide(wrong, spread, out=np.full(3, np.nan), where=spread > 0),
            "l2": np.sqrt(self.squares).mean(axis=0),
        }
        figures = {
            f"{name}_{channel}": of_channels[c]
            for name, of_channels in values.items()
            for c, channel in enumerate(CHANNELS)
        }
        figures["fraction_mae"] = self.fraction.mean()
        for name in ("tau_m_ns", "tau1_ns", "tau2_ns"):
            errors = getattr(self, name)
            known = errors[~np.isnan(errors)]
            figures[name.replace("_ns", "_mae_ns")] = known.mean() if known.size else np.nan
        return {name: round(float(v), 6) for name, v in figures.items() if np.isfinite(v)}

    def by_peak(self) -> dict[str, dict[str, float]]:
        """``figures`` of each group of peak counts that has decays: "50 to 100", and so on."""
        groups = peak_groups(self.peak_counts)
        return {
            f"{low:.0f} to {high:.0f}": self.of_pixels(chosen).figures()
            for (low, high), chosen in groups
            if chosen.size
        }
