# SPDX-License-Identifier: BSD-3-Clause
"""Speed of training: ``python -m finn_flirnn.models.benchmark``.

Decays a second, forward and backward of encoder, decoder and head over 135 gates, per second of processor
time of one thread, so that other load matters little.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from finn_flirnn.models.fused import fused_forward, to_blocks
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite

STEPS = 135


class TorchModel(nn.Module):
    """The float model of torch's own layers; its decoder is fed the zeros that it must have."""

    def __init__(self, hidden: int, layers: int = 1) -> None:
        super().__init__()
        self.encoder = nn.GRU(1, hidden, layers, batch_first=True)
        self.decoder = nn.GRU(1, hidden, layers, batch_first=True)
        self.head = nn.Linear(hidden, 3)

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, T, 1) -> (batch, T, 3)."""
        states, _ = self.decoder(torch.zeros_like(x), self.encoder(x)[1])
        return torch.as_tensor(self.head(states))


def decays_per_second(forward: Callable[[Tensor], Tensor], x: Tensor, decays: int, seconds: float) -> float:
    """Forward and backward passes of one batch of ``decays``, repeated for about ``seconds``."""
    forward(x).square().mean().backward()
    rounds, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        forward(x).square().mean().backward()
        rounds += 1
    return rounds * decays / (time.process_time() - started)


def rows(hidden: int, decays: int, seconds: float, layers: int = 1) -> list[tuple[str, float]]:
    """(what, decays a second): fused kernel float and quantised, torch's nn.GRU, the Brevitas layers."""
    x = torch.rand(decays, STEPS, 1)
    model = Seq2SeqLite(hidden=[hidden] * layers, steps=STEPS).train()
    measured = []
    for name, quantised in (("fused kernel, float", False), ("fused kernel, quantised", True)):
        model.quantised = quantised
        blocks = to_blocks(x)
        speed = decays_per_second(lambda b: fused_forward(model, b), blocks, decays, seconds)
        measured.append((name, speed))
    measured.append(
        ("torch nn.GRU, float", decays_per_second(TorchModel(hidden, layers), x, decays, seconds))
    )
    measured.append(("Brevitas layers, quantised", decays_per_second(model, x, decays, seconds)))
    return measured


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="decays a second in training, one thread")
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--layers", type=int, default=1, help="of that many units, on each side")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for hidden in given.hidden:
        for name, speed in rows(hidden, given.batch, given.seconds, given.layers):
            print(f"hidden {hidden:4d}  {name:28s} {speed:8,.0f} decays/s")


if __name__ == "__main__":
    main()
