# SPDX-License-Identifier: BSD-3-Clause
"""Speed and accuracy of simulator and fit: ``python -m finn_flirnn.physics.benchmark``.

Speeds are per second of processor time, so with OMP_NUM_THREADS=1 they are those of one core, whatever
else the machine does.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.fit import FitOptions, fit_decays
from finn_flirnn.physics.irf import EmgIrf
from finn_flirnn.physics.metrics import lifetime_errors
from finn_flirnn.physics.presets import PRESETS, Preset
from finn_flirnn.physics.prior import prior_median

FIT_PEAKS = (250.0, 2000.0)


def benchmark(preset: Preset, pixels: int, seed: int) -> str:
    """One line: decays/s of the simulator, pixels/s of the fit, errors of the fit and of the prior."""
    started = time.process_time()
    decays = simulate(replace(preset, peak_range=FIT_PEAKS), pixels, seed)
    simulated = time.process_time() - started
    irf = EmgIrf(preset.irf_position_ns + decays.irf_shift_ns, decays.irf_fwhm_ns, decays.irf_tail_ratio)
    options = FitOptions(lifetime_bounds_ns=(preset.tau1_range_ns[0], preset.tau2_range_ns[1]))
    started = time.process_time()
    fit = fit_decays(decays.counts, preset.grid, irf, options)
    fitted = time.process_time() - started
    errors = [lifetime_errors(found, decays) for found in (fit.lifetimes, prior_median(preset, pixels))]
    figures = [
        f"{e.tau_m_ns:8.4f} {e.tau1_ns:8.4f} {e.tau2_ns:8.4f} {e.amplitude_fraction:8.4f}" for e in errors
    ]
    return f"{preset.name:10} {pixels / simulated:10,.0f} {pixels / fitted:10,.0f} " + " ".join(figures)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description="Speed and mean absolute errors at peaks of 250 to 2000 counts."
    )
    parser.add_argument("--pixels", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(
        f"{'preset':10} {'decays/s':>10} {'fits/s':>10} {'tau_m':>8} {'tau1':>8} {'tau2':>8} {'a':>8} "
        f"{'prior:':>8} {'tau1':>8} {'tau2':>8} {'a':>8}"
    )
    for preset in PRESETS.values():
        print(benchmark(preset, arguments.pixels, arguments.seed))


if __name__ == "__main__":
    main()
