# SPDX-License-Identifier: BSD-3-Clause
"""The oracle's layers: the equations in exact rational arithmetic, and refusals."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from finn_flirnn.codegen import GruFolding
from finn_flirnn.numerics import DenseLayer, Format, GruLayer, Reset, Seq2SeqNetwork
from tests.rtl.layers import GruCase, random_dense


def _quantise(value: Fraction, form: Format) -> int:
    return int(min(max(round(value * Fraction(2) ** form.frac), form.min_code), form.max_code))


def _reference_step(layer: GruLayer, x: list[int], h: list[int]) -> list[int]:
    """docs/numerics.md section 4, one pixel, in rationals: independent of the oracle's shifts."""
    f, size = layer.formats, layer.hidden
    one = Fraction(2)

    def real(code: int, form: Format) -> Fraction:
        return Fraction(int(code)) / one**form.frac

    def product(weight: np.ndarray, form: Format, codes: list[int], operand: Format) -> list[Fraction]:
        return [
            sum((real(w, form) * real(c, operand) for w, c in zip(row, codes, strict=True)), Fraction(0))
            for row in weight
        ]

    def bias(codes: np.ndarray | None) -> list[Fraction]:
        if codes is None:
            return [Fraction(0)] * (3 * size)
        return [Fraction(int(c)) / one**f.product_frac for c in codes]

    u = bias(layer.bias_ih)
    if layer.weight_ih is not None and f.weight_ih is not None and f.input is not None:
        u = [a + b for a, b in zip(u, product(layer.weight_ih, f.weight_ih, x, f.input), strict=True)]
    v = [
        a + b
        for a, b in zip(product(layer.weight_hh, f.weight_hh, h, f.state), bias(layer.bias_hh), strict=True)
    ]

    def gate(row: int) -> Fraction:
        return real(layer.gate_table[_quantise(u[row] + v[row], f.preactivation)], f.gate)

    r = [gate(i) for i in range(size)]
    z = [gate(size + i) for i in range(size)]
    if layer.reset is Reset.AFTER:
        kept = [real(_quantise(v[2 * size + i], f.preactivation), f.preactivation) for i in range(size)]
        a = [u[2 * size + i] + r[i] * kept[i] for i in range(size)]
    else:
        rh = [_quantise(r[i] * real(h[i], f.state), f.state) for i in range(size)]
        recurrent = product(layer.weight_hh[2 * size :], f.weight_hh, rh, f.state)
        a = [u[2 * size + i] + recurrent[i] for i in range(size)]
    n = [real(layer.candidate_table[_quantise(value, f.preactivation)], f.candidate) for value in a]
    return [_quantise(z[i] * real(h[i], f.state) + (1 - z[i]) * n[i], f.state) for i in range(size)]


@pytest.mark.parametrize("reset", list(Reset))
@pytest.mark.parametrize(("state_bits", "candidate_bits", "gate_bits"), [(8, 8, 8), (4, 9, 5), (16, 8, 10)])
@pytest.mark.parametrize("inputs", [0, 2])
def test_gru_equals_the_equations_in_rational_arithmetic(
    reset: Reset, state_bits: int, candidate_bits: int, gate_bits: int, inputs: int
) -> None:
    case = GruCase(
        5, GruFolding(), inputs=inputs, reset=reset, state_bits=state_bits, candidate_bits=candidate_bits,
        gate_bits=gate_bits, input_signed=True, initial_state=True,
    )  # fmt: skip
    rng = np.random.default_rng(2)
    layer = case.layer(rng)
    steps, batch = 6, 4
    x = rng.integers(-128, 128, (batch, steps, inputs)) if inputs else None
    limit = layer.formats.state.max_code
    h0 = rng.integers(-limit, limit + 1, (batch, 5))
    given = layer.run(x, steps, h0)
    for pixel in range(batch):
        h = [int(c) for c in h0[pixel]]
        for t in range(steps):
            h = _reference_step(layer, [] if x is None else [int(c) for c in x[pixel, t]], h)
            assert given[pixel, t].tolist() == h


def test_last_state_output_is_the_end_of_the_sequence() -> None:
    rng = np.random.default_rng(0)
    layer = GruCase(4, GruFolding()).layer(rng)
    x = rng.integers(0, 256, (3, 9, 1))
    assert (layer.run(x, 9)[:, -1] == replace(layer, sequence=False).run(x, 9)).all()


def _network(rng: np.random.Generator) -> Seq2SeqNetwork:
    encoder = GruCase(4, GruFolding(), sequence=False).layer(rng)
    decoder = GruCase(4, GruFolding(), inputs=0, initial_state=True).layer(rng)
    return Seq2SeqNetwork(7, encoder, decoder, random_dense(rng, 4, 3, decoder.formats.state))


def test_seq2seq_hands_the_state_over_and_does_not_depend_on_chunks() -> None:
    rng = np.random.default_rng(1)
    network = _network(rng)
    x = rng.integers(0, 256, (10, 7, 1))
    whole = network.run(x)
    assert (network.run(x, chunk=3) == whole).all()
    state = network.encoder.run(x, 7)
    assert (network.head.run(network.decoder.run(None, 7, h0=state)) == whole).all()
    assert network.macs_per_pixel == 7 * (3 * 4 * 5 + 3 * 4 * 4 + 12)


