# SPDX-License-Identifier: BSD-3-Clause
"""Brevitas quantisers for the fixed-point formats of docs/numerics.md, section 1.

All scales are powers of two, so fake quantisation in floating point is exact as long as the mantissa
holds the codes. Rounding is half to even. Gradients are straight-through: activations block them where
the code saturates, weights and biases never do.
"""

from __future__ import annotations

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.function_wrapper import Identity, RoundSte, TensorClampSte
from brevitas.core.quant import IntQuant, RescalingIntQuant
from brevitas.core.restrict_val import PowerOfTwoRestrictValue
from brevitas.core.scaling import PowerOfTwoIntScaling
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.function.ops_ste import round_ste, tensor_clamp_ste
from brevitas.inject.enum import (
    BitWidthImplType,
    FloatToIntImplType,
    QuantType,
    ScalingImplType,
    ScalingPerOutputType,
)
from brevitas.nn import QuantIdentity
from brevitas.quant.solver.act import ActQuantSolver
from torch import Tensor, nn

from finn_flirnn.numerics import Codes, Format
from finn_flirnn.numerics.magnitude import FLOAT32_EXACT, FLOAT64_EXACT

MAX_WEIGHT_FRAC = 24
"""Weights that are all smaller than 2**-(24 - bits + 1) get no finer grid than this."""

BIAS_BITS = 32


class FixedPointActivation(ActQuantSolver):
    """Per-tensor activation quantiser with a constant power-of-two scale.

    Given by keyword: bit_width, signed, narrow_range, scaling_init (2 to the number of integer bits).
    """

    quant_type = QuantType.INT
    bit_width_impl_type = BitWidthImplType.CONST
    scaling_impl_type = ScalingImplType.CONST
    scaling_per_output_type = ScalingPerOutputType.TENSOR
    restrict_scaling_impl = PowerOfTwoRestrictValue
    int_scaling_impl = PowerOfTwoIntScaling
    float_to_int_impl_type = FloatToIntImplType.ROUND
    zero_point_impl = ZeroZeroPoint
    scaling_min_val = None


def activation_quantiser(fmt: Format) -> QuantIdentity:
    """A Brevitas QuantIdentity to exactly this format."""
    return QuantIdentity(
        act_quant=FixedPointActivation,
        bit_width=fmt.bits,
        signed=fmt.signed,
        narrow_range=fmt.narrow,
        scaling_init=2.0 ** (fmt.bits - int(fmt.signed) - fmt.frac),
    )


class GreatestFracScaling(nn.Module):
    """Brevitas scaling: the finest power-of-two grid on which no weight saturates, or a given one.

    frac: fixed fractional bits, or None to follow the weights.
    """

    def __init__(self, bits: int, frac: int | None) -> None:
        super().__init__()
        self.bits = bits
        self.frac = frac

    def frac_of(self, weight: Tensor) -> int:
        """Fractional bits for these weights; bits - 1 if all are zero."""
        if self.frac is not None:
            return self.frac
        greatest = float(weight.detach().abs().max()) if weight.numel() else 0.0
        if greatest == 0.0:
            return self.bits - 1
        # greatest = m 2^e with 1/2 <= m < 1 fills the codes at frac = bits - 1 - e, unless it rounds up
        _, exponent = torch.frexp(torch.tensor(greatest, dtype=torch.float64))
        frac = min(self.bits - 1 - int(exponent), MAX_WEIGHT_FRAC)
        return frac - int(round(greatest * 2.0**frac) > 2 ** (self.bits - 1) - 1)

    def forward(self, weight: Tensor, int_threshold: Tensor) -> Tensor:
        """The scale, a scalar; ``int_threshold`` is part of Brevitas' call and of no use here."""
        return torch.full_like(int_threshold, 2.0 ** -self.frac_of(weight))


class WeightQuantiser(nn.Module):
    """A Brevitas integer quantiser of one weight tensor: signed, narrow, power-of-two scale."""

    def __init__(self, bits: int, frac: int | None = None) -> None:
        super().__init__()
        self.bits = bits
        self.scaling = GreatestFracScaling(bits, frac)
        self.tensor_quant = RescalingIntQuant(
            int_quant=IntQuant(
                narrow_range=True,
                signed=True,
                input_view_impl=Identity(),
                float_to_int_impl=RoundSte(),
                tensor_clamp_impl=TensorClampSte(),
            ),
            scaling_impl=self.scaling,
            int_scaling_impl=PowerOfTwoIntScaling(signed=True),
            zero_point_impl=ZeroZeroPoint(),
            bit_width_impl=BitWidthConst(bits),
        )

    def format_of(self, weight: Tensor) -> Format:
        """The format in which ``weight`` is now quantised."""
        return Format(self.bits, self.scaling.frac_of(weight), narrow=True)

    def forward(self, weight: Tensor) -> Tensor:
        """The values of ``weight``'s codes, same shape."""
        return self.tensor_quant(weight)[0]


def quantise_bias(bias: Tensor, frac: int) -> Tensor:
    """Values of a bias on the accumulator's grid, saturated at 32 bits, straight-through, in float64."""
    fmt = Format(BIAS_BITS, frac)
    codes = tensor_clamp_ste(
        round_ste(bias.double() * 2.0**frac),
        torch.tensor(float(fmt.min_code), dtype=torch.float64),
        torch.tensor(float(fmt.max_code), dtype=torch.float64),
    )
    return codes * fmt.scale


def exact_dtype(magnitude: int) -> torch.dtype:
    """The fastest floating-point type in which sums of integers up to ``magnitude`` are exact."""
    if magnitude <= FLOAT32_EXACT:
        return torch.float32
    if magnitude <= FLOAT64_EXACT:
        return torch.float64
    raise ValueError(
        f"sums reach {magnitude}, beyond {FLOAT64_EXACT}, the exact range of float64; choose fewer bits"
    )


def bias_codes(bias: Tensor, frac: int) -> Codes:
    """Codes of a bias at ``frac`` fractional bits."""
    return Format(BIAS_BITS, frac).quantise(bias.detach().cpu().numpy())
