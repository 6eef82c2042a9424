# SPDX-License-Identifier: BSD-3-Clause
"""The workload of handwritten digits: scikit-learn's 1,797 images of 8 x 8, read row by row.

A QuantGRU of 8 inputs and 8 steps, then a dense layer of 10 scores. It shows how little a study needs of a
model (``study.workload``), and that nothing in it knows of decays. Quantised models are judged by their
integer oracle.

Settings of a grid file: ``DigitSettings``. Losses: "truth", the cross
entropy; "blend", 0.4 of it and 0.6 of the divergence from the teacher's probabilities. PTQ takes the grids on
which no weight saturates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from finn_flirnn.common.errors import Problem
from finn_flirnn.common.schema import problems_of, whole
from finn_flirnn.models import QuantGRU, QuantHead
from finn_flirnn.numerics import Format
from finn_flirnn.study.workload import ANY, Column, Kind, Result, Unit

MODEL_FILE = "model.pt"
OUTPUT = Format(16, 10)
"""Scores from -32 to 32."""
TEACHER_SHARE = 0.6
STEPS, INPUTS, CLASSES = 8, 8, 10
GREATEST_PIXEL = 16
IMAGES = 1_797
PTQ_FLAGS = ("per_channel", "calibrated", "bias_correction")


@dataclass(frozen=True)
class DigitSettings:
    """test: images kept for judging."""

    test: int = whole(1, 1_000, 500)


class RowReader(nn.Module):
    """Scores (batch, 10) of images (batch, 8, 8); the bits are those of ``QuantGRU``."""

    def __init__(
        self, hidden: int, weight_bits: int = 8, state_bits: int = 8, quantised: bool = True
    ) -> None:
        super().__init__()
        self.config = {"hidden": hidden, "weight_bits": weight_bits, "state_bits": state_bits}
        self.gru = QuantGRU(INPUTS, hidden, weight_bits=weight_bits, state_bits=state_bits, sequence=False)
        self.head = QuantHead(hidden, CLASSES, weight_bits, self.gru.quantisation.state, OUTPUT)
        self.gru.quantised = self.head.quantised = quantised

    def forward(self, x: Tensor) -> Tensor:
        """x: (batch, 8, 8), 0 to 1."""
        return torch.as_tensor(self.head(self.gru(x)))

    def predict_integer(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Scores by the integer oracle."""
        gru, head = self.gru.to_layer(), self.head.to_layer()
        codes = self.gru.quantisation.input.quantise(x)
        return np.asarray(OUTPUT.dequantise(head.run(gru.run(codes, STEPS))))


class Digits:
    """See ``study.workload.Workload``."""

    version = 1
    columns = (Column("error_rate", "error rate", 4), Column("cross_entropy", "cross entropy", 4))
    remarks = ("Cross entropy is in nats.",)
    settings = {"test": ANY}

    def check(self, settings: dict[str, Any]) -> list[Problem]:
        """See ``Workload.check``."""
        return problems_of(DigitSettings, settings, "settings")

    def run(self, unit: Unit, folder: Path, start: Path | None, teacher: Path | None) -> Result:
        """See ``Workload.run``; a killed unit begins anew, it takes seconds."""
        choices: dict[str, Any] = {"test": DigitSettings.test, "loss": "truth"} | unit.choices
        _check(unit, choices)
        train, test = images(choices["seed"], choices["test"])
        if unit.kind is Kind.REFERENCE:
            scores = np.broadcast_to(
                np.log(np.bincount(train[1], minlength=CLASSES)), (len(test[1]), CLASSES)
            )
            return Result(
                _figures(scores, test[1]), note="always the most frequent digit of the training set"
            )
        torch.manual_seed(choices["seed"])
        quantised = unit.kind is not Kind.FLOAT
        bits = {name: choices[name] for name in ("weight_bits", "state_bits")} if quantised else {}
        model = RowReader(choices["hidden"], **bits, quantised=quantised)
        if start is not None:
            model.load_state_dict(_saved(start)["weights"])
        if unit.kind is not Kind.PTQ:
            _train(model, train, choices, None if teacher is None else _teacher(teacher))
        torch.save({"config": model.config, "weights": model.state_dict()}, folder / MODEL_FILE)
        if quantised:
            scores = model.eval().predict_integer(test[0])
        else:
            with torch.no_grad():
                scores = model.eval()(torch.from_numpy(test[0])).double().numpy()
        return Result(_figures(scores, test[1]), _sizes(model))

    def content(self, choices: dict[str, Any]) -> dict[str, str]:
        """See ``Workload.content``; no choice names a file."""
        return {}

    def references(self, choices: dict[str, Any]) -> list[Unit]:
        """See ``Workload.references``."""
        return [Unit(Kind.REFERENCE, "no image, most frequent digit", choices)]


