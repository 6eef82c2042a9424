# SPDX-License-Identifier: BSD-3-Clause
"""Integer codes with power-of-two scales: formats, rounding and saturation.

Normative text: docs/numerics.md, sections 1 and 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

MAX_BITS = 32


@dataclass(frozen=True)
class Format:
    """A fixed-point format: the value of a code ``q`` is ``q * 2**-frac``.

    bits: width of the code, 1 to 32 (2 to 32 if signed).
    frac: number of fractional bits; may be negative or exceed ``bits``.
    signed: two's complement if true.
    narrow: the most negative code is not used (signed only).

    >>> Format(bits=8, frac=7, narrow=True).min_code
    -127
    >>> Format(bits=8, frac=8, signed=False).max_value
    0.99609375
    """

    bits: int
    frac: int
    signed: bool = True
    narrow: bool = False

    def __post_init__(self) -> None:
        least = 2 if self.signed else 1
        if not least <= self.bits <= MAX_BITS:
            raise ValueError(
                f"bits={self.bits} of a {'signed' if self.signed else 'unsigned'} format must lie "
                f"in {least}..{MAX_BITS}; choose a width in that range"
            )
        if self.narrow and not self.signed:
            raise ValueError("narrow=True needs signed=True; an unsigned format has no narrow range")

    @property
    def min_code(self) -> int:
        """Least code."""
        if not self.signed:
            return 0
        return -(1 << (self.bits - 1)) + int(self.narrow)

    @property
    def max_code(self) -> int:
        """Greatest code."""
        return (1 << (self.bits - int(self.signed))) - 1

    @property
    def scale(self) -> float:
        """Value of code 1."""
        return 2.0**-self.frac

    @property
    def min_value(self) -> float:
        """Least value."""
        return self.min_code * self.scale

    @property
    def max_value(self) -> float:
        """Greatest value."""
        return self.max_code * self.scale

    def saturate(self, codes: Codes) -> Codes:
        """Clip codes of any range to this format's range."""
        return np.clip(codes, self.min_code, self.max_code)

    def quantise(self, values: npt.ArrayLike) -> Codes:
        """Nearest codes of real values, ties to even, saturated. NaN is refused.

        >>> Format(bits=4, frac=2).quantise([0.125, 0.375, 9.0, -9.0]).tolist()
        [0, 2, 7, -8]
        """
        scaled = np.asarray(values, dtype=np.float64) * 2.0**self.frac
        if np.isnan(scaled).any():
            raise ValueError("values to quantise must be numbers, got NaN; remove or replace it")
        return np.clip(np.rint(scaled), self.min_code, self.max_code).astype(np.int64)

    def dequantise(self, codes: npt.ArrayLike) -> Reals:
        """Real values of codes."""
        return np.asarray(codes, dtype=np.float64) * self.scale

    def check(self, name: str, codes: Codes) -> None:
        """Raise ValueError if a code lies outside the format."""
        if codes.size and (codes.min() < self.min_code or codes.max() > self.max_code):
            raise ValueError(
                f"{name} holds codes {codes.min()}..{codes.max()}, outside "
                f"{self.min_code}..{self.max_code} of {self}; quantise it to that format first"
            )

    def all_codes(self) -> Codes:
        """Every bit pattern's code in two's-complement order: 0, 1, ..., max, min, ..., -1.

        Patterns that the narrow range leaves out are included, since a table has a row for each.
        """
        patterns = np.arange(1 << self.bits, dtype=np.int64)
        if self.signed:
            patterns[patterns >= 1 << (self.bits - 1)] -= 1 << self.bits
        return patterns


def shift_round(codes: Codes, shift: int) -> Codes:
    """Divide by ``2**shift``, rounding to nearest, ties to even; multiply if shift is negative.

    >>> shift_round(np.array([1, 2, 3, 5, 6, -1, -2, -3]), 2).tolist()
    [0, 0, 1, 1, 2, 0, 0, -1]
    """
    if shift <= 0:
        return codes << -shift
    lowest_kept = (codes >> shift) & 1
    return (codes + lowest_kept + ((1 << (shift - 1)) - 1)) >> shift


def requantise(codes: Codes, frac: int, target: Format) -> Codes:
    """Codes with ``frac`` fractional bits to ``target``: round half to even, then saturate."""
    return target.saturate(shift_round(codes, frac - target.frac))


def align(codes: Codes, frac: int, to_frac: int) -> Codes:
    """Codes with ``frac`` fractional bits as codes with ``to_frac >= frac`` bits, exactly."""
    if to_frac < frac:
        raise ValueError(f"to_frac={to_frac} must be at least frac={frac}; exact alignment only widens")
    return codes << (to_frac - frac)
