# SPDX-License-Identifier: BSD-3-Clause
"""Lifetime maps as people in the field draw them: hue is the lifetime, brightness the intensity."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from finn_flirnn.build.figures import STYLE

COLOURS = "turbo"
RANGE_PERCENTILES = (1.0, 99.0)
WHITE_PERCENTILE = 98.0
LEAST_BRIGHTNESS = 0.15

Image = npt.NDArray[np.float32]


def lifetime_map(path: Path, maps: dict[str, Image], photons: npt.NDArray[np.int64], title: str) -> None:
    """Write a PNG with one panel a method, on one colour scale in ns.

    maps: title -> (rows, columns) mean lifetimes in ns, NaN where masked. photons: (rows, columns).
    """
    values = np.concatenate([image[np.isfinite(image)] for image in maps.values()])
    low, high = (float(v) for v in np.percentile(values, RANGE_PERCENTILES))
    scale = Normalize(low, max(high, low + 0.05), clip=True)
    brightness = np.clip(photons / max(np.percentile(photons, WHITE_PERCENTILE), 1), 0, 1)
    rows, columns = photons.shape
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.2 * len(maps) + 1, 0.6 + 4.2 * rows / columns), layout="constrained")
        panels = figure.subplots(1, len(maps), squeeze=False)[0]
        for axes, (name, image) in zip(panels, maps.items(), strict=True):
            axes.imshow(coloured(image, brightness, scale), interpolation="nearest")
            axes.set(title=name, xticks=[], yticks=[])
        colours = ScalarMappable(scale, COLOURS)
        bar = figure.colorbar(colours, ax=list(panels), extend="both", fraction=0.05, pad=0.02)
        bar.set_label("amplitude-weighted mean lifetime (ns)")
        figure.suptitle(f"{title}: brightness is the number of photons", fontsize=9)
        figure.savefig(path, dpi=160, metadata={"Software": None})


def coloured(image: Image, brightness: npt.NDArray[np.float64], scale: Normalize) -> npt.NDArray[np.float64]:
    """Hue by lifetime times brightness by intensity: (rows, columns, 3) in 0 to 1, black where NaN."""
    masked = np.isfinite(image)
    hue = matplotlib.colormaps[COLOURS](scale(np.where(masked, image, 0.0)))[..., :3]
    value = LEAST_BRIGHTNESS + (1 - LEAST_BRIGHTNESS) * brightness
    return np.asarray(hue * np.where(masked, value, 0.0)[..., np.newaxis])