Images = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]


def images(seed: int, test: int) -> tuple[Images, Images]:
    """Training and test images (n, 8, 8), 0 to 1, with their digits; drawn apart by the seed."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    x, y = (data.images[order] / GREATEST_PIXEL).astype(np.float32), data.target[order].astype(np.int64)
    return (x[test:], y[test:]), (x[:test], y[:test])


def _check(unit: Unit, choices: dict[str, Any]) -> None:
    flags = [name for name in PTQ_FLAGS if choices.get(name)]
    if flags or choices["loss"] not in ("truth", "blend") or unit.kind in (Kind.CHECKPOINT, Kind.IMAGE):
        raise ValueError(
            f"{unit.label} asks for {flags or choices['loss']}, which the digits do not have; leave out "
            'checkpoints and images, set the flags of "ptq" to [false], choose losses from truth, blend'
        )
    if not isinstance(choices.get("hidden", 1), int):
        raise ValueError(f"{unit.label} must have one layer, got {choices['hidden']}; leave out stacks")
    if choices.get("batch", 1) > IMAGES - choices["test"]:
        raise ValueError(
            f"batch={choices['batch']} must be at most the {IMAGES - choices['test']} images of the training"
        )


def _train(model: RowReader, train: Images, choices: dict[str, Any], teacher: RowReader | None) -> None:
    x, y = map(torch.from_numpy, train)
    optimiser = torch.optim.Adam(model.parameters(), lr=choices["rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, choices["steps"])
    rng = np.random.default_rng((choices["seed"], 1))
    model.train()
    for _ in range(choices["steps"]):
        chosen = torch.from_numpy(rng.choice(len(x), choices["batch"], replace=False))
        scores = model(x[chosen])
        loss = nn.functional.cross_entropy(scores, y[chosen])
        if teacher is not None:
            with torch.no_grad():
                wanted = teacher(x[chosen]).log_softmax(dim=1)
            apart = nn.functional.kl_div(
                scores.log_softmax(dim=1), wanted, reduction="batchmean", log_target=True
            )
            loss = TEACHER_SHARE * apart + (1 - TEACHER_SHARE) * loss
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()


def _teacher(folder: Path) -> RowReader:
    saved = _saved(folder)
    model = RowReader(**saved["config"], quantised=False)
    model.load_state_dict(saved["weights"])
    return model.eval()


def _saved(folder: Path) -> dict[str, Any]:
    return dict(torch.load(folder / MODEL_FILE, weights_only=True))


def _figures(scores: npt.NDArray[np.float64], digits: npt.NDArray[np.int64]) -> dict[str, float]:
    shifted = scores - scores.max(axis=1, keepdims=True)
    chosen = shifted[np.arange(len(digits)), digits]
    entropy = np.log(np.exp(shifted).sum(axis=1)) - chosen
    return {
        "error_rate": round(float((scores.argmax(axis=1) != digits).mean()), 6),
        "cross_entropy": round(float(entropy.mean()), 6),
    }


def _sizes(model: RowReader) -> dict[str, float]:
    assert model.gru.weight_ih is not None
    a_step = model.gru.weight_ih.numel() + model.gru.weight_hh.numel()
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "mac": STEPS * a_step + model.head.weight.numel(),
    }
