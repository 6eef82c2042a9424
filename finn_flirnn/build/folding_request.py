# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration may say instead of "folding" and "lanes": how fast, or how large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor
from typing import Any

from mashumaro.mixins.dict import DataClassDictMixin

from finn_flirnn.build.boards import RESOURCES, Board
from finn_flirnn.codegen import Resources
from finn_flirnn.common.errors import Problem
from finn_flirnn.common.schema import problems_of, setting, whole

UNLIMITED = (1 << 31) - 1
WAYS = ("folding", "target_pixels_per_s", "max_resources")


@dataclass(frozen=True)
class MaxResources(DataClassDictMixin):
    """What the three layers together may take, by estimate; what is not named is limited by the board."""

    lut: int = whole(0, UNLIMITED, UNLIMITED)
    ff: int = whole(0, UNLIMITED, UNLIMITED)
    dsp: int = whole(0, UNLIMITED, UNLIMITED)
    bram36: int = whole(0, UNLIMITED, UNLIMITED)
    uram: int = whole(0, UNLIMITED, UNLIMITED)


@dataclass(frozen=True)
class FoldingRequest(DataClassDictMixin):
    """The cheapest folding of at least ``target_pixels_per_s``; or, if that is 0, the fastest that fits."""

    target_pixels_per_s: float = setting("a number above 0 (pixels/s)", lambda v: v > 0, 0.0)
    max_resources: MaxResources = field(default=MaxResources())

    def limits(self, board: Board) -> Resources:
        """What may be taken of the board."""
        return Resources(
            **{key: min(getattr(self.max_resources, key), getattr(board, key)) for key in RESOURCES}
        )

    def max_cycles(self, clock_mhz: float) -> int | None:
        """Cycles a pixel at most; None without a target."""
        return floor(clock_mhz * 1e6 / self.target_pixels_per_s) if self.target_pixels_per_s else None


FoldingChooser = Callable[[str, Board, float, FoldingRequest], dict[str, Any]]
"""(model, board, clock in MHz, request) -> "lanes" and "folding" of a configuration."""


def take_request(tree: dict[str, Any]) -> dict[str, Any]:
    """Take the keys of a request out of a configuration; empty if it names its folding itself."""
    return {key: tree.pop(key) for key in WAYS[1:] if key in tree}


def request_problems(request: dict[str, Any], tree: dict[str, Any]) -> list[Problem]:
    """Everything wrong with a request, and with the rest of its configuration beside it."""
    one = "exactly one of " + ", ".join(WAYS)
    found = problems_of(FoldingRequest, request)
    found += [
        Problem(key, "found beside another choice of the folding", one)
        for key in (*list(request)[1:], *(k for k in ("folding", "lanes") if k in tree))
    ]
    return found
