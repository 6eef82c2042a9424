# SPDX-License-Identifier: BSD-3-Clause
"""Seq2SeqLite: fluorescence decays to the sample's own full, short and long decays.

Encoder GRU -> its last state starts the decoder GRU (no input) -> dense head at every step. With hard
gates, a hard candidate and the reset before the product it has the form that its authors published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from finn_flirnn.models.formats import gru_quantisation
from finn_flirnn.models.quant_gru import QuantGRU
from finn_flirnn.models.quantisers import (
    WeightQuantiser,
    activation_quantiser,
    bias_codes,
    exact_dtype,
    quantise_bias,
)
from finn_flirnn.numerics import DenseLayer, Format, Seq2SeqNetwork
from finn_flirnn.numerics.magnitude import dense_magnitude

IGNORED_WEIGHTS = frozenset({"decoder.weight_ih"})
"""May be given, and is then checked and left out: the decoder's input is always zero."""


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


class Seq2SeqLite(nn.Module):
    """Encoder, state hand-over, input-free decoder, head.

    hidden H, outputs O, steps T, inputs I; reset, gate, candidate and the bits as of ``QuantGRU``;
    head_weight_bits: None for ``weight_bits``. Output format: signed, frac = output_bits - 2.
    *_frac: fixed fractional bits of that weight, or None to follow the values (see ``WeightQuantiser``).
    Few bits need a fixed grid: the few greatest weights saturate, all others gain.
    ``quantised``: the initial value of the property of that name; False is the float model.

    >>> model = Seq2SeqLite(hidden=4, steps=5).eval()
    >>> tuple(model(torch.rand(2, 5, 1)).shape), model.to_network().decoder.hidden
    ((2, 5, 3), 4)
    """

    def __init__(
        self,
        hidden: int = 32,
        outputs: int = 3,
        steps: int = 135,
        inputs: int = 1,
        *,
        reset: str = "after",
        gate: str = "sigmoid",
        candidate: str = "tanh",
        weight_bits: int = 8,
        input_bits: int = 8,
        state_bits: int = 8,
        gate_bits: int = 8,
        candidate_bits: int | None = None,
        preactivation_bits: int = 10,
        input_signed: bool = False,
        head_weight_bits: int | None = None,
        output_bits: int = 16,
        encoder_weight_ih_frac: int | None = None,
        encoder_weight_hh_frac: int | None = None,
        decoder_weight_hh_frac: int | None = None,
        head_weight_frac: int | None = None,
        quantised: bool = True,
    ) -> None:
        super().__init__()
        if steps < 1 or inputs < 1 or outputs < 1:
            raise ValueError(f"steps={steps}, inputs={inputs} and outputs={outputs} must be at least 1")
        self.steps = steps
        self.config: dict[str, int | str | bool] = {
            "hidden": hidden,
            "outputs": outputs,
            "steps": steps,
            "inputs": inputs,
            "reset": str(reset),
            "gate": str(gate),
            "candidate": str(candidate),
            "weight_bits": weight_bits,
            "input_bits": input_bits,
            "state_bits": state_bits,
            "gate_bits": gate_bits,
            "candidate_bits": gate_bits if candidate_bits is None else candidate_bits,
            "preactivation_bits": preactivation_bits,
            "input_signed": input_signed,
            "head_weight_bits": weight_bits if head_weight_bits is None else head_weight_bits,
            "output_bits": output_bits,
        }
        fracs = {
            "encoder_weight_ih_frac": encoder_weight_ih_frac,
            "encoder_weight_hh_frac": encoder_weight_hh_frac,
            "decoder_weight_hh_frac": decoder_weight_hh_frac,
            "head_weight_frac": head_weight_frac,
        }
        self.config |= {name: frac for name, frac in fracs.items() if frac is not None}
        quantisation = gru_quantisation(
            weight_bits, input_bits, state_bits, gate_bits, preactivation_bits, input_signed, candidate_bits
        )

        def gru(input_size: int, sequence: bool, ih_frac: int | None, hh_frac: int | None) -> QuantGRU:
            return QuantGRU(
                input_size,
                hidden,
                reset=reset,
                gate=gate,
                candidate=candidate,
                quantisation=replace(quantisation, weight_ih_frac=ih_frac, weight_hh_frac=hh_frac),
                initial_state=sequence,
                sequence=sequence,
            )

        self.encoder = gru(inputs, False, encoder_weight_ih_frac, encoder_weight_hh_frac)
        self.decoder = gru(0, True, None, decoder_weight_hh_frac)
        self.head = QuantHead(
            hidden,
            outputs,
            weight_bits if head_weight_bits is None else head_weight_bits,
            quantisation.state,
            Format(output_bits, output_bits - 2),
            head_weight_frac,
        )
        self.quantised = quantised

    @property
    def quantised(self) -> bool:
        """Whether the quantisers act; if not, this is the float model on the same weights."""
        return self.head.quantised

    @quantised.setter
    def quantised(self, value: bool) -> None:
        self.encoder.quantised = self.decoder.quantised = self.head.quantised = value

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, T, I) normalised decays -> (batch, T, O)."""
        if x.ndim != 3 or x.shape[1] != self.steps:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (batch, {self.steps}, {self.encoder.input_size})"
            )
        return self.head(self.decoder(h0=self.encoder(x), steps=self.steps))

    def to_network(self) -> Seq2SeqNetwork:
        """This model in integer codes."""
        return Seq2SeqNetwork(
            self.steps, self.encoder.to_layer(), self.decoder.to_layer(), self.head.to_layer()
        )

    def float_weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the float weights under the names of ``load_float_weights``."""
        return {name: p.detach().cpu().numpy().copy() for name, p in self.named_parameters()}

    def load_float_weights(self, mapping: Mapping[str, npt.ArrayLike]) -> None:
        """Take weights from arrays; all or, on any error, none.

        encoder.weight_ih (3H, I), encoder.weight_hh (3H, H), encoder.bias_ih (3H,), encoder.bias_hh (3H,)
        (not where the reset is before the product); the same for decoder., whose weight_ih may be absent
        and has no effect; head.weight (O, H), head.bias (O,). Gate order r, z, n, as torch.
        Raises ValueError naming every missing, unknown, misshapen or non-finite array.
        """
        parameters = dict(self.named_parameters())
        problems = [f"{name} is missing" for name in parameters if name not in mapping]
        arrays: dict[str, npt.NDArray[np.float32]] = {}
        for name, value in mapping.items():
            if name not in parameters and name not in IGNORED_WEIGHTS:
                problems.append(f"{name} is unknown")
                continue
            array = np.asarray(value)
            if array.dtype.kind not in "fiu":
                problems.append(f"{name} must hold real numbers, got {array.dtype}")
                continue
            # beyond float32 is infinite in the model
            if not (np.abs(array, dtype=np.float64) <= np.finfo(np.float32).max).all():
                problems.append(f"{name} must be finite in float32, got NaN, infinity or a greater value")
                continue
            rows = 3 * self.decoder.hidden_size
            if name in IGNORED_WEIGHTS and (array.ndim != 2 or array.shape[0] != rows):
                problems.append(f"{name} has shape {array.shape}, expected ({rows}, any)")
            elif name in parameters:
                shape = tuple(parameters[name].shape)
                if array.shape != shape:
                    problems.append(f"{name} has shape {array.shape}, expected {shape}")
                arrays[name] = array.astype(np.float32)
        if problems:
            raise ValueError(
                f"cannot load weights: {'; '.join(problems)}. Expected names: {', '.join(parameters)}"
            )
        with torch.no_grad():
            for name, array in arrays.items():
                parameters[name].copy_(torch.from_numpy(array))
