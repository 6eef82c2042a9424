# SPDX-License-Identifier: BSD-3-Clause
"""A network's lifetimes of a measured image against those of the maximum-likelihood fit.

A measurement has no ground truth. So this tells how far the two agree and where they do not, and for both how
well their decays describe what was measured (residual deviance, on the instrument's own bins).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import expected_shape
from finn_flirnn.physics.fit import FitResult
from finn_flirnn.physics.image import PreparedImage
from finn_flirnn.physics.lifetimes import Lifetimes, MeanLifetimes

CLOSE_NS = 0.1


@dataclass(frozen=True)
class Agreement:
    """Mean lifetimes of the network against those of the maximum-likelihood fit, over the mask."""

    pixels: int
    median_network_ns: float
    median_fit_ns: float
    median_difference_ns: float
    mean_absolute_difference_ns: float
    correlation: float
    within_100_ps: float

    @classmethod
    def of(cls, network_ns: Reals, fit_ns: Reals) -> Agreement:
        """Compare (pixels,) lifetimes."""
        difference = network_ns - fit_ns
        varied = network_ns.std() > 0 and fit_ns.std() > 0
        return cls(
            pixels=len(difference),
            median_network_ns=float(np.median(network_ns)),
            median_fit_ns=float(np.median(fit_ns)),
            median_difference_ns=float(np.median(difference)),
            mean_absolute_difference_ns=float(np.abs(difference).mean()),
            correlation=float(np.corrcoef(network_ns, fit_ns)[0, 1]) if varied else 0.0,
            within_100_ps=float((np.abs(difference) <= CLOSE_NS).mean()),
        )

    def __str__(self) -> str:
        return (
            f"{self.pixels:,} pixels: median {self.median_network_ns:.3f} ns, fit {self.median_fit_ns:.3f}; "
            f"mean absolute difference {self.mean_absolute_difference_ns:.3f} ns, correlation "
            f"{self.correlation:.3f}, {100 * self.within_100_ps:.0f} % within {CLOSE_NS:g} ns"
        )


HALVINGS = 24
SHORTEST_NS = 0.01
"""In place of the zero of a pixel in which a network found no decay."""
POOR_FIT = 1.3
"""Deviance per gate of the fit from which on two components and the IRF do not describe a pixel."""


def agreement_by_pixels(
    prepared: PreparedImage, network: Lifetimes | MeanLifetimes, fit: FitResult
) -> dict[str, tuple[Agreement, float | None, float]]:
    """Agreement, and median deviance per gate of the network's decays and of the fit's, by group of pixels.

    network, fit: of the mask's pixels. Groups: all, thirds by photons, and pixels that the fit itself
    describes poorly; those without pixels are left out. Mean lifetimes alone describe no decay: None.
    """
    photons = prepared.photons[prepared.mask]
    gates = np.count_nonzero(prepared.used_gates)
    of_fit = fit.deviance / gates
    of_network = residual_deviance(prepared, network) / gates if isinstance(network, Lifetimes) else None
    low, high = np.quantile(photons, [1 / 3, 2 / 3])
    groups = {
        "all": np.ones(len(photons), np.bool_),
        f"up to {low:,.0f} photons": photons <= low,
        f"{low:,.0f} to {high:,.0f} photons": (photons > low) & (photons <= high),
        f"above {high:,.0f} photons": photons > high,
        f"fit's deviance above {POOR_FIT} a gate": of_fit > POOR_FIT,
    }
    return {
        name: (
            Agreement.of(network.tau_m_ns[chosen], fit.lifetimes.tau_m_ns[chosen]),
            None if of_network is None else float(np.median(of_network[chosen])),
            float(np.median(of_fit[chosen])),
        )
        for name, chosen in groups.items()
        if chosen.any()
    }


def residual_deviance(prepared: PreparedImage, found: Lifetimes) -> Reals:
    """Poisson deviance of decays with these lifetimes, of the mask's pixels, on the instrument's bins.

    Amplitude and background, which a network does not give, are the likeliest ones for its lifetimes.
    """
    counts = prepared.measured[prepared.mask][:, prepared.used_gates].astype(np.float64)
    first, second = (np.maximum(tau, SHORTEST_NS) for tau in (found.tau1_ns, found.tau2_ns))
    shape = expected_shape(prepared.grid, prepared.irf.irf, first, second, found.amplitude_fraction)
    expected = _scaled(counts, shape[:, prepared.used_gates])
    ratio = np.log(np.maximum(counts, 1e-6) / expected)
    return np.asarray(2 * (expected - counts + np.where(counts > 0, counts * ratio, 0.0)).sum(axis=1))


def _scaled(counts: Reals, shape: Reals) -> Reals:
    """amplitude * shape + background, both not negative, of the greatest likelihood: (pixels, gates).

    The likelihood is concave in the signal's share of the photons, so its slope is halved to zero.
    """
    signal = shape / shape.sum(axis=1, keepdims=True)
    flat = 1 / signal.shape[1]
    photons = counts.sum(axis=1, keepdims=True)
    low, high = np.zeros_like(photons), np.ones_like(photons)
    for _ in range(HALVINGS):
        share = 0.5 * (low + high)
        mixed = share * signal + (1 - share) * flat
        slope = (counts * (signal - flat) / mixed).sum(axis=1, keepdims=True)
        low, high = np.where(slope > 0, share, low), np.where(slope > 0, high, share)
    return np.asarray(np.maximum(photons * (low * signal + (1 - low) * flat), 1e-6))
