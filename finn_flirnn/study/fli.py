# SPDX-License-Identifier: BSD-3-Clause
"""The workload of fluorescence decays: Seq2SeqLite on a simulated instrument.

Settings of a grid file, beside what all units share: "preset"; "train", "test": numbers of decays; "start": a
checkpoint whose weights float models begin with, widened to their size if need be (it is taken as it is if
"steps" is 0); "channel_weights" and "lifetime_weight" of all losses (``models.losses``); "average" of the
weights and "dim_share" of the decays in training (``models.training_plan``); "calibration": decays of PTQ;
"shipped": test decays of checkpoints; "shifted": decays under each other condition for checkpoints, float
models, prior and fits, 0 for none; "each_peak": decays of each group of peak counts, for checkpoints and fits
(the other rows take them from their test decays); "fit": decays of each fit; "bayes",
"bayes_counts_alone": of the Bayes floors; "draws" of a posterior for the latter. Training, validation and
test have IRFs of their own (``physics.irf_split``).

Gates and candidates are as wide as the state, but of at least 8 bits: a gate of 8 bits would waste a wider
state. Pre-activations have 10 bits; with weights wider than 8 bits all three have 16. Networks trained with
quantisers have the grids that PTQ's calibration finds for their float model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from finn_flirnn.codegen.folding_search import choose_folding
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.checkpoints import content_of, load_checkpoint, load_manifest, save_checkpoint
from finn_flirnn.models.evaluation import predict_float, predict_integer
from finn_flirnn.models.fused import lanes
from finn_flirnn.models.losses import LossKind, LossPlan
from finn_flirnn.models.ptq import PtqPlan, quantise_after_training
from finn_flirnn.models.training import MODEL_FILE, STATE_FILE, Trainer
from finn_flirnn.models.training_plan import Phase, TrainingPlan
from finn_flirnn.models.widen import widened
from finn_flirnn.physics.decays import Decays as SimulatedDecays
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.fresh_test import Prediction
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import preset_by_name
from finn_flirnn.study.image import content_of_image, judged_on_image
from finn_flirnn.study.judging import COLUMNS, LABELS, PUBLISHED, REFERENCES, judged
from finn_flirnn.study.workload import Kind, Result, Unit

DEFAULTS: dict[str, Any] = {
    "preset": "paper135",
    "train": 200_000,
    "test": 20_000,
    "start": None,
    "channel_weights": LossPlan.channel_weights,
    "lifetime_weight": 0.0,
    "average": 0.0,
    "dim_share": 0.0,
    "calibration": 512,
    "shipped": 100_000,
    "shifted": 2_000,
    "each_peak": 5_000,
    "fit": 5_000,
    "bayes": 2_000,
    "bayes_counts_alone": 500,
    "draws": 4_000,
}
START_FILE = "start.npz"
FILES = ("checkpoint", "start")
"""Choices that name a checkpoint."""
CALIBRATION_STREAM, VALIDATION_DECAYS, VALIDATIONS = 9_002, 2_048, 8
LEAST_GATE_BITS = 8
TARGET_CYCLES = 2_600
"""Cycles a pixel of the hardware whose cost is estimated: the target of the project's own builds."""
NO_LIMIT = Resources(*[1 << 40] * 5)


