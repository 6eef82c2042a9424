# SPDX-License-Identifier: BSD-3-Clause
"""The time axis of a decay: gates of equal step and width within a laser period."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.fixed_point import Reals


@dataclass(frozen=True)
class GateGrid:
    """``count`` gates; gate k collects photons from ``k * step_ns`` to ``k * step_ns + width_ns``.

    Gates may overlap (a gated camera: width > step) or leave gaps (width < step). The laser period is
    a quantity of its own: it is in general not ``count * step_ns``.

    >>> GateGrid(3, step_ns=0.5, width_ns=0.5, laser_period_ns=12.5).starts_ns
    array([0. , 0.5, 1. ])
    """

    count: int
    step_ns: float
    width_ns: float
    laser_period_ns: float

    def __post_init__(self) -> None:
        if self.count < 2:
            raise ValueError(f"a decay needs at least 2 gates, got {self.count}; give all gates of a pixel")
        for name in ("step_ns", "width_ns", "laser_period_ns"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be positive and finite, got {value}; check its unit")
        if self.width_ns > self.laser_period_ns:
            raise ValueError(
                f"gate width {self.width_ns} ns must not exceed the laser period {self.laser_period_ns} ns; "
                "check the units of both"
            )

    @property
    def starts_ns(self) -> Reals:
        """(gates,) start of every gate in ns."""
        return np.asarray(np.arange(self.count) * self.step_ns)

    @property
    def window_ns(self) -> float:
        """Time between the starts of the first gate and of the one after the last, in ns."""
        return self.count * self.step_ns

    @property
    def contiguous(self) -> bool:
        """Whether every gate ends where the next one starts."""
        return math.isclose(self.width_ns, self.step_ns, rel_tol=1e-12)
