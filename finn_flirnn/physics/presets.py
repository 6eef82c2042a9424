# SPDX-License-Identifier: BSD-3-Clause
"""Simulated instruments: gates, laser, instrument response and the prior of the sample.

The IRF positions leave at least ten gates before the rise for every shift and width that a preset can
draw, because the preprocessing takes the background from the first ten gates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from finn_flirnn.physics.gates import GateGrid
from finn_flirnn.physics.irf import FWHM_PER_SIGMA
from finn_flirnn.physics.preprocess import DARK_GATES

Range = tuple[float, float]


@dataclass(frozen=True)
class Preset:
    """An instrument and the prior from which its decays are drawn; ranges are (low, high), uniform.

    gates, gate_step_ns, gate_width_ns, laser_period_ns: the time axis, see ``GateGrid``.
    tau1_range_ns, tau2_range_ns: lifetimes of the two components. If the ranges overlap, the two draws
        are sorted, so that tau1 <= tau2 always.
    irf_fwhm_range_ns: full width at half maximum of the instrument response.
    irf_position_ns: nominal centre of its Gaussian part, relative to the start of gate 0.
    irf_shift_gates: every pixel's IRF is shifted by a uniform draw from +-this many gates.
    irf_width_jitter: every pixel's FWHM is multiplied by a uniform draw from 1 +- this.
    irf_tail_ratio_range: exponential tail of the IRF in units of the sigma of its Gaussian part; (0, 0)
        is a Gaussian IRF.
    peak_range: counts in the brightest gate of the noise-free decay, without background.
    background_fraction_range: background per gate as a fraction of that peak.
    mono_fraction: share of mono-exponential decays. They are the limits a = 0 and a = 1 of the same
        prior, at equal chance: the unused lifetime is drawn too and means nothing.
    read_noise_counts: standard deviation of a Gaussian camera read noise added after the Poisson draw;
        the sum is clipped at 0.
    """

    name: str
    gates: int
    gate_step_ns: float
    gate_width_ns: float
    laser_period_ns: float
    tau1_range_ns: Range
    tau2_range_ns: Range
    irf_position_ns: float
    irf_fwhm_range_ns: Range = (0.2, 0.3)
    irf_shift_gates: float = 2.0
    irf_width_jitter: float = 0.02
    irf_tail_ratio_range: Range = (0.0, 0.0)
    peak_range: Range = (50.0, 2000.0)
    background_fraction_range: Range = (0.0, 0.02)
    mono_fraction: float = 0.15
    read_noise_counts: float = 0.0

    def __post_init__(self) -> None:
        for name in ("tau1_range_ns", "tau2_range_ns", "irf_fwhm_range_ns", "peak_range"):
            _check_range(name, getattr(self, name), above=0.0)
        for name in ("irf_tail_ratio_range", "background_fraction_range"):
            _check_range(name, getattr(self, name))
        for name, limit in (("mono_fraction", 1.0), ("irf_width_jitter", 0.5)):
            if not 0 <= getattr(self, name) <= limit:
                raise ValueError(f"{name} must lie in 0 to {limit}, got {getattr(self, name)}")
        for name in ("irf_shift_gates", "read_noise_counts"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"{name} must be finite and not negative, got {getattr(self, name)}")
        if not self.peak_range[1] * (1 + self.background_fraction_range[1]) <= 50_000:
            raise ValueError(
                f"peak_range {self.peak_range} with its background must stay below 50000 counts, since "
                "counts are kept as 16-bit integers; lower the peak"
            )
        earliest = self.irf_position_ns - self.irf_shift_gates * self.gate_step_ns - self._widest_rise_ns
        dark = DARK_GATES * self.gate_step_ns + max(0.0, self.gate_width_ns - self.gate_step_ns)
        if not (earliest >= dark and self.irf_position_ns < self.grid.window_ns):
            raise ValueError(
                f"irf_position_ns={self.irf_position_ns} must leave {DARK_GATES} dark gates and lie in the "
                f"window: from {self.irf_position_ns + dark - earliest:.4g} to {self.grid.window_ns:.4g} ns"
            )

    @property
    def _widest_rise_ns(self) -> float:
        """Three sigma of the widest IRF: what comes earlier is 0.1 % of the photons."""
        return 3 * self.irf_fwhm_range_ns[1] * (1 + self.irf_width_jitter) / FWHM_PER_SIGMA

    @property
    def grid(self) -> GateGrid:
        """The time axis."""
        return GateGrid(self.gates, self.gate_step_ns, self.gate_width_ns, self.laser_period_ns)


def _check_range(name: str, bounds: Range, above: float | None = None) -> None:
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low <= high and low >= 0):
        raise ValueError(f"{name} must be (low, high) with 0 <= low <= high, got {bounds}")
    if above is not None and low <= above:
        raise ValueError(f"{name} must lie above {above:g}, got {bounds}")


PAPER135 = Preset(
    name="paper135",
    gates=135,
    gate_step_ns=0.09,
    gate_width_ns=0.09,
    laser_period_ns=12.5,
    tau1_range_ns=(0.05, 3.0),
    tau2_range_ns=(0.05, 3.0),
    irf_position_ns=1.8,
)
"""The published model's geometry: 135 gates of 90 ps, an 80 MHz laser, lifetimes of 0.05 to 3 ns."""

MFLI176 = Preset(
    name="mfli176",
    gates=176,
    gate_step_ns=0.04,
    gate_width_ns=0.3,
    laser_period_ns=12.5,
    tau1_range_ns=(0.2, 0.8),
    tau2_range_ns=(0.8, 1.5),
    irf_position_ns=1.44,
)
"""A gated intensified camera for macroscopic imaging: 176 steps of 40 ps, overlapping gates of 300 ps."""

TCSPC256 = Preset(
    name="tcspc256",
    gates=256,
    gate_step_ns=0.0488,
    gate_width_ns=0.0488,
    laser_period_ns=12.5,
    tau1_range_ns=(0.2, 0.8),
    tau2_range_ns=(0.8, 1.5),
    irf_position_ns=1.27,
)
"""Time-correlated single photon counting: 256 bins of 48.8 ps, an 80 MHz laser."""

PRESETS = {preset.name: preset for preset in (PAPER135, MFLI176, TCSPC256)}


def preset_by_name(name: str) -> Preset:
    """The preset of that name. Raises ValueError, naming all, if there is none."""
    if name not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {name!r}")
    return PRESETS[name]
