# SPDX-License-Identifier: BSD-3-Clause
"""Seq2SeqLite: fluorescence decays to the sample's own full, short and long decays.

Encoder GRU -> its last state starts the decoder GRU (no input) -> dense head at every step. With hard
gates, a hard candidate and the reset before the product it has the form that its authors published. Encoder
and decoder may be stacks of layers; without a decoder the head reads the encoder's last state, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from finn_flirnn.models.formats import gru_quantisation
from finn_flirnn.models.quant_gru import QuantGRU
from finn_flirnn.models.quant_head import QuantHead
from finn_flirnn.numerics import Format, Seq2SeqNetwork
from finn_flirnn.numerics.seq2seq import layer_name

IGNORED_WEIGHTS = frozenset({"decoder.weight_ih"})
"""May be given, and is then checked and left out: the decoder's input is always zero."""

RunLayer = Callable[[QuantGRU, Tensor | None, Tensor | None], Tensor]
"""(layer, its input, its first state) to its states (batch, T, H, ...), or its last state (batch, H, ...)."""


class Seq2SeqLite(nn.Module):
    """Encoders, state hand-over, decoders (the first without input), head.

    hidden: units H, or those of each of a stack of layers, the input's first; steps T, inputs I, outputs O.
    Encoder k gives its sequence to encoder k + 1 and its last state to decoder k; the head reads the last
    decoder. decoder: False for none; the head then reads the last state of the last encoder.
    reset, gate, candidate and the bits as of ``QuantGRU``; head_weight_bits: None for ``weight_bits``. Output
    format: signed, frac = output_bits - 2.
    weight_fracs: by LAYER_WEIGHT_frac, such as encoder_weight_ih_frac, decoder2_weight_hh_frac and
    head_weight_frac: fixed fractional bits of that weight, or None to follow the values (see
    ``WeightQuantiser``). Few bits need a fixed grid: the few greatest weights saturate, all others gain.
    ``quantised``: the initial value of the property of that name; False is the float model.

    Layers are named encoder, encoder2, ..., decoder, decoder2, ..., head.

    >>> model = Seq2SeqLite(hidden=(4, 3), steps=5).eval()
    >>> tuple(model(torch.rand(2, 5, 1)).shape), [layer.hidden for layer in model.to_network().decoders]
    ((2, 5, 3), [4, 3])
    """

    encoder: QuantGRU
    decoder: QuantGRU

    def __init__(
        self,
        hidden: int | Sequence[int] = 32,
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
        decoder: bool = True,
        quantised: bool = True,
        **weight_fracs: int | None,
    ) -> None:
        super().__init__()
        units = (hidden,) if isinstance(hidden, int) else tuple(hidden)
        if steps < 1 or inputs < 1 or outputs < 1 or not units:
            raise ValueError(
                f"steps={steps}, inputs={inputs} and outputs={outputs} must be at least 1, hidden={hidden} "
                "must name at least one layer"
            )
        self.steps = steps
        self.config: dict[str, int | str | bool | list[int]] = {
            "hidden": units[0] if len(units) == 1 else list(units),
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
        if not decoder:
            self.config["decoder"] = False
        self.config |= {name: frac for name, frac in weight_fracs.items() if frac is not None}
        first = gru_quantisation(
            weight_bits, input_bits, state_bits, gate_bits, preactivation_bits, input_signed, candidate_bits
        )
        above = replace(first, input=first.state)
        sides = {"encoder": (inputs, *units[:-1])} | ({"decoder": (0, *units[:-1])} if decoder else {})
        for side, sizes in sides.items():
            for index, (size, width) in enumerate(zip(sizes, units, strict=True)):
                name = layer_name(side, index)
                layer = QuantGRU(
                    size,
                    width,
                    reset=reset,
                    gate=gate,
                    candidate=candidate,
                    quantisation=replace(
                        above if index else first,
                        weight_ih_frac=weight_fracs.pop(f"{name}_weight_ih_frac", None) if size else None,
                        weight_hh_frac=weight_fracs.pop(f"{name}_weight_hh_frac", None),
                    ),
                    initial_state=side == "decoder",
                    sequence=side == "decoder" or index + 1 < len(units),
                )
                self.add_module(name, layer)
        self.head = QuantHead(
            units[-1],
            outputs,
            weight_bits if head_weight_bits is None else head_weight_bits,
            first.state,
            Format(output_bits, output_bits - 2),
            weight_fracs.pop("head_weight_frac", None),
        )
        if weight_fracs:
            raise TypeError(
                f"{', '.join(weight_fracs)} must be an argument of Seq2SeqLite, or LAYER_WEIGHT_frac with a "
                f"layer of {', '.join(name for name, _ in self.named_children())}"
            )
        self.quantised = quantised

    @property
    def encoders(self) -> tuple[QuantGRU, ...]:
        """The encoders, the input's first."""
        return self._side("encoder")

    @property
    def decoders(self) -> tuple[QuantGRU, ...]:
        """The decoders, the one without input first; none if the head reads the last state."""
        return self._side("decoder")

    @property
    def recurrent(self) -> dict[str, QuantGRU]:
        """All GRU layers by name, in the order of the data."""
        return {name: layer for name, layer in self.named_children() if isinstance(layer, QuantGRU)}

    def _side(self, side: str) -> tuple[QuantGRU, ...]:
        return tuple(layer for name, layer in self.recurrent.items() if name.startswith(side))

    @property
    def quantised(self) -> bool:
        """Whether the quantisers act; if not, this is the float model on the same weights."""
        return self.head.quantised

    @quantised.setter
    def quantised(self, value: bool) -> None:
        self.head.quantised = value
        for layer in self.recurrent.values():
            layer.quantised = value

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, T, I) normalised decays -> (batch, T, O), or (batch, O) without decoder."""
        if x.ndim != 3 or x.shape[1] != self.steps:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, expected (batch, {self.steps}, {self.encoder.input_size})"
            )

        def run(layer: QuantGRU, value: Tensor | None, first: Tensor | None) -> Tensor:
            return layer(value, first, steps=self.steps)

        return self.head(self.head_states(x, run))

    def head_states(self, x: Tensor, run: RunLayer) -> Tensor:
        """What the head reads, for inputs x, if ``run`` runs a layer."""
        last, value = [], x
        for layer in self.encoders:
            value = run(layer, value, None)
            last.append(value[:, -1] if layer.sequence else value)
        states = None
        for layer, first in zip(self.decoders, last, strict=False):
            states = run(layer, states, first)
        return last[-1] if states is None else states

    def to_network(self) -> Seq2SeqNetwork:
        """This model in integer codes."""
        encoders, decoders = ([layer.to_layer() for layer in side] for side in (self.encoders, self.decoders))
        return Seq2SeqNetwork(self.steps, encoders, decoders, self.head.to_layer())

    def float_weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Copies of the float weights under the names of ``load_float_weights``."""
        return {name: p.detach().cpu().numpy().copy() for name, p in self.named_parameters()}

    def load_float_weights(self, mapping: Mapping[str, npt.ArrayLike]) -> None:
        """Take weights from arrays; all or, on any error, none.

        encoder.weight_ih (3H, I), encoder.weight_hh (3H, H), encoder.bias_ih (3H,), encoder.bias_hh (3H,)
        (not where the reset is before the product); the same for decoder., whose weight_ih may be absent
        and has no effect, and for the layers above them; head.weight (O, H), head.bias (O,). Gate order
        r, z, n, as torch.
        Raises ValueError naming every missing, unknown, misshapen or non-finite array.
        """
        parameters = dict(self.named_parameters())
        problems = [f"{name} is missing" for name in parameters if name not in mapping]
        arrays: dict[str, npt.NDArray[np.float32]] = {}
        for name, value in mapping.items():
            ignored = name in IGNORED_WEIGHTS and bool(self.decoders)
            if name not in parameters and not ignored:
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
            if ignored:
                rows = 3 * self.decoder.hidden_size
                if array.ndim != 2 or array.shape[0] != rows:
                    problems.append(f"{name} has shape {array.shape}, expected ({rows}, any)")
            else:
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
