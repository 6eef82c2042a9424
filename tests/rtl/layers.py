# SPDX-License-Identifier: BSD-3-Clause
"""Random layers over the whole range of formats, and their runs through the simulated hardware."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier, RtlModule, emit_dense, emit_gru
from finn_flirnn.numerics import (
    Activation,
    Codes,
    DenseLayer,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    activation_table,
)


@dataclass(frozen=True)
class GruCase:
    """A GRU layer's sizes and widths, and its folding."""

    hidden: int
    folding: GruFolding
    inputs: int = 1
    steps: int = 5
    reset: Reset = Reset.AFTER
    weight_bits: int = 8
    state_bits: int = 8
    gate_bits: int = 8
    candidate_bits: int = 8
    preactivation_bits: int = 10
    input_bits: int = 8
    input_signed: bool = False
    gate: Activation | None = Activation.SIGMOID
    candidate: Activation | None = Activation.TANH
    sequence: bool = True
    initial_state: bool = False
    multiplier: Multiplier = Multiplier.DSP48E2
    formats: GruFormats | None = None
    """Instead of the bits above."""
    extreme: bool = False
    """Each row of weights, and each input sequence, at one end of its range."""

    def _formats(self) -> GruFormats:
        state = Format(self.state_bits, self.state_bits - 1, narrow=True)
        gate = Format(self.gate_bits, self.gate_bits - 1, signed=False)
        candidate = Format(self.candidate_bits, self.candidate_bits - 1, narrow=True)
        pre = Format(self.preactivation_bits, self.preactivation_bits - 4)
        weight = Format(self.weight_bits, self.weight_bits - 2, narrow=True)
        given = self.inputs > 0
        source = Format(self.input_bits, self.input_bits - int(self.input_signed), self.input_signed)
        return GruFormats(
            weight, state, gate, candidate, pre, source if given else None, weight if given else None
        )

    def layer(self, rng: np.random.Generator) -> GruLayer:
        """A layer with random weights, biases and, where no function is given, tables."""
        f = self.formats or self._formats()
        draw = extreme_codes if self.extreme else random_codes
        bias = 1 << f.product_frac
        return GruLayer(
            f,
            self.reset,
            draw(rng, f.weight_ih, (3 * self.hidden, self.inputs)) if f.weight_ih else None,
            draw(rng, f.weight_hh, (3 * self.hidden, self.hidden)),
            rng.integers(-bias, bias + 1, 3 * self.hidden),
            rng.integers(-bias, bias + 1, 3 * self.hidden) if self.reset is Reset.AFTER else None,
            _table(rng, self.gate, f.preactivation, f.gate),
            _table(rng, self.candidate, f.preactivation, f.candidate),
            self.sequence,
            self.initial_state,
        )

    def emit(self, layer: GruLayer, directory: Path, name: str = "gru") -> RtlModule:
        """The hardware of the layer."""
        return emit_gru(layer, self.steps, self.folding, directory, name, self.multiplier)

    def data(
        self, layer: GruLayer, groups: int, rng: np.random.Generator, missing: int = 0
    ) -> tuple[dict[str, Codes], Codes]:
        """Random input streams for so many groups, and the output transfers that the oracle expects.

        missing: pixels that the last group lacks; zeros fill their lanes, as the driver does.
        """
        lanes, cell = self.folding.lanes, self.folding.cell_pe(self.hidden)
        pixels, f = groups * lanes, layer.formats
        draw = extreme_codes if self.extreme else random_codes
        x = draw(rng, f.input, (pixels, self.steps, self.inputs)) if f.input else None
        h0 = draw(rng, f.state, (pixels, self.hidden)) if self.initial_state else None
        for data in (x, h0):
            if data is not None:
                data[pixels - missing :] = 0
        streams: list[Codes] = []
        if x is not None:
            streams.append(interleave(x, lanes).reshape(-1, self.folding.input_simd))
        if h0 is not None:
            streams.append(h0.reshape(-1, cell))
        y = layer.run(x, self.steps, h0, batch=pixels)
        expected = interleave(y, lanes) if self.sequence else y
        return {f"in{i}_V": s for i, s in enumerate(streams)}, expected.reshape(-1, cell)


def interleave(sequences: Codes, lanes: int) -> Codes:
    """(pixels, T, F) -> (groups, T, lanes, F), the order in a stream."""
    pixels, steps, features = sequences.shape
    return sequences.reshape(pixels // lanes, lanes, steps, features).transpose(0, 2, 1, 3)


def random_dense(
    rng: np.random.Generator, inputs: int, outputs: int, state: Format, bits: int = 8
) -> DenseLayer:
    """A dense head with random weights."""
    weight = Format(bits, bits - 1, narrow=True)
    return DenseLayer(
        state,
        weight,
        Format(16, 14),
        random_codes(rng, weight, (outputs, inputs)),
        rng.integers(-(1 << 14), 1 << 14, outputs),
    )


def emit_head(layer: DenseLayer, folding: DenseFolding, directory: Path, name: str = "head") -> RtlModule:
    """The hardware of a head."""
    return emit_dense(layer, folding, directory, name)


def random_codes(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> Codes:
    """Any codes of a format."""
    return rng.integers(form.min_code, form.max_code + 1, shape)


def extreme_codes(rng: np.random.Generator, form: Format, shape: tuple[int, ...]) -> Codes:
    """The format's least or greatest code, the same throughout a row: sums become as great as they can."""
    rows = rng.choice([form.min_code, form.max_code], (shape[0], *[1] * (len(shape) - 1)))
    return np.broadcast_to(rows, shape).copy()


def _table(rng: np.random.Generator, function: Activation | None, source: Format, target: Format) -> Codes:
    if function is not None:
        return activation_table(function, source, target)
    one = 1 << target.frac  # gates and candidates lie within [-1, 1]
    return rng.integers(max(target.min_code, -one), min(target.max_code, one) + 1, 1 << source.bits)
