# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle of Seq2SeqLite: stacks of encoders and decoders, state hand-over, head.

Normative text: docs/numerics.md, section 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from finn_flirnn.numerics.dense import DenseLayer
from finn_flirnn.numerics.fixed_point import Codes, Format
from finn_flirnn.numerics.gru import GruLayer


@dataclass(frozen=True, init=False)
class Seq2SeqNetwork:
    """Encoders -> each one's last state starts the decoder of its number -> dense head a step.

    steps: length T of the input, and of the output where there are decoders.
    encoders: the first takes the input, each other one the states of the one below it.
    decoders: as many, the first without input, each other one reads the states of the one below it; or none:
    the head then reads the last encoder's last state, once.
    """

    steps: int
    encoders: tuple[GruLayer, ...]
    decoders: tuple[GruLayer, ...]
    head: DenseLayer

    def __init__(
        self,
        steps: int,
        encoders: GruLayer | Iterable[GruLayer],
        decoders: GruLayer | Iterable[GruLayer],
        head: DenseLayer,
    ) -> None:
        """encoders, decoders: a layer alone stands for a stack of one. Raises ValueError."""
        for name, value in (
            ("steps", steps),
            ("encoders", _stack(encoders)),
            ("decoders", _stack(decoders)),
            ("head", head),
        ):
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if not self.encoders or len(self.decoders) not in (0, len(self.encoders)):
            raise ValueError(
                f"{len(self.encoders)} encoders and {len(self.decoders)} decoders must be equally many, at "
                "least one each, or encoders alone"
            )
        for index, layer in enumerate(self.encoders, start=1):
            if layer.sequence != (index < len(self.encoders)) or layer.initial_state or not layer.inputs:
                raise ValueError(
                    "an encoder must take an input, start at zero and give its last state only, or its "
                    "sequence to the encoder above it"
                )
        for index, layer in enumerate(self.decoders):
            if not layer.sequence or not layer.initial_state or bool(layer.inputs) != bool(index):
                raise ValueError(
                    "a decoder must take an initial state, an input from the decoder below it and from "
                    "nowhere else, and give its sequence"
                )
        for stack in (self.encoders, self.decoders):
            for below, above in pairwise(stack):
                if above.formats.input != below.formats.state or above.inputs != below.hidden:
                    raise ValueError("a layer must take the states of the one below it: same format and size")
        for encoder, decoder in zip(self.encoders, self.decoders, strict=False):
            if encoder.formats.state != decoder.formats.state or encoder.hidden != decoder.hidden:
                raise ValueError(
                    f"the encoder's {encoder.hidden} states {encoder.formats.state} must be as the decoder's "
                    f"{decoder.hidden} {decoder.formats.state}; the state is handed over unchanged"
                )
        read = (self.decoders or self.encoders)[-1]
        if self.head.input_format != read.formats.state or self.head.inputs != read.hidden:
            raise ValueError("the head must take the last layer's state: same format, same size")

    @property
    def encoder(self) -> GruLayer:
        """The only encoder. Raises ValueError if there are several."""
        return _only("encoder", self.encoders)

    @property
    def decoder(self) -> GruLayer:
        """The only decoder. Raises ValueError if there are several or none."""
        return _only("decoder", self.decoders)

    @property
    def recurrent(self) -> dict[str, GruLayer]:
        """All GRU layers by name, in the order of the data: encoder, encoder2, ..., decoder, decoder2, ..."""
        stacks = (("encoder", self.encoders), ("decoder", self.decoders))
        return {layer_name(side, index): layer for side, stack in stacks for index, layer in enumerate(stack)}

    @property
    def input_format(self) -> Format:
        """Format of the input codes."""
        assert self.encoders[0].formats.input is not None
        return self.encoders[0].formats.input

    @property
    def inputs(self) -> int:
        """Number of input features."""
        return self.encoders[0].inputs

    @property
    def output_format(self) -> Format:
        """Format of the output codes."""
        return self.head.output_format

    @property
    def output_steps(self) -> int:
        """How often the head runs: T, or once where there is no decoder."""
        return self.steps if self.decoders else 1

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of a pixel's output: (T, O), or (O,) where there is no decoder."""
        return (self.steps, self.head.outputs) if self.decoders else (self.head.outputs,)

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates of the matrix products of one sequence."""
        recurrent = sum(layer.macs_per_step for layer in self.recurrent.values())
        return self.steps * recurrent + self.output_steps * self.head.macs

    def run(self, x: Codes, chunk: int = 512, threads: int = 2) -> Codes:
        """x: (pixels, T, I) codes -> (pixels, *output_shape) codes, ``chunk`` pixels a thread at a time."""
        chunks = [x[i : i + chunk] for i in range(0, len(x), chunk)]
        if not chunks:
            return np.zeros((0, *self.output_shape), dtype=np.int64)
        with ThreadPoolExecutor(max_workers=threads) as pool:  # numpy works outside of Python's lock
            return np.concatenate(list(pool.map(self._run, chunks)))

    def answers(self, x: Codes) -> Codes:
        """What ``run`` gives, with an axis of steps in any case: (pixels, output_steps, O)."""
        return self.run(x).reshape(len(x), self.output_steps, self.head.outputs)

    def _run(self, x: Codes) -> Codes:
        last = []
        for encoder in self.encoders:
            x = encoder.run(x, self.steps)
            last.append(x[:, -1] if encoder.sequence else x)
        states: Codes | None = None
        for decoder, first in zip(self.decoders, last, strict=False):
            states = decoder.run(states, self.steps, h0=first)
        return self.head.run(last[-1] if states is None else states)


def layer_name(side: str, index: int) -> str:
    """The name of layer ``index``, from 0, of a side: "encoder", "encoder2", ..."""
    return f"{side}{index + 1}" if index else side


def _stack(layers: GruLayer | Iterable[GruLayer]) -> tuple[GruLayer, ...]:
    return (layers,) if isinstance(layers, GruLayer) else tuple(layers)


def _only(name: str, layers: tuple[GruLayer, ...]) -> GruLayer:
    if len(layers) != 1:
        raise ValueError(f"the network must have one {name}, it has {len(layers)}; take {name}s")
    return layers[0]
