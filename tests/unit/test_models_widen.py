# SPDX-License-Identifier: BSD-3-Clause
"""Widening: the same function with more units."""

from __future__ import annotations

import pytest
import torch

from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.widen import widened


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("hidden", [5, 6, 9, 10, 13])
def test_widened_float_model_is_the_same_function(reset: str, hidden: int) -> None:
    torch.manual_seed(1)
    model = Seq2SeqLite(hidden=5, steps=9, reset=reset, quantised=False).eval()
    x = torch.rand(4, 9, 1)
    with torch.no_grad():
        # sums in another order
        torch.testing.assert_close(widened(model, hidden).eval()(x), model(x), rtol=0, atol=1e-5)


def test_copies_part_in_training() -> None:
    torch.manual_seed(2)
    model = widened(Seq2SeqLite(hidden=3, steps=5, quantised=False), 6).train()
    model(torch.rand(8, 5, 1)).square().mean().backward()
    gradient = model.encoder.bias_ih.grad
    assert gradient is not None
    first, second = gradient.view(3, 2, 3).unbind(1)
    assert not torch.allclose(first, second, rtol=1e-2)


def test_model_cannot_shrink() -> None:
    with pytest.raises(ValueError, match="hidden=4 must be at least the model's 5"):
        widened(Seq2SeqLite(hidden=5, steps=2), 4)
