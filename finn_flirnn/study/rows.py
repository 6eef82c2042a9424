# SPDX-License-Identifier: BSD-3-Clause
"""A row of a study: a unit of work with what came out of it."""

from __future__ import annotations

from dataclasses import dataclass

from finn_flirnn.study.workload import Kind, Result, Unit

SIZES = {"parameters": "parameters", "mac": "MAC", "cycles": "cycles", "dsp": "DSP", "lut": "LUT", "ff": "FF"}
QUANTISED = (Kind.CHECKPOINT, Kind.PTQ, Kind.QAT)
COSTS = ("dsp", "lut", "cycles", "parameters")


@dataclass(frozen=True)
class Row:
    """A unit with its result."""

    unit: Unit
    result: Result
    seconds: float

    @property
    def bits(self) -> tuple[str, str]:
        """Bits of weights and of the state, as far as the unit chose them."""
        choices = self.unit.choices
        return tuple(str(choices.get(name, "")) for name in ("weight_bits", "state_bits"))  # type: ignore[return-value]


def number(value: float | None, digits: int) -> str:
    """
    >>> number(1234.5, 1), number(None, 2)
    ('1,234.5', '')
    """
    return "" if value is None else f"{value:,.{digits}f}"
