# SPDX-License-Identifier: BSD-3-Clause
"""Responses of very many decays, each with lifetimes and an IRF of its own, in single precision.

The Fourier series of ``physics.response.HarmonicResponse``, with the sum over components taken before the
series is evaluated, and in real numbers: some ten times as fast as exact gate integrals of every component.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals
from finn_flirnn.physics.decays import Floats
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.presets import Preset
from finn_flirnn.physics.response import HarmonicResponse

TOLERANCE = 1e-6
"""Of a decay's amplitude; single precision leaves about as much."""


@dataclass(frozen=True)
class DrawnResponse:
    """omega: (harmonics,) in 1/ns. waves: (2 * harmonics, gates) about the preset's IRF position.

    mean: of a decay of unit integral, a gate.
    """

    position_ns: float
    omega: Floats
    waves: Floats
    mean: float

    @classmethod
    def of(cls, preset: Preset) -> DrawnResponse:
        """For all IRFs that a preset may draw."""
        narrowest = preset.irf_fwhm_range_ns[0] * (1 - preset.irf_width_jitter)
        irf = EmgIrf(preset.irf_position_ns, narrowest, preset.irf_tail_ratio_range[1])
        series = HarmonicResponse.of(preset.grid, irf, TOLERANCE)
        harmonics = len(series.omega)
        # Shifts are small against the position, so their phases suffer single precision.
        turned = series.waves[:harmonics] - 1j * series.waves[harmonics:]
        turned *= np.exp(-1j * series.omega * preset.irf_position_ns)[:, None]
        return cls(
            preset.irf_position_ns,
            series.omega.astype(np.float32),
            np.concatenate([turned.real, -turned.imag]).astype(np.float32),
            preset.gate_width_ns / preset.laser_period_ns,
        )

    def response(self, lifetimes_ns: Reals, amplitudes: Reals, irf: EmgIrf) -> Floats:
        """Photons of every gate, not below 0: (draws, gates).

        lifetimes_ns, amplitudes: (draws, components). irf: its parameters numbers or (draws,).
        """
        omega, squares = self.omega, self.omega**2
        rates = (1 / lifetimes_ns).astype(np.float32)
        heights = amplitudes.astype(np.float32)
        real, imaginary = np.zeros((2, len(rates), len(omega)), np.float32)
        for rate, height in zip(rates.T[:, :, None], heights.T[:, :, None], strict=True):
            share = height / (squares + rate * rate)
            real += rate * share
            imaginary -= share
        imaginary *= omega
        shift, sigma, tail = (
            np.atleast_1d(np.asarray(value, np.float32))[:, None]
            for value in (irf.position_ns - self.position_ns, irf.sigma_ns, irf.tail_ns)
        )
        envelope = np.exp(-0.5 * squares * (sigma * sigma))
        cosine, sine = envelope * np.cos(omega * shift), envelope * np.sin(omega * shift)
        if np.any(tail):
            # times 1 / (1 + i omega tail)
            lag = omega * tail
            cosine, sine = (cosine - lag * sine) / (1 + lag * lag), (sine + lag * cosine) / (1 + lag * lag)
        series = np.concatenate([real * cosine + imaginary * sine, imaginary * cosine - real * sine], axis=1)
        photons = series @ self.waves
        photons += (self.mean * (amplitudes * lifetimes_ns).sum(axis=1)).astype(np.float32)[:, None]
        return np.asarray(np.maximum(photons, 0, out=photons))
