# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle of a position-wise dense layer (the head).

Normative text: docs/numerics.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass

from finn_flirnn.numerics.fixed_point import Codes, Format, requantise
from finn_flirnn.numerics.gru import matvec


@dataclass(frozen=True)
class DenseLayer:
    """y = requantise(W x + b), applied at every position.

    weight: (O, N) codes of ``weight_format``; bias: (O,) at ``product_frac``.
    """

    input_format: Format
    weight_format: Format
    output_format: Format
    weight: Codes
    bias: Codes

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1]:
            raise ValueError(f"weight {self.weight.shape} and bias {self.bias.shape} must be (O, N) and (O,)")
        self.weight_format.check("weight", self.weight)

    @property
    def outputs(self) -> int:
        """Number of outputs O."""
        return int(self.weight.shape[0])

    @property
    def inputs(self) -> int:
        """Number of inputs N."""
        return int(self.weight.shape[1])

    @property
    def product_frac(self) -> int:
        """Fractional bits of the accumulators and the bias."""
        return self.weight_format.frac + self.input_format.frac

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one position."""
        return self.outputs * self.inputs

    def run(self, x: Codes) -> Codes:
        """x: (..., N) codes -> (..., O) codes. Raises ValueError if shape or codes do not fit."""
        if x.shape[-1] != self.inputs:
            raise ValueError(f"x has {x.shape[-1]} features, expected {self.inputs}")
        self.input_format.check("x", x)
        return requantise(matvec(self.weight, x) + self.bias, self.product_frac, self.output_format)
