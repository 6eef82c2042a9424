# SPDX-License-Identifier: BSD-3-Clause
"""Stacks of layers, and models without decoder: one class, the same equalities as for single layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from finn_flirnn.models import Seq2SeqLite, fused
from finn_flirnn.models.checkpoints import describe_formats, load_checkpoint, save_checkpoint
from finn_flirnn.models.evaluation import predict_integer, predict_unquantised
from finn_flirnn.models.ptq import PtqPlan, products, quantise_after_training
from finn_flirnn.models.widen import widened
from tests.unit.test_models_fused import assert_close_gradients, gradients, lively

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

STEPS = 9
SHAPES = [{"hidden": (6, 4)}, {"hidden": (3, 5, 4)}, {"hidden": 5, "decoder": False, "outputs": 2}]
SHAPES += [{"hidden": (4, 3), "decoder": False, "outputs": 2}]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=["6x4", "3x5x4", "5_alone", "4x3_alone"])


def model_of(shape: dict[str, Any], **choices: Any) -> Seq2SeqLite:
    torch.manual_seed(4)
    model = Seq2SeqLite(**({"steps": STEPS} | shape), **choices)
    lively(model)
    return model


def test_float_stack_equals_torchs_stacked_gru() -> None:
    model = model_of({"hidden": (5, 5)}, quantised=False).eval()
    sides = {"encoder": torch.nn.GRU(1, 5, 2, batch_first=True)}
    sides["decoder"] = torch.nn.GRU(1, 5, 2, batch_first=True)
    weights = model.float_weights() | {"decoder.weight_ih": np.zeros((15, 1), np.float32)}
    with torch.no_grad():
        for side, theirs in sides.items():
            for index, name in enumerate((side, f"{side}2")):
                for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    value = torch.from_numpy(weights[f"{name}.{weight}"])
                    getattr(theirs, f"{weight}_l{index}").copy_(value)
        x = torch.rand(3, STEPS, 1)
        states, _ = sides["decoder"](torch.zeros_like(x), sides["encoder"](x)[1])
        # float rounding: torch sums in another order
        torch.testing.assert_close(model(x), model.head(states), rtol=0, atol=5e-6)


@shapes
@pytest.mark.parametrize("quantised", [True, False])
@pytest.mark.parametrize("reset", ["after", "before"])
def test_kernel_equals_the_torch_loop_with_gradients(
    shape: dict[str, Any], quantised: bool, reset: str
) -> None:
    choices = {"gate": "hard_sigmoid", "candidate": "hard_tanh"} if quantised else {}
    model = model_of(shape, reset=reset, **choices).train()
    model.quantised = quantised
    x = torch.rand(70, STEPS, 1)
    expected = model(x)
    weights = torch.randn_like(expected)
    expected_gradients = gradients(model, expected, weights)
    found = fused.from_blocks(fused.fused_forward(model, fused.to_blocks(x)), 70)
    if quantised:
        assert torch.equal(found, expected)
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
    assert_close_gradients(gradients(model, found, weights), expected_gradients)
    assert len(expected_gradients) == len(list(model.parameters()))


@shapes
@pytest.mark.parametrize("reset", ["after", "before"])
def test_eval_mode_equals_the_integer_network(shape: dict[str, Any], reset: str) -> None:
    model = model_of(shape, reset=reset, weight_bits=5, state_bits=7).eval()
    network = model.to_network()
    x = torch.rand(40, STEPS, 1)
    with torch.no_grad():
        found = model(x).double().numpy()
    codes = network.run(network.input_format.quantise(x.numpy()))
    assert codes.shape == (40, *network.output_shape)
    assert np.unique(codes).size > 20
    assert np.array_equal(found, network.output_format.dequantise(codes))


@shapes
def test_checkpoint_comes_back_with_every_layer(shape: dict[str, Any], tmp_path: Path) -> None:
    model = model_of(shape)
    again = load_checkpoint(save_checkpoint(model, tmp_path / "stack", {}))
    assert again.config == model.config
    assert describe_formats(again) == describe_formats(model)
    assert list(describe_formats(model)) == [*model.recurrent, "head"]
    for name, value in model.float_weights().items():
        assert np.array_equal(value, again.float_weights()[name])


def test_stack_of_one_is_the_single_layer() -> None:
    assert model_of({"hidden": (5,)}).config == model_of({"hidden": 5}).config
    assert list(model_of({"hidden": (5,)}).float_weights()) == list(model_of({"hidden": 5}).float_weights())


@shapes
@pytest.mark.parametrize("reset", ["after", "before"])
def test_many_bits_after_training_give_the_float_model(shape: dict[str, Any], reset: str) -> None:
    model = model_of(shape, reset=reset, quantised=False)
    with torch.no_grad():
        model.head.weight.mul_(0.3)  # within the output's range
    # on the 8-bit grid, so that quantising them changes nothing
    x = torch.randint(0, 256, (90, STEPS, 1)) / 256
    plan = PtqPlan(weight_bits=12, state_bits=16, gate_bits=16, preactivation_bits=18, bias_correction=True)
    quantised = quantise_after_training(model, plan, x)
    with torch.no_grad():
        error = (quantised(x) - model.eval()(x)).square().mean().sqrt()
    assert float(error) < 2e-3
    weights = {name for name in model.float_weights() if "bias" not in name}
    assert {product.name for product in products(model, x)} == weights


@shapes
def test_predictions_have_the_shape_of_the_networks_output(shape: dict[str, Any]) -> None:
    model = model_of(shape | {"steps": 20}).eval()
    counts = np.random.default_rng(0).integers(1, 200, (5, 20))
    assert predict_integer(model, counts).shape == (5, *model.to_network().output_shape)
    assert tuple(predict_unquantised(model, torch.rand(0, 20, 1)).shape)[0] == 0


@pytest.mark.parametrize("wanted", [(6, 4), (8, 5), (13, 9)])
def test_widened_stack_is_the_same_function(wanted: tuple[int, int]) -> None:
    model = model_of({"hidden": (6, 4)}, quantised=False).eval()
    x = torch.rand(4, STEPS, 1)
    with torch.no_grad():
        # sums in another order
        torch.testing.assert_close(widened(model, wanted).eval()(x), model(x), rtol=0, atol=1e-5)


def test_a_stack_grows_by_no_layer() -> None:
    with pytest.raises(ValueError, match=r"hidden=\(8, 8\) must be at least the model's 5, layer by layer"):
        widened(model_of({"hidden": 5}), (8, 8))


def test_fixed_grids_are_taken_by_layer_and_strangers_refused() -> None:
    model = model_of({"hidden": (4, 3)}, weight_bits=4, encoder2_weight_ih_frac=2, decoder2_weight_hh_frac=1)
    network = model.to_network()
    assert network.encoders[1].formats.weight_ih is not None
    assert network.encoders[1].formats.weight_ih.frac == 2
    assert network.decoders[1].formats.weight_hh.frac == 1
    with pytest.raises(TypeError, match="decoder_weight_ih_frac must be an argument"):
        model_of({"hidden": 4}, decoder_weight_ih_frac=2)
    with pytest.raises(ValueError, match="at least one layer"):
        model_of({"hidden": ()})
