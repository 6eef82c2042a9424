# SPDX-License-Identifier: BSD-3-Clause
"""Random integer layers of any sizes and formats."""

from __future__ import annotations

import numpy as np

from finn_flirnn.numerics import (
    Activation,
    Codes,
    DenseLayer,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    Seq2SeqNetwork,
    activation_table,
)

INPUT = Format(8, 8, signed=False)
GATE = Format(8, 7, signed=False)
CANDIDATE = Format(8, 7, narrow=True)
OUTPUT = Format(8, 6)


def random_gru(
    *,
    hidden: int = 5,
    inputs: int = 2,
    reset: Reset = Reset.AFTER,
    gate: Activation = Activation.SIGMOID,
    candidate: Activation = Activation.TANH,
    weight_bits: int = 8,
    state_bits: int = 8,
    preactivation_bits: int = 8,
    sequence: bool = True,
    initial_state: bool = False,
    seed: int = 0,
) -> GruLayer:
    """A layer whose weights and biases are about as large as a trained layer's; inputs 0: none."""
    rng = np.random.default_rng(seed)
    weight = Format(weight_bits, weight_bits - 1, narrow=True)
    preactivation = Format(preactivation_bits, preactivation_bits - 4)
    formats = GruFormats(
        weight_hh=weight,
        state=Format(state_bits, state_bits - 1, narrow=True),
        gate=GATE,
        candidate=CANDIDATE,
        preactivation=preactivation,
        input=INPUT if inputs else None,
        weight_ih=weight if inputs else None,
    )

    def bias() -> Codes:
        one = 1 << formats.product_frac
        return rng.integers(-one, one, 3 * hidden, endpoint=True)

    return GruLayer(
        formats=formats,
        reset=reset,
        weight_ih=_weights(rng, weight, 3 * hidden, inputs) if inputs else None,
        weight_hh=_weights(rng, weight, 3 * hidden, hidden),
        bias_ih=bias(),
        bias_hh=bias() if reset is Reset.AFTER else None,
        gate_table=activation_table(gate, preactivation, GATE),
        candidate_table=activation_table(candidate, preactivation, CANDIDATE),
        sequence=sequence,
        initial_state=initial_state,
    )


def random_seq2seq(
    *,
    steps: int = 7,
    outputs: int = 3,
    hidden: int = 5,
    inputs: int = 1,
    reset: Reset = Reset.AFTER,
    gate: Activation = Activation.SIGMOID,
    candidate: Activation = Activation.TANH,
    weight_bits: int = 8,
    state_bits: int = 8,
    seed: int = 0,
) -> Seq2SeqNetwork:
    """A Seq2Seq network of random layers."""

    def gru(features: int, layer_seed: int) -> GruLayer:
        return random_gru(
            hidden=hidden,
            inputs=features,
            reset=reset,
            gate=gate,
            candidate=candidate,
            weight_bits=weight_bits,
            state_bits=state_bits,
            sequence=not features,
            initial_state=not features,
            seed=layer_seed,
        )

    encoder, decoder = gru(inputs, 2 * seed), gru(0, 2 * seed + 1)
    rng = np.random.default_rng(seed + 1000)
    state, weight = decoder.formats.state, decoder.formats.weight_hh
    head = DenseLayer(
        input_format=state,
        weight_format=weight,
        output_format=OUTPUT,
        weight=_weights(rng, weight, outputs, hidden),
        bias=rng.integers(-1000, 1000, outputs, endpoint=True),
    )
    return Seq2SeqNetwork(steps, encoder, decoder, head)


def _weights(rng: np.random.Generator, fmt: Format, rows: int, columns: int) -> Codes:
    return rng.integers(fmt.min_code, fmt.max_code, (rows, columns), endpoint=True)