def test_the_published_network_costs_855360_macs() -> None:
    rng = np.random.default_rng(1)
    encoder = GruCase(32, GruFolding(), sequence=False, reset=Reset.BEFORE).layer(rng)
    decoder = GruCase(32, GruFolding(), inputs=0, initial_state=True, reset=Reset.BEFORE).layer(rng)
    head = random_dense(rng, 32, 3, decoder.formats.state)
    assert Seq2SeqNetwork(135, encoder, decoder, head).macs_per_pixel == 855_360


def test_networks_that_do_not_fit_are_refused() -> None:
    network = _network(np.random.default_rng(1))
    with pytest.raises(ValueError, match="encoder must"):
        replace(network, encoders=(replace(network.encoder, sequence=True),))
    with pytest.raises(ValueError, match="decoder must"):
        replace(network, decoders=(replace(network.decoder, initial_state=False),))
    with pytest.raises(ValueError, match="head must"):
        replace(network, head=replace(network.head, input_format=Format(9, 8)))


def _stacked(rng: np.random.Generator, **changes: object) -> Seq2SeqNetwork:
    state = Format(8, 7, narrow=True)
    signed = {"input_bits": 8, "input_signed": True}
    encoders = [GruCase(4, GruFolding()).layer(rng), GruCase(3, GruFolding(), inputs=4, **signed).layer(rng)]
    encoders[1] = replace(encoders[1], sequence=False)
    decoders = [GruCase(4, GruFolding(), inputs=0, initial_state=True).layer(rng)]
    decoders.append(GruCase(3, GruFolding(), inputs=4, initial_state=True, **signed).layer(rng))
    for stack in (encoders, decoders):
        stack[1] = replace(stack[1], formats=replace(stack[1].formats, input=state))
    fields = {"encoders": encoders, "decoders": decoders, "head": random_dense(rng, 3, 2, state)} | changes
    return Seq2SeqNetwork(7, **fields)  # type: ignore[arg-type]


def test_stack_hands_sequences_up_and_last_states_over() -> None:
    network = _stacked(np.random.default_rng(3))
    x = np.random.default_rng(4).integers(0, 256, (10, 7, 1))
    lower = network.encoders[0].run(x, 7)
    upper = network.encoders[1].run(lower, 7)
    states = network.decoders[0].run(None, 7, h0=lower[:, -1])
    states = network.decoders[1].run(states, 7, h0=upper)
    assert (network.head.run(states) == network.run(x)).all()
    products = 3 * (4 * 5 + 3 * 7 + 4 * 4 + 3 * 7) + 2 * 3
    assert network.macs_per_pixel == 7 * products
    assert list(network.recurrent) == ["encoder", "encoder2", "decoder", "decoder2"]
    with pytest.raises(ValueError, match="must have one encoder, it has 2"):
        _ = network.encoder


def test_without_decoder_the_head_reads_the_last_state_once() -> None:
    network = _stacked(np.random.default_rng(3), decoders=())
    x = np.random.default_rng(4).integers(0, 256, (10, 7, 1))
    state = network.encoders[1].run(network.encoders[0].run(x, 7), 7)
    assert (network.head.run(state) == network.run(x)).all()
    assert network.run(x[:0]).shape == (0, 2) == (0, *network.output_shape)
    assert network.macs_per_pixel == 7 * 3 * (4 * 5 + 3 * 7) + 2 * 3


def test_stacks_that_do_not_fit_are_refused() -> None:
    network = _stacked(np.random.default_rng(3))
    with pytest.raises(ValueError, match="2 encoders and 1 decoders must be equally many"):
        replace(network, decoders=network.decoders[:1])
    decoders = (network.decoders[0], _stacked(np.random.default_rng(5)).decoders[1])
    formats = replace(decoders[1].formats, input=Format(8, 7))
    with pytest.raises(ValueError, match="the states of the one below it"):
        replace(network, decoders=(decoders[0], replace(decoders[1], formats=formats)))
    with pytest.raises(ValueError, match="an encoder must"):
        replace(network, encoders=(network.encoders[0], replace(network.encoders[1], sequence=True)))


@pytest.mark.parametrize(
    ("x", "steps", "match"),
    [
        (np.zeros((2, 5, 1), dtype=np.int64), 0, "steps=0"),
        (np.zeros((2, 4, 1), dtype=np.int64), 5, "expected"),
        (np.full((2, 5, 1), 256), 5, "outside"),
        (None, 5, "must be given"),
    ],
)
def test_wrong_inputs_are_refused(x: np.ndarray | None, steps: int, match: str) -> None:
    layer = GruCase(4, GruFolding()).layer(np.random.default_rng(0))
    with pytest.raises(ValueError, match=match):
        layer.run(x, steps)


def test_wrong_shapes_are_refused_by_name() -> None:
    layer = GruCase(4, GruFolding()).layer(np.random.default_rng(0))
    with pytest.raises(ValueError, match="bias_hh"):
        replace(layer, bias_hh=None)
    with pytest.raises(ValueError, match="weight_ih has shape"):
        replace(layer, weight_ih=np.zeros((3, 1), dtype=np.int64))
    with pytest.raises(ValueError, match="weight_hh holds codes"):
        replace(layer, weight_hh=layer.weight_hh * 2)


def test_dense_refuses_wrong_sizes() -> None:
    layer: DenseLayer = random_dense(np.random.default_rng(0), 4, 3, Format(8, 7, narrow=True))
    with pytest.raises(ValueError, match="expected 4"):
        layer.run(np.zeros((2, 5), dtype=np.int64))
    with pytest.raises(ValueError, match="must be"):
        replace(layer, bias=layer.bias[:2])
