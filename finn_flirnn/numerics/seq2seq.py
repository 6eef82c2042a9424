# SPDX-License-Identifier: BSD-3-Clause
"""The integer oracle of Seq2SeqLite: encoder, state hand-over, input-free decoder, head.

Normative text: docs/numerics.md, section 6.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from finn_flirnn.numerics.dense import DenseLayer
from finn_flirnn.numerics.fixed_point import Codes, Format
from finn_flirnn.numerics.gru import GruLayer


@dataclass(frozen=True)
class Seq2SeqNetwork:
    """Encoder GRU -> its last state starts the decoder GRU (no input) -> dense head a step.

    steps: length T of both the input and the output sequence.
    """

    steps: int
    encoder: GruLayer
    decoder: GruLayer
    head: DenseLayer

    def __post_init__(self) -> None:
        if self.encoder.sequence or self.encoder.initial_state or not self.encoder.inputs:
            raise ValueError("the encoder must take an input, start at zero and give its last state only")
        if not self.decoder.sequence or not self.decoder.initial_state or self.decoder.inputs:
            raise ValueError("the decoder must take an initial state, no input, and give its sequence")
        if self.encoder.formats.state != self.decoder.formats.state:
            raise ValueError(
                f"the encoder's state {self.encoder.formats.state} must have the decoder's format "
                f"{self.decoder.formats.state}; the state is handed over unchanged"
            )
        if self.head.input_format != self.decoder.formats.state or self.head.inputs != self.decoder.hidden:
            raise ValueError("the head must take the decoder's state: same format, same size")

    @property
    def input_format(self) -> Format:
        """Format of the input codes."""
        assert self.encoder.formats.input is not None
        return self.encoder.formats.input

    @property
    def output_format(self) -> Format:
        """Format of the output codes."""
        return self.head.output_format

    @property
    def macs_per_pixel(self) -> int:
        """Multiply-accumulates of the matrix products of one sequence."""
        return self.steps * (self.encoder.macs_per_step + self.decoder.macs_per_step + self.head.macs)

    def run(self, x: Codes, chunk: int = 512, threads: int = 2) -> Codes:
        """x: (pixels, T, I) codes -> (pixels, T, O) codes, ``chunk`` pixels a thread at a time."""
        chunks = [x[i : i + chunk] for i in range(0, len(x), chunk)]
        if not chunks:
            return np.zeros((0, self.steps, self.head.outputs), dtype=np.int64)
        with ThreadPoolExecutor(max_workers=threads) as pool:  # numpy works outside of Python's lock
            return np.concatenate(list(pool.map(self._run, chunks)))

    def _run(self, x: Codes) -> Codes:
        state = self.encoder.run(x, self.steps)
        return self.head.run(self.decoder.run(None, self.steps, h0=state))
