# SPDX-License-Identifier: BSD-3-Clause
"""A row of a study: a unit of work with what came out of it."""

from __future__ import annotations

from dataclasses import dataclass

from finn_flirnn.study.workload import Result, Unit

SIZES = {
    "parameters": "parameters",
    "mac": "MAC",
    "cycles": "cycles in 220 DSP",
    "dsp": "DSP",
    "lut": "LUT",
    "ff": "FF",
}
COSTS = ("dsp", "lut", "cycles", "parameters")


@dataclass(frozen=True)
class Row:
    """A unit with its result."""

    unit: Unit
    result: Result
    seconds: float

    @property
    def bits(self) -> tuple[str, str]:
        """Bits of weights and of the state; "" for those of a float model or a reference."""
        given = self.result.bits or ("", "")
        names = ("weight_bits", "state_bits")
        weight, state = (str(self.unit.choices.get(n, g)) for n, g in zip(names, given, strict=True))
        return weight, state


def number(value: float | None, digits: int) -> str:
    """
    >>> number(1234.5, 1), number(None, 2)
    ('1,234.5', '')
    """
    return "" if value is None else f"{value:,.{digits}f}"
