# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration says of lanes and order: one number, or one for the encoder and one behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finn_flirnn.codegen.types import divisors
from finn_flirnn.common.errors import Problem
from finn_flirnn.common.schema import UNKNOWN, problems_of, whole
from finn_flirnn.driver.order import GATES

KEY = "decoder_lanes"


@dataclass(frozen=True)
class LanesOfLayers:
    """ "lanes" as an object."""

    encoder: int = whole(1, 1 << 20)
    decoder: int = whole(1, 1 << 20)


def take_lanes(tree: dict[str, Any]) -> list[Problem]:
    """Put "lanes": {"encoder": n, "decoder": m} as "lanes": n and "decoder_lanes": m."""
    if KEY in tree:
        return [Problem(KEY, UNKNOWN, '"lanes": {"encoder": n, "decoder": m}')]
    lanes = tree.get("lanes")
    if not isinstance(lanes, dict):
        return []
    problems = problems_of(LanesOfLayers, lanes, "lanes")
    if problems:
        tree["lanes"] = 1  # told already; what else is wrong is to be found
        return problems
    tree["lanes"], tree[KEY] = lanes["encoder"], lanes["decoder"]
    return []


def lanes_problems(tree: dict[str, Any]) -> list[Problem]:
    """Lanes that do not fit each other, or the order of data."""
    lanes = tree.get("lanes")
    if not isinstance(lanes, int) or lanes < 1:
        return []
    behind = tree.get(KEY) or lanes
    if lanes % behind:
        found = f"found {behind}, which does not divide the encoder's {lanes}"
        return [Problem("lanes.decoder", found, f"one of {divisors(lanes)}")]
    if behind != lanes and tree.get("order") != GATES:
        found = f'found {behind} beside {lanes} for the encoder, without "order": "{GATES}"'
        return [Problem("lanes.decoder", found, f"{lanes}, or that order")]
    return []