class Decays:
    """See ``study.workload.Workload``."""

    version = 3
    columns = COLUMNS

    def run(self, unit: Unit, folder: Path, start: Path | None, teacher: Path | None) -> Result:
        """See ``Workload.run``."""
        unknown = unit.choices.keys() - DEFAULTS.keys() - UNIT_CHOICES
        if unknown:
            raise ValueError(f"settings {sorted(unknown)} are unknown; take some of {', '.join(DEFAULTS)}")
        choices = DEFAULTS | unit.choices
        preset = preset_by_name(choices["preset"])
        if unit.kind is Kind.REFERENCE:
            if choices["reference"] in PUBLISHED:
                return Result(
                    PUBLISHED[choices["reference"]], note="figures of its authors, on their own data"
                )
            return REFERENCES[choices["reference"]](preset, choices)
        if unit.kind is Kind.CHECKPOINT:
            return _judge_checkpoint(choices)
        if unit.kind is Kind.IMAGE:
            return judged_on_image(load_checkpoint(choices["checkpoint"]), preset, choices["image"])
        if unit.kind is Kind.FLOAT:
            model, history, note = _float_model(unit, choices, folder)

            def method(decays: SimulatedDecays) -> Prediction:
                return predict_float(model, decays.counts), None

            more = {"sizes": _sizes(model), "history": history, "note": note}
            return judged(method, preset, choices, choices["test"], **more)
        assert start is not None
        trained = load_checkpoint(start / MODEL_FILE)
        if unit.kind is Kind.PTQ:
            model = _quantised(trained, choices)
            save_checkpoint(model, folder / MODEL_FILE, {"ptq": choices})
            return _judge_integer(model, choices, choices["test"], shifted=False)
        wanted = _quantised(trained, choices)
        model, history = _train(unit, choices, folder, start / MODEL_FILE, teacher, wanted)
        return _judge_integer(model, choices, choices["test"], shifted=False, history=history)

    def content(self, choices: dict[str, Any]) -> dict[str, str]:
        """See ``Workload.content``."""
        content = {name: content_of(choices[name]) for name in FILES if choices.get(name) is not None}
        return content | ({"image": content_of_image(choices["image"])} if "image" in choices else {})

    def references(self, choices: dict[str, Any]) -> list[Unit]:
        """See ``Workload.references``."""
        computed = [Unit(Kind.REFERENCE, LABELS[name], choices | {"reference": name}) for name in REFERENCES]
        return computed + [Unit(Kind.REFERENCE, name, {"reference": name}) for name in PUBLISHED]


UNIT_CHOICES = frozenset(
    "seed batch hidden steps rate weight_bits state_bits loss per_channel calibrated bias_correction "
    "checkpoint reference image".split()
)


History = list[dict[str, float]]


def _first_weights(choices: dict[str, Any], folder: Path) -> Path | None:
    """A checkpoint of the unit's size with the weights of "start", or None for random ones."""
    if choices["start"] is None:
        return None
    given = load_checkpoint(choices["start"])
    try:
        grown = widened(given, choices["hidden"], choices["seed"])
    except ValueError:  # the unit's model is no wider one of this
        return None
    return save_checkpoint(grown, folder / START_FILE, {"widened_from": choices["start"]})


def _float_model(unit: Unit, choices: dict[str, Any], folder: Path) -> tuple[Seq2SeqLite, History, str]:
    """The model, its learning curve, and a note on its first weights."""
    if "checkpoint" in choices:
        model = load_checkpoint(choices["checkpoint"])
        training = load_manifest(choices["checkpoint"])["training"]
        save_checkpoint(model, folder / MODEL_FILE, {"training": training})
        history = _whole_history(training)
        steps = f", {history[-1]['step']:,} steps" if history else ""
        return model, history, f"trained before{steps}"
    start = _first_weights(choices, folder)
    note = "" if start is None else f"began with the weights of {choices['start']}"
    if choices["steps"]:
        return *_train(unit, choices, folder, start, None), note
    if start is None:
        raise ValueError(
            f'{unit.label} must be trained for some steps, or "start" must be a checkpoint of at most '
            f"{choices['hidden']} units"
        )
    model = load_checkpoint(start)
    save_checkpoint(model, folder / MODEL_FILE, {"training": load_manifest(choices["start"]).get("training")})
    return model, [], note


