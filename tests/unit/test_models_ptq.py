# SPDX-License-Identifier: BSD-3-Clause
"""Post-training quantisation: integer networks near the float model, nearer with each refinement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.ptq import Product, PtqPlan, products, quantise_after_training, row_fracs

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

WIDE = PtqPlan(weight_bits=12, state_bits=16, gate_bits=16, preactivation_bits=18)
STEPS = 12


def float_model(reset: str = "after", seed: int = 5) -> Seq2SeqLite:
    """Weights of a few large and many small values, as training makes them."""
    torch.manual_seed(seed)
    model = Seq2SeqLite(hidden=12, steps=STEPS, reset=reset, quantised=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.12 * torch.randn_like(parameter) ** 3)
    return model


def decays(pixels: int = 100, seed: int = 0) -> torch.Tensor:
    """Inputs on the 8-bit grid, so that quantising them changes nothing."""
    return torch.randint(0, 256, (pixels, STEPS, 1), generator=torch.Generator().manual_seed(seed)) / 256


def distance(model: Seq2SeqLite, plan: PtqPlan) -> float:
    """Root mean square difference of the outputs of the quantised and the float model on other decays."""
    x = decays(200, seed=1)
    with torch.no_grad():
        difference = quantise_after_training(model, plan, decays())(x) - model.eval()(x)
    return float(difference.square().mean().sqrt())


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias_correction", [False, True])
def test_many_bits_give_the_float_model(reset: str, per_channel: bool, bias_correction: bool) -> None:
    plan = replace(WIDE, per_channel=per_channel, bias_correction=bias_correction)
    assert distance(float_model(reset), plan) < 2e-3


@pytest.mark.parametrize("reset", ["after", "before"])
def test_every_refinement_brings_four_bits_nearer_on_average(reset: str) -> None:
    models, four = [float_model(reset, seed) for seed in range(5)], replace(WIDE, weight_bits=4)
    found = [
        sum(distance(model, plan) for model in models)
        for plan in (
            replace(four, calibrated=False),
            four,
            replace(four, bias_correction=True),
            replace(four, bias_correction=True, per_channel=True),
        )
    ]
    assert found == sorted(found, reverse=True)
    assert found[3] < 0.6 * found[0]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rows_hold_codes_of_the_asked_width_on_their_own_grids(bits: int) -> None:
    network = quantise_after_training(
        float_model(), PtqPlan(weight_bits=bits, per_channel=True), decays()
    ).to_network()
    for weight, fmt in (
        (network.encoder.weight_hh, network.encoder.formats.weight_hh),
        (network.head.weight, network.head.weight_format),
    ):
        assert fmt.bits >= bits
        widths = set()
        for row in weight[weight.any(axis=1)]:
            shift = min(int(code & -code).bit_length() - 1 for code in row[row != 0].tolist())
            codes = row >> shift
            assert np.abs(codes).max() < 2 ** (bits - 1)
            widths.add(shift)
        assert bits == 8 or len(widths) > 1


@pytest.mark.parametrize("reset", ["after", "before"])
def test_quantised_model_equals_its_oracle(reset: str) -> None:
    model = quantise_after_training(float_model(reset), PtqPlan(6, per_channel=True), decays())
    network = model.to_network()
    x = decays(20)
    with torch.no_grad():
        y = model(x).double().numpy()
    codes = network.run(network.input_format.quantise(x.numpy()))
    assert np.array_equal(y, network.output_format.dequantise(codes))


@pytest.mark.parametrize("reset", ["after", "before"])
def test_products_hold_what_the_weights_multiply(reset: str) -> None:
    model, x = float_model(reset), decays(3)
    by_name = {product.name: product for product in products(model, x)}
    head = by_name["head.weight"]
    with torch.no_grad():
        y = model.eval()(x).flatten(0, 1).double().numpy()
    sums = head.parts[0][1] @ head.weight.T + model.head.bias.detach().numpy()
    # float32 states and sums
    np.testing.assert_allclose(sums, y, atol=1e-5)
    last_rows, last = by_name["decoder.weight_hh"].parts[-1]
    assert last.shape == (3 * STEPS, 12)
    assert last_rows == (slice(None) if reset == "after" else slice(24, None))
    assert not model.quantised and not model.encoder.sequence


def test_grid_without_calibration_is_the_finest_that_holds_all() -> None:
    weight = np.array([[0.9, -3.4], [0.1, 0.05]])
    product = Product("w", weight, "b", ((slice(None), np.eye(2)),))
    plan = PtqPlan(weight_bits=4, calibrated=False)
    assert row_fracs(product, plan).tolist() == [1, 1]
    # 0.1 * 2^6 rounds to 6; two to the fourth is the widest spread
    assert row_fracs(product, replace(plan, per_channel=True)).tolist() == [1, 5]
    assert row_fracs(product, plan, finest=0).tolist() == [0, 0]


def test_calibration_gives_up_weights_that_multiply_nothing() -> None:
    weight = np.array([[7.0, 0.3, 0.2]])
    quiet = np.array([[0.0, 1.0, 1.0], [0.0, 1.0, -1.0]])
    product = Product("w", weight, "b", ((slice(None), quiet),))
    assert row_fracs(product, PtqPlan(weight_bits=4)).tolist() == [4]


def test_zero_weights_stay_zero() -> None:
    model = float_model()
    with torch.no_grad():
        model.head.weight.zero_()
    network = quantise_after_training(model, PtqPlan(4, per_channel=True), decays()).to_network()
    assert not network.head.weight.any()


def test_calibration_decays_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x has shape \(3, 5, 1\), expected \(pixels, 12, 1\)"):
        quantise_after_training(float_model(), PtqPlan(), torch.zeros(3, 5, 1))


def test_one_bit_is_refused() -> None:
    with pytest.raises(ValueError, match="weight_bits=1 must be at least 2"):
        PtqPlan(weight_bits=1)
