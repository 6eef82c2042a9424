# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of training compares what it says it compares."""

from __future__ import annotations

import pytest
import torch

from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.benchmark import STEPS, TorchModel, rows

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)


def test_every_row_is_measured() -> None:
    measured = rows(hidden=2, decays=64, seconds=0.01)
    assert [name for name, _ in measured] == [
        "fused kernel, float",
        "fused kernel, quantised",
        "torch nn.GRU, float",
        "Brevitas layers, quantised",
    ]
    assert all(speed > 0 for _, speed in measured)


def test_torch_model_is_the_float_model() -> None:
    torch.manual_seed(4)
    ours, theirs = Seq2SeqLite(hidden=3, steps=STEPS, quantised=False).eval(), TorchModel(3)
    with torch.no_grad():
        for layer, name in ((theirs.encoder, "encoder"), (theirs.decoder, "decoder")):
            for weight in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                if (value := getattr(getattr(ours, name), weight)) is not None:
                    getattr(layer, f"{weight}_l0").copy_(value)
        theirs.head.weight.copy_(ours.head.weight)
        theirs.head.bias.copy_(ours.head.bias)
        x = torch.rand(3, STEPS, 1)
        # float32 sums in another order
        torch.testing.assert_close(theirs(x), ours(x), rtol=0, atol=1e-6)
