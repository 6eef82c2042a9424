# SPDX-License-Identifier: BSD-3-Clause
"""What a configuration's folding must fit in its model, and where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finn_flirnn.codegen.types import divisors
from finn_flirnn.common.errors import Problem
from finn_flirnn.driver.order import GROUPS


@dataclass(frozen=True)
class ModelSizes:
    """What the folding must fit: units, input features and outputs of the model, gates in time, a decoder."""

    hidden: int
    inputs: int
    outputs: int
    steps: int
    decoder: bool = True


def folding_problems(folding: dict[str, Any], sizes: ModelSizes) -> list[Problem]:
    """Each folding value that does not divide what it folds; values that are no such number are left out."""
    whole_of = {
        "encoder.pe": ("hidden units", sizes.hidden),
        "encoder.simd": ("hidden units", sizes.hidden),
        "encoder.input_simd": ("inputs", sizes.inputs),
        "decoder.pe": ("hidden units", sizes.hidden),
        "decoder.simd": ("hidden units", sizes.hidden),
        "head.pe": ("outputs", sizes.outputs),
        "head.simd": ("hidden units", sizes.hidden),
    }
    problems = []
    for path, (what, size) in whole_of.items():
        layer, key = path.split(".")
        values = folding.get(layer)
        value = values.get(key, 1) if isinstance(values, dict) else 1
        if isinstance(value, int) and value >= 1 and size % value:
            found = f"found {value}, which does not divide the model's {size} {what}"
            problems.append(Problem(f"folding.{path}", found, f"one of {divisors(size)}"))
    return problems


def decoder_problems(tree: dict[str, Any], sizes: ModelSizes) -> list[Problem]:
    """A decoder that only the model or only the folding has; what a model without one cannot have."""
    folding = tree.get("folding")
    problems = []
    if isinstance(folding, dict) and ("decoder" in folding) != sizes.decoder:
        missing, surplus = (
            ("missing", "the keys pe, simd"),
            ("found for a model without decoder", "no such key"),
        )
        problems.append(Problem("folding.decoder", *(missing if sizes.decoder else surplus)))
    if not sizes.decoder and tree.get("order", GROUPS) != GROUPS:
        problems.append(
            Problem("order", f'found "{tree["order"]}" for a model without decoder', f'"{GROUPS}"')
        )
    return problems


def unroll_problems(unroll: Any, steps: int) -> list[Problem]:
    factors = unroll.items() if isinstance(unroll, dict) else ()
    return [
        Problem(
            f"unroll.{layer}",
            f"found {factor}, which does not divide the model's {steps} steps",
            f"one of {divisors(steps)}",
        )
        for layer, factor in factors
        if isinstance(factor, int) and factor >= 1 and steps % factor
    ]
