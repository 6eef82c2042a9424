# SPDX-License-Identifier: BSD-3-Clause
"""Small integer networks with random weights, for tests that need any network at all."""

from __future__ import annotations

import numpy as np

from finn_flirnn.numerics import (
    Activation,
    DenseLayer,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    Seq2SeqNetwork,
    activation_table,
)

WEIGHT = Format(8, 6, narrow=True)
STATE = Format(8, 7, narrow=True)
GATE = Format(8, 7, signed=False)
PREACTIVATION = Format(8, 4)
OUTPUT = Format(8, 6)


def random_network(
    hidden: int = 4, steps: int = 5, reset: Reset = Reset.AFTER, seed: int = 0
) -> Seq2SeqNetwork:
    """A Seq2Seq network of one input and three outputs."""
    rng = np.random.default_rng(seed)

    def codes(*shape: int, greatest: int = 60) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return rng.integers(-greatest, greatest, shape, endpoint=True)

    def gru(inputs: int) -> GruLayer:
        return GruLayer(
            formats=GruFormats(
                weight_hh=WEIGHT,
                state=STATE,
                gate=GATE,
                candidate=STATE,
                preactivation=PREACTIVATION,
                input=Format(8, 8, signed=False) if inputs else None,
                weight_ih=WEIGHT if inputs else None,
            ),
            reset=reset,
            weight_ih=codes(3 * hidden, inputs) if inputs else None,
            weight_hh=codes(3 * hidden, hidden),
            bias_ih=codes(3 * hidden, greatest=2000),
            bias_hh=codes(3 * hidden, greatest=2000) if reset is Reset.AFTER else None,
            gate_table=activation_table(Activation.SIGMOID, PREACTIVATION, GATE),
            candidate_table=activation_table(Activation.TANH, PREACTIVATION, STATE),
            sequence=not inputs,
            initial_state=not inputs,
        )

    head = DenseLayer(STATE, WEIGHT, OUTPUT, codes(3, hidden), codes(3, greatest=2000))
    return Seq2SeqNetwork(steps, gru(1), gru(0), head)
