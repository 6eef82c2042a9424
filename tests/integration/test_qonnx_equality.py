# SPDX-License-Identifier: BSD-3-Clause
"""Executed QONNX == integer oracle, code by code: a fast part, and the whole grid as a campaign."""

import math
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx

from finn_flirnn.export import (
    build_qonnx,
    execute_qonnx,
    export_qonnx,
    random_inputs,
    verify_qonnx,
    without_functions,
)
from finn_flirnn.models import QuantGRU, Seq2SeqLite
from finn_flirnn.numerics import Activation, Reset
from tests.fakes.random_layers import INPUT, OUTPUT, random_gru, random_seq2seq

GATES = [Activation.SIGMOID, Activation.HARD_SIGMOID]
CANDIDATES = [Activation.TANH, Activation.HARD_TANH]
WEIGHT_BITS = range(2, 9)
STATE_BITS = range(4, 17)
HIDDEN = [1, 3, 16, 31, 32, 33, 64]
STEPS = [1, 2, 135]


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("reset", list(Reset))
def test_network_of_every_size_equals_the_oracle(reset: Reset, hidden: int) -> None:
    for steps in STEPS:
        network = random_seq2seq(reset=reset, hidden=hidden, steps=steps, seed=hidden)
        result = verify_qonnx(build_qonnx(network), network, 16, seed=steps)
        assert (result.sequences, result.codes, result.mismatches) == (16, 16 * steps * 3, 0)


@pytest.mark.parametrize("state_bits", STATE_BITS)
@pytest.mark.parametrize("reset", list(Reset))
def test_network_of_every_state_width_equals_the_oracle(reset: Reset, state_bits: int) -> None:
    for weight_bits in (2, 3 + state_bits % 5, 8):
        network = random_seq2seq(
            reset=reset, hidden=17, steps=9, state_bits=state_bits, weight_bits=weight_bits
        )
        assert verify_qonnx(build_qonnx(network), network, 64, seed=state_bits).mismatches == 0


@pytest.mark.parametrize("weight_bits", WEIGHT_BITS)
@pytest.mark.parametrize("candidate", CANDIDATES)
@pytest.mark.parametrize("gate", GATES)
def test_layer_of_every_activation_equals_the_oracle(
    gate: Activation, candidate: Activation, weight_bits: int
) -> None:
    for reset, initial_state, sequence, inputs in product(Reset, (False, True), (False, True), (0, 3)):
        layer = random_gru(
            gate=gate,
            candidate=candidate,
            weight_bits=weight_bits,
            reset=reset,
            initial_state=initial_state,
            sequence=sequence,
            inputs=inputs,
            preactivation_bits=6 + weight_bits % 4,
        )
        model = build_qonnx(layer, steps=4, batch=8)
        assert verify_qonnx(model, layer, 16, seed=weight_bits, steps=4).mismatches == 0


def test_verification_counts_codes_that_differ() -> None:
    network = random_seq2seq()
    other = replace(network, head=replace(network.head, bias=network.head.bias + 64))
    result = verify_qonnx(build_qonnx(network), other, 10, seed=0)
    assert 0 < result.mismatches <= result.codes == 10 * 7 * 3


@pytest.mark.parametrize("reset", ["after", "before"])
def test_brevitas_model_its_qonnx_and_its_oracle_are_equal(tmp_path: Path, reset: str) -> None:
    model = Seq2SeqLite(hidden=6, steps=5, reset=reset).eval()
    path = tmp_path / "model.onnx"
    export_qonnx(model, path)
    assert verify_qonnx(path, model.to_network(), 100, seed=0).mismatches == 0


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize(
    ("hidden", "decoder"), [((6, 4), True), ((5, 3, 7), True), ((8,), False), ((6, 4), False)]
)
def test_stacks_and_models_without_decoder_equal_their_oracle(
    tmp_path: Path, hidden: tuple[int, ...], decoder: bool, reset: str
) -> None:
    torch.manual_seed(1)
    model = Seq2SeqLite(hidden, 3 if decoder else 2, steps=15, reset=reset, decoder=decoder).eval()
    network = model.to_network()
    path = tmp_path / "model.onnx"
    export_qonnx(model, path)
    result = verify_qonnx(path, network, 200, seed=0)
    assert (result.codes, result.mismatches) == (200 * math.prod(network.output_shape), 0)
    x = torch.rand(300, 15, 1)
    with torch.no_grad():
        assert np.array_equal(execute_qonnx(path, x), model(x).double())


def test_brevitas_layer_and_its_qonnx_are_equal(tmp_path: Path) -> None:
    layer = QuantGRU(2, 6, initial_state=True, sequence=False).eval()
    path = tmp_path / "layer.onnx"
    export_qonnx(layer, path, steps=4)
    assert verify_qonnx(path, layer.to_layer(), 100, seed=0, steps=4).mismatches == 0


@pytest.mark.parametrize("state_bits", [8, 16])
@pytest.mark.parametrize("reset", list(Reset))
def test_qonnx_executes_the_model_with_quant_written_out(reset: Reset, state_bits: int) -> None:
    network = random_seq2seq(reset=reset, steps=3, state_bits=state_bits)
    model = ModelWrapper(without_functions(build_qonnx(network, batch=4)))
    (x,) = random_inputs(np.random.default_rng(0), network, 4)
    y = execute_onnx(model, {"x": INPUT.dequantise(x).astype(np.float32)})["y"]
    assert np.array_equal(y, OUTPUT.dequantise(network.run(x)))


@pytest.mark.campaign
@pytest.mark.timeout(0)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(("gate", "candidate"), list(product(GATES, CANDIDATES)))
@pytest.mark.parametrize("reset", list(Reset))
def test_whole_grid_equals_the_oracle(
    reset: Reset, gate: Activation, candidate: Activation, hidden: int, steps: int
) -> None:
    for weight_bits, state_bits in product(WEIGHT_BITS, STATE_BITS):
        network = random_seq2seq(
            reset=reset,
            gate=gate,
            candidate=candidate,
            hidden=hidden,
            steps=steps,
            weight_bits=weight_bits,
            state_bits=state_bits,
            seed=100 * weight_bits + state_bits,
        )
        result = verify_qonnx(build_qonnx(network), network, 16, seed=weight_bits)
        assert result.mismatches == 0, (weight_bits, state_bits)


@pytest.mark.campaign
@pytest.mark.timeout(0)
@pytest.mark.parametrize("reset", list(Reset))
def test_hundred_thousand_sequences_equal_the_oracle(reset: Reset) -> None:
    network = random_seq2seq(reset=reset, hidden=32, steps=135)
    result = verify_qonnx(build_qonnx(network), network, 100_000, seed=0)
    assert (result.sequences, result.codes, result.mismatches) == (100_000, 40_500_000, 0)
