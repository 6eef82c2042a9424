# SPDX-License-Identifier: BSD-3-Clause
"""A quantised dense head in Brevitas, equal in eval mode to ``numerics.DenseLayer``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from finn_flirnn.models.quantisers import (
    WeightQuantiser,
    activation_quantiser,
    bias_codes,
    exact_dtype,
    quantise_bias,
)
from finn_flirnn.numerics import DenseLayer, Format
from finn_flirnn.numerics.magnitude import dense_magnitude


class QuantHead(nn.Module):
    """y = W h + b at every step, quantised; weight (O, H), bias (O,)."""

    def __init__(
        self,
        hidden: int,
        outputs: int,
        weight_bits: int,
        state: Format,
        output: Format,
        weight_frac: int | None = None,
    ) -> None:
        super().__init__()
        self.state = state
        self.output = output
        self.quantised = True
        self.weight = nn.Parameter(torch.empty(outputs, hidden))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.weight_quant = WeightQuantiser(weight_bits, weight_frac)
        self.output_quant = activation_quantiser(output)
        nn.init.xavier_uniform_(self.weight)

    def product_frac(self) -> int:
        """Fractional bits of the accumulators and the bias."""
        return self.weight_quant.format_of(self.weight).frac + self.state.frac

    def to_layer(self) -> DenseLayer:
        """This layer in integer codes."""
        weight_format = self.weight_quant.format_of(self.weight)
        return DenseLayer(
            input_format=self.state,
            weight_format=weight_format,
            output_format=self.output,
            weight=weight_format.quantise(self.weight.detach().cpu().numpy()),
            bias=bias_codes(self.bias, self.product_frac()),
        )

    def quantised_parameters(self) -> tuple[Tensor, Tensor]:
        """Weight and bias as the forward pass uses them, with gradients."""
        if not self.quantised:
            return self.weight, self.bias
        return self.weight_quant(self.weight), quantise_bias(self.bias, self.product_frac())

    def forward(self, states: Tensor) -> Tensor:
        """states: (..., H) -> (..., O)."""
        weight, bias = self.quantised_parameters()
        if not self.quantised:
            return states @ weight.T + bias
        if self.training:
            return self.output_quant(states @ weight.T + bias.to(states.dtype))
        dtype = exact_dtype(dense_magnitude(self.to_layer()))
        sums = states.to(dtype) @ weight.to(dtype).T + bias.to(dtype)
        return self.output_quant(sums).to(states.dtype)
