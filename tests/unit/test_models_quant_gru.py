# SPDX-License-Identifier: BSD-3-Clause
"""QuantGRU: equal to the integer oracle in eval mode, to torch in float; refusals."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from finn_flirnn.models import GruQuantisation, QuantGRU
from finn_flirnn.models.quantisers import WeightQuantiser, activation_quantiser, quantise_bias
from finn_flirnn.numerics import Format

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

HIDDEN = (1, 3, 16, 31, 32, 33, 64)
STEPS = (1, 2, 135)
FUNCTIONS = tuple(itertools.product(("sigmoid", "hard_sigmoid"), ("tanh", "hard_tanh")))


def spread_weights(layer: QuantGRU, rng: np.random.Generator) -> None:
    """Weights large enough that activations and pre-activations saturate now and then."""
    with torch.no_grad():
        for parameter in layer.parameters():
            scale = rng.choice([0.3, 1.0, 3.0]) / np.sqrt(layer.hidden_size)
            values = rng.normal(0.0, scale, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))


def equals_oracle_and_is_alive(layer: QuantGRU, batch: int, steps: int, rng: np.random.Generator) -> bool:
    """Returns whether there is any code but 0."""
    oracle = layer.to_layer()
    state = layer.quantisation.state
    x = codes = h0 = h0_codes = None
    if layer.input_size:
        reals = rng.uniform(-0.3, 1.3, (batch, steps, layer.input_size)).astype(np.float32)
        x, codes = torch.from_numpy(reals), layer.quantisation.input.quantise(reals)
    if layer.initial_state:
        reals = rng.uniform(-1.2, 1.2, (batch, layer.hidden_size)).astype(np.float32)
        h0, h0_codes = torch.from_numpy(reals), state.quantise(reals)
    layer.eval()
    with torch.no_grad():
        values = layer(x, h0, steps=steps, batch=batch).double().numpy()
    expected = oracle.run(codes, steps, h0=h0_codes, batch=batch)
    assert np.array_equal(values, state.dequantise(expected))
    return bool(expected.any())


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("reset", ["after", "before"])
def test_eval_mode_equals_the_oracle_for_all_sizes_steps_and_activations(reset: str, hidden: int) -> None:
    rng = np.random.default_rng((hidden, len(reset)))
    torch.manual_seed(hidden)
    alive = 0
    for (gate, candidate), steps in itertools.product(FUNCTIONS, STEPS):
        layer = QuantGRU(
            int(rng.integers(0, 4)),
            hidden,
            reset=reset,
            gate=gate,
            candidate=candidate,
            weight_bits=int(rng.integers(2, 9)),
            input_bits=int(rng.integers(4, 13)),
            state_bits=int(rng.integers(4, 17)),
            gate_bits=int(rng.integers(4, 13)),
            preactivation_bits=int(rng.integers(6, 15)),
            input_signed=bool(rng.integers(2)),
            initial_state=bool(rng.integers(2)),
            sequence=bool(rng.integers(2)),
        )
        spread_weights(layer, rng)
        alive += equals_oracle_and_is_alive(layer, 3, steps, rng)
    assert alive >= 9


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("state_bits", range(4, 17))
def test_eval_mode_equals_the_oracle_for_all_weight_and_state_widths(state_bits: int, reset: str) -> None:
    rng = np.random.default_rng((state_bits, len(reset), 1))
    alive = 0
    for weight_bits in range(2, 9):
        layer = QuantGRU(1, 5, reset=reset, weight_bits=weight_bits, state_bits=state_bits)
        spread_weights(layer, rng)
        alive += equals_oracle_and_is_alive(layer, 8, 6, rng)
    assert alive >= 4


def test_given_formats_override_all_bits_and_equal_the_oracle() -> None:
    formats = GruQuantisation(
        weight_bits=6,
        input=Format(9, 4),
        state=Format(10, 6),
        gate=Format(7, 7, signed=False),
        candidate=Format(11, 10),
        preactivation=Format(9, 3),
        weight_ih_frac=3,
        weight_hh_frac=7,
    )
    rng = np.random.default_rng(4)
    for reset in ("after", "before"):
        layer = QuantGRU(2, 6, reset=reset, quantisation=formats, initial_state=True)
        spread_weights(layer, rng)
        assert layer.formats().weight_ih == Format(6, 3, narrow=True)
        assert layer.formats().weight_hh == Format(6, 7, narrow=True)
        assert layer.to_layer().formats.state == Format(10, 6)
        assert equals_oracle_and_is_alive(layer, 16, 9, rng)


def test_given_formats_that_no_gru_can_have_are_refused() -> None:
    good = QuantGRU(1, 2).quantisation
    with pytest.raises(ValueError, match="must be unsigned; a gate lies in"):
        QuantGRU(1, 2, quantisation=replace(good, gate=Format(8, 7)))
    with pytest.raises(ValueError, match="state=.* must be signed"):
        QuantGRU(1, 2, quantisation=replace(good, state=Format(8, 8, signed=False)))


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_weight_grid_is_the_finest_without_saturation(bits: int) -> None:
    quantiser = WeightQuantiser(bits)
    greatest = 2 ** (bits - 1) - 1
    for exponent, magnitude in itertools.product((-9, -1, 0, 3), (0.5, 0.51, 0.749, 0.97, 0.9999)):
        weight = torch.tensor([[magnitude * 2.0**exponent, -0.1 * 2.0**exponent]])
        frac = quantiser.format_of(weight).frac
        assert (
            round(float(weight[0, 0]) * 2.0**frac)
            <= greatest
            < round(float(weight[0, 0]) * 2.0 ** (frac + 1))
        )
        assert torch.equal(
            quantiser(weight) * 2.0**frac,
            torch.from_numpy(quantiser.format_of(weight).quantise(weight.numpy())).float(),
        )


def test_zero_weights_have_a_format() -> None:
    assert WeightQuantiser(8).format_of(torch.zeros(3, 2)) == Format(8, 7, narrow=True)
    assert not WeightQuantiser(8)(torch.zeros(3, 2)).any()


@pytest.mark.parametrize(
    "fmt",
    [Format(8, 8, signed=False), Format(8, 7, narrow=True), Format(10, 6), Format(3, -1), Format(5, 9)],
)
def test_activation_quantiser_rounds_half_to_even_and_saturates_as_the_format(fmt: Format) -> None:
    halves = np.arange(2 * fmt.min_code - 5, 2 * fmt.max_code + 6) * fmt.scale / 2
    quantised = activation_quantiser(fmt).eval()(torch.from_numpy(halves))
    assert np.array_equal(quantised.numpy(), fmt.dequantise(fmt.quantise(halves)))


def test_activation_gradient_is_blocked_only_outside_the_range() -> None:
    x = torch.tensor([-3.0, -0.5, 0.2, 0.99, 1.6], requires_grad=True)
    activation_quantiser(Format(4, 3, narrow=True))(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0, 0.0]


def test_bias_saturates_at_32_bits_and_passes_its_gradient() -> None:
    bias = torch.tensor([0.3, 1e9], requires_grad=True)
    values = quantise_bias(bias, 10)
    values.sum().backward()
    assert values.tolist() == [round(0.3 * 1024) / 1024, (2**31 - 1) / 1024]
    assert bias.grad is not None and bias.grad.tolist() == [1.0, 1.0]


def test_default_formats_are_those_of_the_numerics_text() -> None:
    q = QuantGRU(1, 2, input_bits=7, state_bits=9, gate_bits=6, preactivation_bits=11).quantisation
    assert q.input == Format(7, 7, signed=False)
    assert q.state == Format(9, 8, narrow=True)
    assert q.gate == Format(6, 5, signed=False)
    assert q.candidate == Format(6, 5, narrow=True)
    assert q.preactivation == Format(11, 7)
    assert QuantGRU(1, 2, input_signed=True).quantisation.input == Format(8, 7)


def test_parameters_are_named_and_shaped_as_torchs() -> None:
    shapes = {name: tuple(p.shape) for name, p in QuantGRU(2, 5).named_parameters()}
    torchs = {name.removesuffix("_l0"): tuple(p.shape) for name, p in torch.nn.GRU(2, 5).named_parameters()}
    assert shapes == torchs
    assert "bias_hh" not in dict(QuantGRU(2, 5, reset="before").named_parameters())
    assert "weight_ih" not in dict(QuantGRU(0, 5).named_parameters())


def test_unquantised_layer_equals_torchs_gru() -> None:
    torch.manual_seed(7)
    reference = torch.nn.GRU(2, 9, batch_first=True)
    layer = QuantGRU(2, 9, initial_state=True, quantised=False)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(getattr(reference, f"{name}_l0"))
        x, h0 = torch.randn(4, 20, 2), torch.rand(4, 9)
        # float rounding: torch sums in another order
        torch.testing.assert_close(layer(x, h0), reference(x, h0[None])[0], rtol=0, atol=2e-6)


def test_training_mode_has_gradients_for_every_parameter() -> None:
    torch.manual_seed(1)
    for reset in ("after", "before"):
        layer = QuantGRU(1, 4, reset=reset).train()
        layer(torch.rand(6, 8, 1)).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reset": "during"}, "reset must be one of after, before, got 'during'"),
        ({"gate": "tanh"}, "gate must be one of sigmoid, hard_sigmoid, got 'tanh'"),
        ({"candidate": "relu"}, "candidate must be one of tanh, hard_tanh, got 'relu'"),
        ({"state_bits": 25}, "state has 25 bits"),
        ({"weight_bits": 1}, "bits=1"),
        ({"gate_bits": 0}, "bits=0"),
        ({"hidden_size": 0}, "hidden_size=0"),
    ],
)
def test_impossible_choices_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        QuantGRU(**{"input_size": 1, "hidden_size": 2, **arguments})  # type: ignore[arg-type]


def test_misshapen_or_missing_inputs_are_refused() -> None:
    layer, free = QuantGRU(2, 3), QuantGRU(0, 3, initial_state=True)
    with pytest.raises(ValueError, match=r"x has shape \(4, 5, 1\), expected \(batch, time, 2\)"):
        layer(torch.zeros(4, 5, 1))
    with pytest.raises(ValueError, match="x must be given for input_size=2"):
        layer(steps=4)
    with pytest.raises(ValueError, match="x must be None for input_size=0"):
        free(torch.zeros(1, 2, 0), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="h0 must be given for initial_state=True"):
        free(steps=4)
    with pytest.raises(ValueError, match=r"h0 has shape \(2, 4\), expected \(batch, 3\)"):
        free(h0=torch.zeros(2, 4), steps=4)
    with pytest.raises(ValueError, match="steps=None"):
        free(h0=torch.zeros(2, 3))
    with pytest.raises(ValueError, match="got NaN"):
        layer(torch.full((1, 2, 2), float("nan")))