def _train(
    unit: Unit,
    choices: dict[str, Any],
    folder: Path,
    start: Path | None,
    teacher: Path | None,
    quantised: Seq2SeqLite | None = None,
) -> tuple[Seq2SeqLite, History]:
    """Train, going on with what is in the folder; quantised: of the formats that the model shall have."""
    preset = preset_by_name(choices["preset"])
    steps, batch = choices["steps"], choices["batch"]
    if batch % lanes():
        raise ValueError(f"batch={batch} must be a multiple of {lanes()}; choose another")
    plan = TrainingPlan(
        model=quantised.config if quantised else {"hidden": choices["hidden"], "steps": preset.gates},
        phases=(
            Phase(
                str(unit.kind), quantised is not None, steps, choices["rate"], warmup=min(200, steps // 10)
            ),
        ),
        preset=choices["preset"],
        seed=choices["seed"],
        train_decays=choices["train"],
        validation_decays=min(VALIDATION_DECAYS, choices["test"]),
        batch=batch,
        validate_every=max(1, steps // VALIDATIONS),
        start=None if start is None else str(start),
        loss=LossPlan(
            LossKind(choices.get("loss", "truth")),
            channel_weights=tuple(choices["channel_weights"]),
            lifetime_weight=choices["lifetime_weight"],
        ),
        teacher=None if teacher is None else str(teacher / MODEL_FILE),
        average=choices["average"],
        dim_share=choices["dim_share"],
    )
    trainer = Trainer(plan, folder, taught=teacher, checkpoint_seconds=60.0)
    if (folder / STATE_FILE).exists():
        trainer.resume()
    trainer.run()
    history = [{"step": entry.step, **entry.metrics} for entry in trainer.history]
    return load_checkpoint(folder / MODEL_FILE), history


def _quantised(trained: Seq2SeqLite, choices: dict[str, Any]) -> Seq2SeqLite:
    wide = choices["weight_bits"] > 8
    plan = PtqPlan(
        weight_bits=choices["weight_bits"],
        state_bits=choices["state_bits"],
        gate_bits=16 if wide else max(LEAST_GATE_BITS, choices["state_bits"]),
        preactivation_bits=16 if wide else 10,
        per_channel=choices.get("per_channel", False),
        calibrated=choices.get("calibrated", True),
        bias_correction=choices.get("bias_correction", False),
    )
    preset = preset_by_name(choices["preset"])
    seed = choices["seed"], CALIBRATION_STREAM
    decays = simulate(preset, choices["calibration"], seed, split=IrfSplit.TRAIN)
    return quantise_after_training(trained, plan, torch.from_numpy(normalise(decays.counts)[:, :, None]))


def _judge_checkpoint(choices: dict[str, Any]) -> Result:
    model, training = load_checkpoint(choices["checkpoint"]), load_manifest(choices["checkpoint"])["training"]
    note = f"{choices['shipped']:,} decays"
    if not training.get("disjoint_irfs", False):
        note += "; its training drew from all IRFs, so the test's are new draws of the same kind"
    more = {"each_peak": choices["each_peak"], "note": note, "history": _whole_history(training)}
    return _judge_integer(model, choices, choices["shipped"], **more)


def _whole_history(training: dict[str, Any]) -> History:
    """The learning curve of a manifest, behind those of the trainings that it began with."""
    earlier = training.get("started_from")
    history = [] if earlier is None else _whole_history(earlier)
    done = history[-1]["step"] if history else 0
    own = [{k: v for k, v in entry.items() if k != "phase"} for entry in training.get("history", [])]
    return history + [entry | {"step": done + entry["step"]} for entry in own]


def _judge_integer(model: Seq2SeqLite, choices: dict[str, Any], pixels: int, **more: Any) -> Result:
    def method(decays: SimulatedDecays) -> Prediction:
        return predict_integer(model, decays.counts), None

    sizes = _sizes(model) | _hardware(model)
    return judged(method, preset_by_name(choices["preset"]), choices, pixels, sizes=sizes, **more)


def _sizes(model: Seq2SeqLite) -> dict[str, float]:
    """Parameters, and products a pixel; the first decoder has no input and so no product for it."""
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "mac": model.to_network().macs_per_pixel,
    }


def _hardware(model: Seq2SeqLite) -> dict[str, float]:
    """The cheapest folding of at most ``TARGET_CYCLES`` cycles a pixel, by the builder's own estimate."""
    choice = choose_folding(model.to_network(), Multiplier.DSP48E2, NO_LIMIT, TARGET_CYCLES)
    used = choice.resources
    return {"cycles": choice.cycles_per_pixel, "dsp": used.dsp, "lut": used.lut, "ff": used.ff}
