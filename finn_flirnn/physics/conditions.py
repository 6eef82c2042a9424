# SPDX-License-Identifier: BSD-3-Clause
"""Measurements under other conditions than a model was trained for: where does it break?

Each condition changes one thing of a preset. A laser of another period changes the tail that earlier pulses
leave; of a period shorter than the window the next pulse rises in the last gates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from finn_flirnn.physics.presets import Preset, Range

FEW_PEAK_COUNTS = (30.0, 100.0)


def _scaled(bounds: Range, factor: float) -> Range:
    return bounds[0] * factor, bounds[1] * factor


CONDITIONS: dict[str, Callable[[Preset], Preset]] = {
    "as trained": lambda p: p,
    "IRF width x 0.8": lambda p: replace(p, irf_fwhm_range_ns=_scaled(p.irf_fwhm_range_ns, 0.8)),
    "IRF width x 1.2": lambda p: replace(p, irf_fwhm_range_ns=_scaled(p.irf_fwhm_range_ns, 1.2)),
    "background x 3": lambda p: replace(
        p, background_fraction_range=_scaled(p.background_fraction_range, 3.0)
    ),
    "peak 30 to 100": lambda p: replace(p, peak_range=FEW_PEAK_COUNTS),
    "laser period x 0.8": lambda p: replace(p, laser_period_ns=0.8 * p.laser_period_ns),
    "laser period x 2": lambda p: replace(p, laser_period_ns=2 * p.laser_period_ns),
}
"""Name -> the preset under that condition; the first is the preset itself."""
