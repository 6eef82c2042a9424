# SPDX-License-Identifier: BSD-3-Clause
"""Brevitas model == executed QONNX == integer oracle, 100,800 sequences over the whole grid of choices.

168 combinations of reset mode, activations, hidden size and steps, 600 sequences each; the bits of weights
(2 to 8) and state (4 to 16) run through their ranges beside them, so that every width meets every reset mode.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from finn_flirnn.export import QonnxExecutor, export_qonnx, random_inputs
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.numerics import Activation, Reset

ACTIVATIONS = list(
    product((Activation.SIGMOID, Activation.HARD_SIGMOID), (Activation.TANH, Activation.HARD_TANH))
)
HIDDEN = (1, 3, 16, 31, 32, 33, 64)
STEPS = (1, 2, 135)
SEQUENCES = 600
SPREAD = 3.0
"""Weights of so many times torch's initial spread drive the gates into saturation now and then."""


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("reset", list(Reset))
def test_model_qonnx_and_oracle_are_equal(tmp_path: Path, reset: Reset, hidden: int) -> None:
    first = 100 * HIDDEN.index(hidden) + (7 if reset is Reset.BEFORE else 0)
    compared = 0
    for case, ((gate, candidate), steps) in enumerate(product(ACTIVATIONS, STEPS), start=first):
        torch.manual_seed(case)
        model = Seq2SeqLite(
            hidden=hidden,
            steps=steps,
            reset=reset.value,
            gate=gate.value,
            candidate=candidate.value,
            weight_bits=2 + case % 7,
            state_bits=4 + case % 13,
        ).eval()
        model.load_float_weights({name: SPREAD * array for name, array in model.float_weights().items()})
        network = model.to_network()
        export_qonnx(model, tmp_path / "model.onnx")
        (codes,) = random_inputs(np.random.default_rng(case), network, SEQUENCES)
        x = network.input_format.dequantise(codes)
        expected = network.output_format.dequantise(network.run(codes))
        with torch.no_grad():
            brevitas = model(torch.as_tensor(x, dtype=torch.float32)).double().numpy()
        assert np.array_equal(brevitas, expected), (gate, candidate, steps)
        assert np.array_equal(QonnxExecutor(tmp_path / "model.onnx").run(x), expected)
        compared += len(codes)
    assert compared == len(ACTIVATIONS) * len(STEPS) * SEQUENCES
