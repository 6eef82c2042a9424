# SPDX-License-Identifier: BSD-3-Clause
"""Figures of a validation as SVG text, made with numpy alone, so that a board can make them too."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finn_flirnn.driver.examples import Array
from finn_flirnn.numerics.fixed_point import Reals

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b7280"
CHANNEL_COLOURS = (BLUE, ORANGE, GREEN)
LEAST_SHOWN = 1e-3
LEAST_BRIGHTNESS = 0.15
TURBO = np.array(
    [
        [0.13572138, 4.61539260, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
        [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
        [0.10667330, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
    ]
)
"""Polynomials of red, green, blue that approximate the colour map "turbo" (A. Mikhailov, Google)."""


@dataclass(frozen=True)
class Panel:
    """A plot's area in pixels, and the data that its corners stand for; y may be logarithmic."""

    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    logarithmic: bool = False

    def line(self, x: Array, y: Array, colour: str, dashed: bool = False) -> str:
        """A line through points."""
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(*self._places(x, y), strict=True))
        style = ' stroke-dasharray="5 4" stroke-width="1.2"' if dashed else ' stroke-width="1.8"'
        return f'<polyline points="{points}" fill="none" stroke="{colour}"{style}/>'

    def dots(self, x: Array, y: Array, colour: str, radius: float = 1.6, opacity: float = 1.0) -> str:
        """A dot at each point."""
        circles = (
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius}"/>'
            for a, b in zip(*self._places(x, y), strict=True)
        )
        return f'<g fill="{colour}" fill-opacity="{opacity}">{"".join(circles)}</g>'

    def axes(
        self, x_ticks: Sequence[float], y_ticks: Sequence[float], x_label: str, y_label: str, title: str = ""
    ) -> str:
        """Frame, ticks and labels; without a label of y no numbers of y either: the panel beside has them."""
        bottom, right = self.top + self.height, self.left + self.width
        parts = [
            f'<path d="M{self.left},{self.top}V{bottom}H{right}" fill="none" stroke="#9ca3af"/>',
            text(self.left, self.top - 9, title, anchor="start", weight=600),
            text(self.left + self.width / 2, bottom + 34, x_label),
        ]
        if y_label:
            x, y = self.left - 42, self.top + self.height / 2
            parts.append(text(x, y, y_label, turn=-90))
        for tick in x_ticks:
            place = self._places(np.array([tick]), np.array([self.y_range[0]]))[0][0]
            parts.append(f'<path d="M{place:.1f},{bottom}v4" stroke="#9ca3af"/>')
            parts.append(text(place, bottom + 17, f"{tick:g}"))
        for tick in y_ticks:
            place = self._places(np.array([self.x_range[0]]), np.array([tick]))[1][0]
            parts.append(f'<path d="M{self.left},{place:.1f}H{right}" stroke="#eef0f3"/>')
            if y_label:
                parts.append(text(self.left - 7, place + 4, f"{tick:g}", anchor="end"))
        return "".join(parts)

    def _places(self, x: Array, y: Array) -> tuple[Array, Array]:
        low, high = self.y_range
        if self.logarithmic:
            y, low, high = np.log10(np.maximum(y, self.y_range[0])), np.log10(low), np.log10(high)
        across = (np.clip(x, *self.x_range) - self.x_range[0]) / (self.x_range[1] - self.x_range[0])
        up = (np.clip(y, low, high) - low) / (high - low)
        return self.left + across * self.width, self.top + (1 - up) * self.height


def text(x: float, y: float, content: str, anchor: str = "middle", weight: int = 400, turn: float = 0) -> str:
    """A text at a place; content must be plain (no markup)."""
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    style = f'text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}{turned}>{content}</text>'


def svg(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    """An <svg> element."""
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{label}" font-size="12" '
        f'fill="#374151" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def decay_figure(
    times_ns: Array, titles: Sequence[str], signal: Array, found: Array, truth: Array | None
) -> str:
    """Example pixels: normalised counts (pixels, gates), components that came and true ones, if known.

    found, truth: (pixels, gates, 3) full, short, long.
    """
    width, gap, height = 310.0, 22.0, 250.0
    y_ticks = (0.001, 0.01, 0.1, 1.0)
    parts: list[str] = []
    last = float(times_ns[-1])
    for i, title in enumerate(titles):
        panel = Panel(60 + i * (width + gap), 30, width, height, (0.0, last), (LEAST_SHOWN, 1.3), True)
        label = "decay, full = 1 at the first gate" if i == 0 else ""
        parts.append(panel.axes(_ticks(0.0, last), y_ticks, "time (ns)", label, title))
        parts.append(panel.dots(times_ns, signal[i], GREY))
        for channel, colour in enumerate(CHANNEL_COLOURS):
            if truth is not None:
                parts.append(panel.line(times_ns, truth[i, :, channel], colour, dashed=True))
            parts.append(panel.line(times_ns, found[i, :, channel], colour))
    names = [("counts", GREY), *zip(("full", "short", "long"), CHANNEL_COLOURS, strict=True)]
    x = 64.0
    for name, colour in names:
        parts.append(f'<circle cx="{x}" cy="336" r="4.5" fill="{colour}"/>')
        parts.append(text(x + 10, 340, name, anchor="start"))
        x += 66
    if truth is not None:
        parts.append(text(x, 340, "solid: from the device, dashed: truth", anchor="start"))
    return svg(int(60 + len(titles) * (width + gap)), 352, "decays", parts)


