# SPDX-License-Identifier: BSD-3-Clause
"""The formats of a GRU layer's values, by default those of docs/numerics.md, section 1."""

from __future__ import annotations

from dataclasses import dataclass

from finn_flirnn.numerics import Format

MAX_STATE_BITS = 24
"""Outputs are float32; wider states would not be exact in them."""


@dataclass(frozen=True)
class GruQuantisation:
    """Formats of a GRU's values. A weight's frac follows its values unless given.

    weight_ih_frac, weight_hh_frac: fixed fractional bits, or None for the greatest that does not saturate.
    """

    weight_bits: int
    input: Format
    state: Format
    gate: Format
    candidate: Format
    preactivation: Format
    weight_ih_frac: int | None = None
    weight_hh_frac: int | None = None

    def __post_init__(self) -> None:
        Format(self.weight_bits, 0, narrow=True)
        if self.state.bits > MAX_STATE_BITS:
            raise ValueError(
                f"state has {self.state.bits} bits, at most {MAX_STATE_BITS} are exact in float32; "
                "choose fewer"
            )


def gru_quantisation(
    weight_bits: int = 8,
    input_bits: int = 8,
    state_bits: int = 8,
    gate_bits: int = 8,
    preactivation_bits: int = 10,
    input_signed: bool = False,
    candidate_bits: int | None = None,
) -> GruQuantisation:
    """The default formats of docs/numerics.md, section 1. candidate_bits: None for ``gate_bits``."""
    candidate_bits = gate_bits if candidate_bits is None else candidate_bits
    return GruQuantisation(
        weight_bits=weight_bits,
        input=Format(input_bits, input_bits - int(input_signed), signed=input_signed),
        state=Format(state_bits, state_bits - 1, narrow=True),
        gate=Format(gate_bits, gate_bits - 1, signed=False),
        candidate=Format(candidate_bits, candidate_bits - 1, narrow=True),
        preactivation=Format(preactivation_bits, preactivation_bits - 4),
    )
