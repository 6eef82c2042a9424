# SPDX-License-Identifier: BSD-3-Clause
"""A quantised GRU layer in Brevitas, equal in eval mode to ``numerics.GruLayer``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from finn_flirnn.models.formats import GruQuantisation, gru_quantisation
from finn_flirnn.models.quantisers import (
    WeightQuantiser,
    activation_quantiser,
    bias_codes,
    exact_dtype,
    quantise_bias,
)
from finn_flirnn.numerics import Activation, GruFormats, GruLayer, Reset, activation_table
from finn_flirnn.numerics.magnitude import gru_magnitude

_Choice = TypeVar("_Choice", Activation, Reset)

GATES = (Activation.SIGMOID, Activation.HARD_SIGMOID)
CANDIDATES = (Activation.TANH, Activation.HARD_TANH)


class QuantGRU(nn.Module):
    """A GRU layer, parameters named and ordered as torch's (gates r, z, n).

        r = sigma(W_ir x + b_ir + W_hr h + b_hr)        z likewise
        n = tau(W_in x + b_in + r (W_hn h + b_hn))      reset="after" (PyTorch, cuDNN)
        n = tau(W_in x + b_in + W_hn (r h))             reset="before" (Cho 2014); no bias_hh
        h' = n + z (h - n)

    input_size I, 0 for a layer without input; hidden_size H.
    gate: "sigmoid" or "hard_sigmoid"; candidate: "tanh" or "hard_tanh".
    *_bits, input_signed: see ``gru_quantisation``; ``quantisation`` overrides them all.
    initial_state: forward takes h0 (else it starts at zero).
    sequence: forward returns every state (else the last).

    Weights are weight_ih (3H, I), weight_hh (3H, H), bias_ih (3H,), bias_hh (3H,). In training mode a
    quantiser follows every smooth function, with straight-through gradients. In eval mode every sum is
    exact and the activations are the tables of ``numerics``: the result equals that of ``to_layer()``.
    Set ``quantised`` to False for the plain float layer on the same weights.
    """

    gate_values: Tensor
    candidate_values: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        reset: str = "after",
        gate: str = "sigmoid",
        candidate: str = "tanh",
        weight_bits: int = 8,
        input_bits: int = 8,
        state_bits: int = 8,
        gate_bits: int = 8,
        preactivation_bits: int = 10,
        candidate_bits: int | None = None,
        input_signed: bool = False,
        quantisation: GruQuantisation | None = None,
        initial_state: bool = False,
        sequence: bool = True,
        quantised: bool = True,
    ) -> None:
        super().__init__()
        if input_size < 0 or hidden_size < 1:
            raise ValueError(
                f"input_size={input_size} must be at least 0 and hidden_size={hidden_size} at least 1"
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.reset = _choice("reset", reset, tuple(Reset))
        self.gate = _choice("gate", gate, GATES)
        self.candidate = _choice("candidate", candidate, CANDIDATES)
        self.initial_state = initial_state
        self.sequence = sequence
        self.quantised = quantised
        self.quantisation = quantisation or gru_quantisation(
            weight_bits, input_bits, state_bits, gate_bits, preactivation_bits, input_signed, candidate_bits
        )
        q = self.quantisation
        rows = 3 * hidden_size
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.weight_hh_quant = WeightQuantiser(q.weight_bits, q.weight_hh_frac)
        self.state_quant = activation_quantiser(q.state)
        self.gate_quant = activation_quantiser(q.gate)
        self.candidate_quant = activation_quantiser(q.candidate)
        self.preactivation_quant = activation_quantiser(q.preactivation)
        if input_size:
            self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
            self.weight_ih_quant = WeightQuantiser(q.weight_bits, q.weight_ih_frac)
            self.input_quant = activation_quantiser(q.input)
        else:
            self.register_parameter("weight_ih", None)
        if self.reset is Reset.AFTER:
            self.bias_hh = nn.Parameter(torch.empty(rows))
        else:
            self.register_parameter("bias_hh", None)
        gate_table = activation_table(self.gate, q.preactivation, q.gate) * q.gate.scale
        candidate_table = activation_table(self.candidate, q.preactivation, q.candidate) * q.candidate.scale
        self.register_buffer("gate_values", torch.from_numpy(gate_table), persistent=False)
        self.register_buffer("candidate_values", torch.from_numpy(candidate_table), persistent=False)
        self.reset_parameters()
        self.formats()  # refuses formats that do not fit together

    def reset_parameters(self) -> None:
        """Uniform in +-1/sqrt(H), as torch.nn.GRU."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def formats(self) -> GruFormats:
        """The formats in force, the weights' included."""
        q = self.quantisation
        with_input = self.weight_ih is not None
        return GruFormats(
            weight_hh=self.weight_hh_quant.format_of(self.weight_hh),
            state=q.state,
            gate=q.gate,
            candidate=q.candidate,
            preactivation=q.preactivation,
            input=q.input if with_input else None,
            weight_ih=self.weight_ih_quant.format_of(self.weight_ih) if with_input else None,
        )

    def to_layer(self) -> GruLayer:
        """This layer in integer codes."""
        f, q = self.formats(), self.quantisation
        return GruLayer(
            formats=f,
            reset=self.reset,
            weight_ih=None if f.weight_ih is None else f.weight_ih.quantise(_array(self.weight_ih)),
            weight_hh=f.weight_hh.quantise(_array(self.weight_hh)),
            bias_ih=bias_codes(self.bias_ih, f.product_frac),
            bias_hh=None if self.bias_hh is None else bias_codes(self.bias_hh, f.product_frac),
            gate_table=activation_table(self.gate, q.preactivation, q.gate),
            candidate_table=activation_table(self.candidate, q.preactivation, q.candidate),
            sequence=self.sequence,
            initial_state=self.initial_state,
        )

    def quantised_parameters(self) -> tuple[Tensor | None, Tensor, Tensor, Tensor | None]:
        """weight_ih, weight_hh, bias_ih, bias_hh as the forward pass uses them, with gradients."""
        if not self.quantised:
            return self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        frac = self.formats().product_frac
        return (
            None if self.weight_ih is None else self.weight_ih_quant(self.weight_ih),
            self.weight_hh_quant(self.weight_hh),
            quantise_bias(self.bias_ih, frac),
            None if self.bias_hh is None else quantise_bias(self.bias_hh, frac),
        )

    def quantise_input(self, x: Tensor) -> Tensor:
        """Real inputs on the grid of the input format; unchanged if the layer is not quantised."""
        return self.input_quant(x) if self.quantised else x

    def forward(
        self,
        x: Tensor | None = None,
        h0: Tensor | None = None,
        *,
        steps: int | None = None,
        batch: int | None = None,
    ) -> Tensor:
        """Run whole sequences.

        x: (batch, time, I) real inputs, quantised at the entry; None for a layer without input, which
        needs ``steps``, and ``batch`` if it has no h0 either. h0: (batch, H), quantised to the state.
        Returns (batch, time, H), or (batch, H) if not ``sequence``. Raises ValueError.
        """
        steps, batch = self._check(x, h0, steps, batch)
        dtype = self._dtype()
        w_ih, w_hh, b_ih, b_hh = (None if p is None else p.to(dtype) for p in self.quantised_parameters())
        assert w_hh is not None and b_ih is not None
        h = torch.zeros(batch, self.hidden_size, dtype=dtype)
        if h0 is not None:
            h = self._quantise(self.state_quant, h0.to(dtype))
        u_all = None
        if x is not None and w_ih is not None:
            u_all = self.quantise_input(x.to(dtype)) @ w_ih.T + b_ih
        states = []
        for t in range(steps):
            h = self._step(b_ih if u_all is None else u_all[:, t], h, w_hh, b_hh)
            if self.sequence:
                states.append(h)
        return (torch.stack(states, dim=1) if self.sequence else h).to(self.weight_hh.dtype)

    def _step(self, u: Tensor, h: Tensor, w_hh: Tensor, b_hh: Tensor | None) -> Tensor:
        size = self.hidden_size
        if b_hh is not None:
            v = h @ w_hh.T + b_hh
            r, z = self._gates(u[..., : 2 * size] + v[:, : 2 * size])
            v_n = self._quantise(self.preactivation_quant, v[:, 2 * size :])
            a_n = u[..., 2 * size :] + r * v_n
        else:
            r, z = self._gates(u[..., : 2 * size] + h @ w_hh[: 2 * size].T)
            rh = self._quantise(self.state_quant, r * h)
            a_n = u[..., 2 * size :] + rh @ w_hh[2 * size :].T
        n = self._activate(a_n, self.candidate, self.candidate_values, self.candidate_quant)
        return self._quantise(self.state_quant, n + z * (h - n))

    def _gates(self, a: Tensor) -> tuple[Tensor, Tensor]:
        r, z = self._activate(a, self.gate, self.gate_values, self.gate_quant).chunk(2, dim=-1)
        return r, z

    def _activate(self, a: Tensor, function: Activation, values: Tensor, quantiser: nn.Module) -> Tensor:
        a = self._quantise(self.preactivation_quant, a)
        if self.quantised and not self.training:
            # the table, since torch's sigmoid may differ from numpy's in the last place and so at a tie
            return values.to(a.dtype)[(a * 2.0**self.quantisation.preactivation.frac).long()]
        return self._quantise(quantiser, SMOOTH[function](a))

    def _quantise(self, quantiser: nn.Module, a: Tensor) -> Tensor:
        return cast(Tensor, quantiser(a)) if self.quantised else a

    def _dtype(self) -> torch.dtype:
        # training makes do with the parameters' own type
        if self.training or not self.quantised:
            return self.weight_hh.dtype
        return exact_dtype(gru_magnitude(self.to_layer()))

    def _check(
        self, x: Tensor | None, h0: Tensor | None, steps: int | None, batch: int | None
    ) -> tuple[int, int]:
        if (x is None) != (self.input_size == 0):
            raise ValueError(
                f"x must be {'None' if self.input_size == 0 else 'given'} for input_size={self.input_size}"
            )
        if (h0 is not None) != self.initial_state:
            raise ValueError(
                f"h0 must be {'given' if self.initial_state else 'None'} for "
                f"initial_state={self.initial_state}"
            )
        if x is not None:
            if x.ndim != 3 or x.shape[2] != self.input_size or steps not in (None, x.shape[1]):
                raise ValueError(
                    f"x has shape {tuple(x.shape)}, expected (batch, {steps or 'time'}, {self.input_size})"
                )
            batch, steps = x.shape[0], x.shape[1]
            if bool(torch.isnan(x).any()):
                raise ValueError("x must hold numbers, got NaN; remove or replace it")
        if h0 is not None:
            if h0.shape != (h0.shape[0] if batch is None else batch, self.hidden_size):
                raise ValueError(
                    f"h0 has shape {tuple(h0.shape)}, expected ({batch or 'batch'}, {self.hidden_size})"
                )
            batch = h0.shape[0]
        if steps is None or batch is None or steps < 1:
            raise ValueError(
                f"steps={steps} must be at least 1 and batch={batch} known; give steps (and batch, where "
                "there is neither x nor h0)"
            )
        return int(steps), int(batch)


def _hard_sigmoid(a: Tensor) -> Tensor:
    return (0.5 * a + 0.5).clamp(0.0, 1.0)


def _hard_tanh(a: Tensor) -> Tensor:
    return a.clamp(-1.0, 1.0)


SMOOTH: dict[Activation, Callable[[Tensor], Tensor]] = {
    Activation.SIGMOID: torch.sigmoid,
    Activation.HARD_SIGMOID: _hard_sigmoid,
    Activation.TANH: torch.tanh,
    Activation.HARD_TANH: _hard_tanh,
}


def _choice(name: str, value: str, choices: tuple[_Choice, ...]) -> _Choice:
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def _array(tensor: Tensor) -> npt.NDArray[np.float32]:
    return tensor.detach().cpu().numpy()