def scatter_figure(truth_ns: Reals, found_ns: Reals) -> str:
    """Mean lifetimes that came against true ones, (pixels,) in ns."""
    limit = float(np.ceil(2 * truth_ns.max()) / 2)
    panel = Panel(60, 14, 300, 300, (0.0, limit), (0.0, limit))
    ticks = _ticks(0.0, limit)
    diagonal = np.array([0.0, limit])
    parts = [
        panel.axes(ticks, ticks, "true mean lifetime (ns)", "from the device (ns)"),
        panel.line(diagonal, diagonal, GREY, dashed=True),
        panel.dots(truth_ns, found_ns, BLUE, 2.0, 0.35),
    ]
    return svg(376, 360, "mean lifetimes against the truth", parts)


def map_figure(maps: dict[str, Reals], photons: Array) -> str:
    """Lifetime maps (rows, columns) in ns side by side: hue is the lifetime, brightness the photons."""
    values = np.concatenate([image[np.isfinite(image)] for image in maps.values()])
    low, high = (float(v) for v in np.percentile(values, (1, 99)))
    high = max(high, low + 0.05)
    brightness = np.clip(photons / max(float(np.percentile(photons, 98)), 1.0), 0, 1)
    side, gap = 300, 16
    tall = round(side * photons.shape[0] / photons.shape[1])
    parts = []
    for i, (name, image) in enumerate(maps.items()):
        x = i * (side + gap)
        parts.append(text(x, 16, name, anchor="start", weight=600))
        parts.append(_image(x, 26, side, tall, coloured((image - low) / (high - low), brightness)))
    x = len(maps) * (side + gap) + 8
    scale = np.linspace(1, 0, 64)[:, np.newaxis]
    parts.append(_image(x, 26, 16, tall, coloured(scale, np.ones_like(scale))))
    for place, value in ((26, high), (26 + tall / 2, (low + high) / 2), (26 + tall, low)):
        parts.append(text(x + 22, place + 4, f"{value:.2f}", anchor="start"))
    parts.append(text(x + 66, 26 + tall / 2, "mean lifetime (ns)", turn=-90))
    return svg(x + 80, tall + 40, "lifetime map", parts)


def coloured(values: Reals, brightness: Reals) -> npt.NDArray[np.uint8]:
    """Hue by a value of 0 to 1 times brightness: (rows, columns, 3) of 0 to 255, black where NaN."""
    known = np.isfinite(values)
    place = np.clip(np.where(known, values, 0.0), 0, 1)
    powers = place[..., np.newaxis, np.newaxis] ** np.arange(TURBO.shape[1])
    hue = np.clip((powers * TURBO).sum(axis=-1), 0, 1)
    value = np.where(known, LEAST_BRIGHTNESS + (1 - LEAST_BRIGHTNESS) * brightness, 0.0)
    return np.asarray(np.round(255 * hue * value[..., np.newaxis]), dtype=np.uint8)


def png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of (rows, columns, 3) bytes. Source: RFC 2083."""
    rows, columns, _ = pixels.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), pixels.reshape(rows, -1)], axis=1)
    header = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _image(x: float, y: float, width: float, height: float, pixels: npt.NDArray[np.uint8]) -> str:
    data = base64.b64encode(png(pixels)).decode()
    return (
        f'<image x="{x}" y="{y}" width="{width}" height="{height}" preserveAspectRatio="none" '
        f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
    )


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """At most seven round numbers between two."""
    return tuple(_round_numbers(low, high))


def _round_numbers(low: float, high: float) -> Iterator[float]:
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if (high - low) / s <= 7 or s == 100)
    for number in range(int(np.ceil(low / step)), int(np.floor(high / step + 1e-9)) + 1):
        yield round(number * step, 6)
