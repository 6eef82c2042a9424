# SPDX-License-Identifier: BSD-3-Clause
"""The fused training kernel: the same values and gradients as the Brevitas layers."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from finn_flirnn.models import QuantGRU, Seq2SeqLite, fused

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)


def gradients(model: torch.nn.Module, y: Tensor, weights: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    (y * weights).sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def lively(model: torch.nn.Module) -> None:
    """Weights that make some quantisers saturate."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.5)


def assert_close_gradients(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        # float32 sums in another order
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=2e-5 * float(gradient.abs().max()))


@pytest.mark.parametrize("quantised", [True, False])
@pytest.mark.parametrize(
    ("reset", "functions"),
    [
        (reset, functions)
        for reset in ("after", "before")
        for functions in itertools.product(("sigmoid", "hard_sigmoid"), ("tanh", "hard_tanh"))
    ],
)
def test_kernel_equals_the_brevitas_model_in_training_mode(
    reset: str, functions: tuple[str, str], quantised: bool
) -> None:
    torch.manual_seed(3)
    model = Seq2SeqLite(
        hidden=7, steps=11, inputs=2, reset=reset, gate=functions[0], candidate=functions[1], state_bits=9
    ).train()
    model.quantised = quantised
    lively(model)
    x, weights = torch.rand(70, 11, 2), torch.randn(70, 11, 3)
    expected = model(x)
    expected_gradients = gradients(model, expected, weights)
    found = fused.from_blocks(fused.fused_forward(model, fused.to_blocks(x)), 70)
    if quantised and functions == ("hard_sigmoid", "hard_tanh"):
        assert torch.equal(found, expected)
    elif quantised:
        # the last place of a sigmoid may tip a code next to a tie
        assert (found != expected).float().mean() < 0.01
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
    assert_close_gradients(gradients(model, found, weights), expected_gradients)


def test_kernel_gives_the_initial_state_its_gradient() -> None:
    torch.manual_seed(5)
    layer = QuantGRU(0, 5, initial_state=True).train()
    plain = torch.rand(fused.lanes(), 5, requires_grad=True)
    blocked = plain.detach().T[None].clone().requires_grad_()
    weights = torch.randn(fused.lanes(), 6, 5)
    (layer(h0=plain, steps=6) * weights).sum().backward()
    (fused.from_blocks(fused.fused_gru(layer, None, blocked, 6, 1), fused.lanes()) * weights).sum().backward()
    assert plain.grad is not None and blocked.grad is not None
    torch.testing.assert_close(blocked.grad[0].T, plain.grad, rtol=0, atol=1e-5)


def test_padding_sequences_have_no_effect_on_gradients() -> None:
    torch.manual_seed(6)
    model = Seq2SeqLite(hidden=3, steps=4).train()
    x, weights = torch.rand(65, 4, 1), torch.randn(65, 4, 3)
    padded = gradients(model, fused.from_blocks(fused.fused_forward(model, fused.to_blocks(x)), 65), weights)
    assert_close_gradients(padded, gradients(model, model(x), weights))


@pytest.mark.parametrize("batch", [1, 31, 32, 33, 130])
def test_blocks_give_back_what_was_put_in(batch: int) -> None:
    x = torch.rand(batch, 3, 2)
    blocks = fused.to_blocks(x)
    width = fused.lanes()
    assert blocks.shape == (-(-batch // width), 3, 2, width)
    assert torch.equal(fused.from_blocks(blocks, batch), x)


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("inputs", [1, 3, 6])
def test_kernel_gives_the_input_its_gradient(reset: str, inputs: int) -> None:
    torch.manual_seed(9)
    layer = QuantGRU(inputs, 5, reset=reset, quantised=False).train()
    plain = torch.rand(fused.lanes(), 9, inputs, requires_grad=True)
    blocked = fused.to_blocks(plain.detach()).requires_grad_()
    weights = torch.randn(fused.lanes(), 9, 5)
    expected = gradients(layer, layer(plain), weights)
    output = fused.from_blocks(fused.fused_gru(layer, blocked, None, 9, 1), fused.lanes())
    found = gradients(layer, output, weights)
    assert_close_gradients(found, expected)
    assert plain.grad is not None and blocked.grad is not None
    torch.testing.assert_close(fused.from_blocks(blocked.grad, fused.lanes()), plain.grad, rtol=0, atol=1e-5)


def test_kernel_is_compiled_once_into_its_cache(tmp_path: Path) -> None:
    path = fused.library_path(tmp_path / "new")
    written = path.stat().st_mtime_ns
    assert fused.library_path(tmp_path / "new").stat().st_mtime_ns == written
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(fused.KernelUnavailable, match="needs a C.. compiler; install g"):
        fused.library_path(tmp_path)


def test_message_of_a_failing_compiler_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "broken.cpp"
    broken.write_text("int broken(")
    monkeypatch.setattr(fused, "SOURCE", broken)
    with pytest.raises(fused.KernelUnavailable, match=r"failed:\n.*broken.cpp:1"):
        fused.library_path(tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
