# SPDX-License-Identifier: BSD-3-Clause
"""Seq2SeqLite: the published form in float, the oracle in integers, weights by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from finn_flirnn.models import Seq2SeqLite

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

Weights = dict[str, Any]


def random_weights(hidden: int, outputs: int, reset: str, seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    shapes = {
        "encoder.weight_ih": (3 * hidden, 1),
        "encoder.weight_hh": (3 * hidden, hidden),
        "encoder.bias_ih": (3 * hidden,),
        "decoder.weight_hh": (3 * hidden, hidden),
        "decoder.bias_ih": (3 * hidden,),
        "head.weight": (outputs, hidden),
        "head.bias": (outputs,),
    }
    if reset == "after":
        shapes |= {"encoder.bias_hh": (3 * hidden,), "decoder.bias_hh": (3 * hidden,)}
    scale = 1.5 / np.sqrt(hidden)  # livelier than torch's initial weights, not yet chaotic
    return {name: rng.normal(0, scale, shape).astype(np.float32) for name, shape in shapes.items()}


def published(weights: Weights, x: np.ndarray, steps: int) -> np.ndarray:
    """Seq2SeqLite as its authors wrote it: per-gate kernels, hard gates, reset before the product."""

    def cell(prefix: str, drive: np.ndarray, h: np.ndarray) -> np.ndarray:
        u_r, u_z, u_n = np.split(weights[f"{prefix}.weight_hh"], 3)
        b_r, b_z, b_n = np.split(weights[f"{prefix}.bias_ih"], 3)
        x_r, x_z, x_n = np.split(drive, 3, axis=1)
        r = np.clip(0.5 * (x_r + h @ u_r.T + b_r) + 0.5, 0, 1)
        z = np.clip(0.5 * (x_z + h @ u_z.T + b_z) + 0.5, 0, 1)
        c = np.clip(x_n + (r * h) @ u_n.T + b_n, -1, 1)
        return z * h + (1 - z) * c

    weights = {name: value.astype(np.float64) for name, value in weights.items()}
    h = np.zeros((len(x), weights["encoder.weight_hh"].shape[1]))
    for t in range(steps):
        h = cell("encoder", x[:, t] @ weights["encoder.weight_ih"].T, h)
    outputs = []
    for _ in range(steps):
        h = cell("decoder", np.zeros((len(x), 3 * h.shape[1])), h)
        outputs.append(h @ weights["head.weight"].T + weights["head.bias"])
    return np.stack(outputs, axis=1)


def test_float_model_with_hard_functions_is_the_published_seq2seqlite() -> None:
    model = Seq2SeqLite(
        hidden=32, steps=30, reset="before", gate="hard_sigmoid", candidate="hard_tanh", quantised=False
    )
    weights = random_weights(32, 3, "before", 5)
    model.load_float_weights(weights)
    x = np.random.default_rng(1).uniform(0, 1, (20, 30, 1))
    expected = published(weights, x, 30)
    predicted = model.double().eval()(torch.from_numpy(x)).detach().numpy()
    assert expected.std() > 0.1
    # double precision on both sides; only the order of the sums differs
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=1e-11)


def test_published_form_has_the_published_number_of_parameters() -> None:
    model = Seq2SeqLite(reset="before", gate="hard_sigmoid", candidate="hard_tanh")
    dead_decoder_kernel = 3 * 32
    assert sum(p.numel() for p in model.parameters()) + dead_decoder_kernel == 6627
    assert model.to_network().macs_per_pixel == 855_360


def test_float_model_equals_torchs_gru_encoder_and_decoder() -> None:
    torch.manual_seed(3)
    model = Seq2SeqLite(hidden=8, steps=12, quantised=False).eval()
    weights = random_weights(8, 3, "after", 6)
    model.load_float_weights(weights)
    encoder, decoder = torch.nn.GRU(1, 8, batch_first=True), torch.nn.GRU(1, 8, batch_first=True)
    with torch.no_grad():
        for layer, prefix in ((encoder, "encoder"), (decoder, "decoder")):
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                parameter = getattr(layer, f"{name}_l0")
                value = weights.get(f"{prefix}.{name}", np.zeros(parameter.shape, np.float32))
                parameter.copy_(torch.from_numpy(value))
        x = torch.rand(5, 12, 1)
        states, _ = decoder(torch.zeros_like(x), encoder(x)[1])
        head = (
            torch.from_numpy(weights["head.weight"]).float(),
            torch.from_numpy(weights["head.bias"]).float(),
        )
        # float rounding: torch sums in another order
        torch.testing.assert_close(model(x), states @ head[0].T + head[1], rtol=0, atol=5e-6)


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("functions", [("sigmoid", "tanh"), ("hard_sigmoid", "hard_tanh")])
def test_eval_mode_equals_the_integer_network(reset: str, functions: tuple[str, str]) -> None:
    model = Seq2SeqLite(
        hidden=33,
        steps=135,
        reset=reset,
        gate=functions[0],
        candidate=functions[1],
        weight_bits=5,
        state_bits=9,
        head_weight_bits=7,
        output_bits=12,
    ).eval()
    model.load_float_weights(random_weights(33, 3, reset, 9))
    network = model.to_network()
    x = np.random.default_rng(2).uniform(0, 1, (16, 135, 1)).astype(np.float32)
    codes = network.run(network.input_format.quantise(x))
    with torch.no_grad():
        values = model(torch.from_numpy(x)).double().numpy()
    assert np.array_equal(values, network.output_format.dequantise(codes))
    assert network.head.weight_format.bits == 7
    assert network.output_format.frac == 10
    assert codes.std() > 1


def test_loaded_weights_are_given_back_by_float_weights() -> None:
    model = Seq2SeqLite(hidden=4, steps=3)
    weights = random_weights(4, 3, "after", 1)
    model.load_float_weights(weights | {"decoder.weight_ih": np.ones((12, 1))})
    kept = model.float_weights()
    assert set(kept) == set(weights)
    assert all(np.array_equal(kept[name], weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"encoder.weight_hh": np.zeros((12, 5))},
            r"encoder.weight_hh has shape \(12, 5\), expected \(12, 4\)",
        ),
        ({"head.bias": np.zeros((3, 1))}, r"head.bias has shape \(3, 1\), expected \(3,\)"),
        ({"decoder.bias_hh": None}, "decoder.bias_hh is missing"),
        ({"encoder.bias": np.zeros(12)}, "encoder.bias is unknown"),
        ({"decoder.bias_ih": np.full(12, np.nan)}, "decoder.bias_ih must be finite"),
        ({"decoder.bias_ih": np.full(12, 1e39)}, "decoder.bias_ih must be finite"),
        ({"decoder.weight_ih": np.full((12, 1), np.inf)}, "decoder.weight_ih must be finite"),
        (
            {"decoder.weight_ih": np.zeros((11, 1))},
            r"decoder.weight_ih has shape \(11, 1\), expected \(12, any\)",
        ),
        ({"head.weight": np.zeros((3, 4), np.complex64)}, "head.weight must hold real numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(change: Weights, message: str) -> None:
    model = Seq2SeqLite(hidden=4, steps=3)
    before = model.float_weights()
    given = random_weights(4, 3, "after", 1) | change
    with pytest.raises(ValueError, match=message):
        model.load_float_weights({name: value for name, value in given.items() if value is not None})
    assert all(np.array_equal(before[name], value) for name, value in model.float_weights().items())


def test_recurrent_bias_is_refused_where_the_reset_is_before_the_product() -> None:
    model = Seq2SeqLite(hidden=4, steps=3, reset="before")
    with pytest.raises(ValueError, match="encoder.bias_hh is unknown; decoder.bias_hh is unknown"):
        model.load_float_weights(random_weights(4, 3, "after", 1))


def test_every_misfit_is_named_at_once() -> None:
    with pytest.raises(ValueError, match="head.bias is missing.*head.weights is unknown"):
        weights = random_weights(4, 3, "after", 1)
        weights["head.weights"] = weights.pop("head.bias")
        Seq2SeqLite(hidden=4, steps=3).load_float_weights(weights)


def test_sequences_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(2, 4, 1\), expected \(batch, 3, 1\)"):
        Seq2SeqLite(hidden=2, steps=3)(torch.zeros(2, 4, 1))


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        Seq2SeqLite(steps=0)


def test_given_grids_of_weights_are_kept_and_saturate() -> None:
    given = {
        "encoder_weight_ih_frac": 1,
        "encoder_weight_hh_frac": 2,
        "decoder_weight_hh_frac": 3,
        "head_weight_frac": 4,
    }
    model = Seq2SeqLite(hidden=4, steps=3, weight_bits=4, **given).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)
    network = model.to_network()
    formats = (network.encoder.formats.weight_ih, network.encoder.formats.weight_hh)
    formats += (network.decoder.formats.weight_hh, network.head.weight_format)
    assert [f.frac for f in formats if f is not None] == [1, 2, 3, 4]
    assert np.abs(network.encoder.weight_hh).max() == np.abs(network.head.weight).max() == 7
    assert {name: model.config[name] for name in given} == given
    assert not given.keys() & Seq2SeqLite(hidden=4, steps=3).config.keys()
