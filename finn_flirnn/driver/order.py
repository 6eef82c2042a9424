# SPDX-License-Identifier: BSD-3-Clause
"""The order in which pixels travel to the accelerator and back (docs/deployment.md)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn_flirnn.driver.packing import from_groups, to_groups
from finn_flirnn.numerics.fixed_point import Codes

PIXELS, GROUPS, GATES = ORDERS = ("pixels", "groups", "gates")
"""Pixel after pixel; groups of lanes, step by step; the gates of a whole frame, one after the other."""


@dataclass(frozen=True)
class StreamOrder:
    """How (pixels, T, features) become a stream, and a stream pixels.

    kind: one of ORDERS. lanes: pixels of a group that is sent (of a frame, for gates). output_lanes: of
    a group that comes back. partial: the hardware itself fills up a last group that is not whole.
    """

    kind: str
    lanes: int
    output_lanes: int
    partial: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ORDERS:
            raise ValueError(f"order={self.kind!r} is not known; choose from {', '.join(ORDERS)}")
        if self.output_lanes < 1 or self.lanes % self.output_lanes:
            raise ValueError(
                f"lanes={self.lanes} must be a multiple of output_lanes={self.output_lanes}; "
                "a frame comes back in whole groups"
            )
        if self.partial and self.kind != PIXELS:
            raise ValueError(f"partial=True needs order={PIXELS!r}, not {self.kind!r}")

    def travelling(self, pixels: int) -> int:
        """Pixels that travel where ``pixels`` are to be sent: those and the filling of the last group."""
        return pixels if self.partial else -(-pixels // self.lanes) * self.lanes

    def send(self, codes: Codes) -> Codes:
        """Pixels as they are sent, the last group filled with zeros if it must be."""
        return self._stream(codes, self.lanes)

    def answer(self, codes: Codes) -> Codes:
        """Pixels (as many as travel) as they come back."""
        return self._stream(codes, self.output_lanes)

    def receive(self, stream: Codes, pixels: int, steps: int, features: int) -> Codes:
        """The first ``pixels`` pixels (pixels, T, features) of what came back."""
        if self.kind == PIXELS:
            return stream.reshape(-1, steps, features)[:pixels]
        return from_groups(stream.reshape(-1, steps, self.output_lanes, features), pixels)

    def _stream(self, codes: Codes, lanes: int) -> Codes:
        if self.kind != PIXELS:
            return to_groups(codes, lanes)
        filling = self.travelling(len(codes)) - len(codes)
        return np.concatenate([codes, np.zeros((filling, *codes.shape[1:]), dtype=codes.dtype)])
