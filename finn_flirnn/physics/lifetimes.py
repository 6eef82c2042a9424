# SPDX-License-Identifier: BSD-3-Clause
"""Lifetimes and fractions read off predicted sample decays.

The published reading is tau_i = integral(channel_i) / channel_i[0] and a = a1 / (a1 + a2) at t = 0.
The integral of a sampled exponential over a finite window is known exactly, so it is inverted exactly:

    S = sum_k x[k] / x[0] = (1 - q^N) / (1 - q),   q = exp(-step / tau)

A plain sum would be wrong by half a gate, and the window would cut off the tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.numerics.fixed_point import Reals

SHORTEST_PER_STEP = 0.1
LONGEST_PER_WINDOW = 1.0
DIRECT_OUTPUTS = ("tau_m_per_window", "amplitude_fraction")
"""What a model that predicts lifetimes gives for a pixel: tau_m in lengths of the window, and a."""


@dataclass(frozen=True)
class Lifetimes:
    """Lifetimes in ns and fractions of two components, (pixels,) each; tau1 is the shorter.

    amplitude_fraction a = A1 / (A1 + A2); photon_fraction f1 = a tau1 / tau_m;
    tau_m_ns = a tau1 + (1 - a) tau2 (amplitude mean); tau_i_ns = sum(a tau^2) / sum(a tau) (intensity
    mean). valid: false where there is no decay to read; the other values are then 0.
    """

    tau1_ns: Reals
    tau2_ns: Reals
    amplitude_fraction: Reals
    photon_fraction: Reals
    tau_m_ns: Reals
    tau_i_ns: Reals
    valid: npt.NDArray[np.bool_]

    @classmethod
    def from_components(
        cls,
        tau1_ns: Reals,
        tau2_ns: Reals,
        amplitude_fraction: Reals,
        valid: npt.NDArray[np.bool_] | None = None,
        tau_m_ns: Reals | None = None,
    ) -> Lifetimes:
        """Complete the means and the photon fraction; ``tau_m_ns`` may be known better than from these."""
        if valid is None:
            valid = np.ones(tau1_ns.shape, np.bool_)
        first = amplitude_fraction * tau1_ns
        second = (1 - amplitude_fraction) * tau2_ns
        total = np.where(valid, first + second, 1.0)
        tau_i = (first * tau1_ns + second * tau2_ns) / total

        def kept(values: Reals) -> Reals:
            return np.where(valid, values, 0.0)

        return cls(
            tau1_ns=kept(tau1_ns),
            tau2_ns=kept(tau2_ns),
            amplitude_fraction=kept(amplitude_fraction),
            photon_fraction=kept(first / total),
            tau_m_ns=kept(first + second if tau_m_ns is None else tau_m_ns),
            tau_i_ns=kept(tau_i),
            valid=valid,
        )


def sample_decays(
    times_ns: Reals, tau1_ns: Reals, tau2_ns: Reals, amplitude_fraction: Reals
) -> npt.NDArray[np.float32]:
    """The sample's own decay: (pixels, times, 3) float32, channels full, short, long; full is 1 at t = 0.

    >>> sample_decays(np.array([0.0]), np.array([1.0]), np.array([2.0]), np.array([0.25])).tolist()
    [[[1.0, 0.25, 0.75]]]
    """
    fraction = amplitude_fraction[:, None]
    short = fraction * np.exp(-times_ns / tau1_ns[:, None])
    long = (1 - fraction) * np.exp(-times_ns / tau2_ns[:, None])
    return np.stack([short + long, short, long], axis=2).astype(np.float32)


@dataclass(frozen=True)
class MeanLifetimes:
    """What a model says that predicts lifetimes and no decays, (pixels,) each: see ``Lifetimes``."""

    tau_m_ns: Reals
    amplitude_fraction: Reals

    @classmethod
    def from_outputs(cls, outputs: npt.NDArray[Any], gates: int, gate_step_ns: float) -> MeanLifetimes:
        """From ``DIRECT_OUTPUTS`` (pixels, 2), clipped as ``lifetimes_from_sfd`` clips.

        >>> MeanLifetimes.from_outputs(np.array([[0.25, 1.1]]), gates=100, gate_step_ns=0.1)
        MeanLifetimes(tau_m_ns=array([2.5]), amplitude_fraction=array([1.]))
        """
        if outputs.ndim != 2 or outputs.shape[1] != len(DIRECT_OUTPUTS):
            raise ValueError(f"outputs must be (pixels, 2): {DIRECT_OUTPUTS}; got shape {outputs.shape}")
        window = gates * gate_step_ns
        values = outputs.astype(np.float64)
        return cls(
            np.clip(values[:, 0] * window, SHORTEST_PER_STEP * gate_step_ns, LONGEST_PER_WINDOW * window),
            np.clip(values[:, 1], 0.0, 1.0),
        )

    def as_outputs(self, gates: int, gate_step_ns: float) -> npt.NDArray[np.float32]:
        """``DIRECT_OUTPUTS`` of these lifetimes, (pixels, 2)."""
        scaled = self.tau_m_ns / (gates * gate_step_ns)
        return np.stack([scaled, self.amplitude_fraction], axis=1).astype(np.float32)


def lifetimes_from_sfd(sfd: npt.NDArray[Any], gate_step_ns: float) -> Lifetimes:
    """Read lifetimes off sample decays (pixels, gates, 3): channels full, short, long at the gate starts.

    Noise is not clipped sample by sample, which would lengthen every decay; results are clipped instead:
    lifetimes to a tenth of a gate up to the window, the fraction to 0 to 1. A component without
    amplitude takes the other's lifetime. tau_m is read off the full channel, which is by far the best
    known, and corrected for step and window by the components. Exact on noise-free sample decays.

    >>> t = np.arange(135) * 0.09
    >>> short, long = 0.25 * np.exp(-t / 0.5), 0.75 * np.exp(-t / 2.5)
    >>> found = lifetimes_from_sfd(np.stack([short + long, short, long], axis=-1)[None], 0.09)
    >>> [round(float(v[0]), 6) for v in (found.tau1_ns, found.tau2_ns, found.tau_m_ns)]
    [0.5, 2.5, 2.0]
    """
    if sfd.ndim != 3 or sfd.shape[2] != 3 or sfd.shape[1] < 2:
        raise ValueError(f"sfd must be (pixels, gates, 3): full, short, long; got shape {sfd.shape}")
    if not gate_step_ns > 0:
        raise ValueError(f"gate_step_ns must be positive, got {gate_step_ns}; give the gate step in ns")
    values = sfd.astype(np.float64)
    if not np.all(np.isfinite(values)):
        raise ValueError("sfd must be finite, got NaN or infinity; check the model that predicted it")
    gates = values.shape[1]
    start = np.maximum(values[:, 0, :], 0.0)
    sums = values.sum(axis=1)
    valid = (start[:, 0] > 0) & (start[:, 1] + start[:, 2] > 0)
    tau1, tau2 = (
        _invert_sum(
            np.divide(sums[:, c], start[:, c], out=np.zeros(len(start)), where=start[:, c] > 0),
            gates,
            gate_step_ns,
        )
        for c in (1, 2)
    )
    tau1 = np.where(start[:, 1] > 0, tau1, tau2)
    tau2 = np.where(start[:, 2] > 0, tau2, tau1)
    total = np.where(valid, start[:, 1] + start[:, 2], 1.0)
    fraction = start[:, 1] / total
    swap = tau1 > tau2
    tau1, tau2 = np.minimum(tau1, tau2), np.maximum(tau1, tau2)
    fraction = np.where(swap, 1 - fraction, fraction)
    # The trapezium over the window, then what it misses of the two components.
    full_start = np.where(valid, start[:, 0], 1.0)
    trapezium = gate_step_ns * (sums[:, 0] - 0.5 * (values[:, 0, 0] + values[:, -1, 0])) / full_start
    missed = fraction * _missed(tau1, gates, gate_step_ns) + (1 - fraction) * _missed(
        tau2, gates, gate_step_ns
    )
    tau_m = np.clip(trapezium + missed, SHORTEST_PER_STEP * gate_step_ns, gates * gate_step_ns)
    return Lifetimes.from_components(tau1, tau2, fraction, valid, tau_m)


def _invert_sum(sums: Reals, gates: int, step_ns: float) -> Reals:
    """Lifetime in ns whose sampled exponential of ``gates`` samples sums to ``sums`` (pixels,)."""
    shortest, longest = SHORTEST_PER_STEP * step_ns, LONGEST_PER_WINDOW * gates * step_ns
    # 48 halvings of the decay rate: the sum grows monotonically with the lifetime.
    low = np.full(sums.shape, step_ns / longest)
    high = np.full(sums.shape, step_ns / shortest)
    for _ in range(48):
        middle = 0.5 * (low + high)
        longer = sums > np.expm1(-gates * middle) / np.expm1(-middle)
        high = np.where(longer, middle, high)
        low = np.where(longer, low, middle)
    return np.asarray(step_ns / (0.5 * (low + high)))


def _missed(tau_ns: Reals, gates: int, step_ns: float) -> Reals:
    """Integral of exp(-t / tau) over t >= 0 less its trapezium over the window."""
    rate = step_ns / tau_ns
    last = np.exp(-(gates - 1) * rate)
    total = np.expm1(-gates * rate) / np.expm1(-rate)
    return np.asarray(tau_ns - step_ns * (total - 0.5 * (1 + last)))
