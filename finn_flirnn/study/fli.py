# SPDX-License-Identifier: BSD-3-Clause
"""The workload of fluorescence decays: Seq2SeqLite on a simulated instrument.

Settings of a grid file: ``study.decay_settings``. Training, validation and test have IRFs of their own
(``physics.irf_split``).

Gates and candidates are as wide as the state, but of at least 8 bits: a gate of 8 bits would waste a wider
state. Pre-activations have 10 bits; with weights wider than 8 bits all three have 16. Networks trained with
quantisers have the grids that PTQ's calibration finds for their float model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from finn_flirnn.codegen.folding_search import choose_folding
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.common.errors import Problem
from finn_flirnn.common.schema import problems_of
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.checkpoints import content_of, load_checkpoint, load_manifest, save_checkpoint
from finn_flirnn.models.evaluation import predict_float, predict_integer
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
from finn_flirnn.study.decay_settings import DEFAULTS, KINDS, DecaySettings
from finn_flirnn.study.image import content_of_image, judged_on_image
from finn_flirnn.study.judging import COLUMNS, PUBLISHED, REFERENCES, judged
from finn_flirnn.study.workload import Kind, Result, Unit

START_FILE = "start.npz"
FILES = ("checkpoint", "start")
"""Choices that name a checkpoint."""
CALIBRATION_STREAM, VALIDATION_DECAYS, VALIDATIONS = 9_002, 2_048, 8
LEAST_GATE_BITS = 8
TARGET_CYCLES = 2_600
"""Cycles a pixel of the hardware whose area is estimated: the target of the project's own builds."""
DSP_BUDGET = 220
"""DSPs of the hardware whose cycles are estimated: those of a Zynq-7020."""
NO_LIMIT = Resources(*[1 << 40] * 5)
REMARKS = (
    f"Area (DSP, LUT, FF): the builder's estimate of the cheapest folding of at most {TARGET_CYCLES:,} "
    f"cycles a pixel. Cycles: of the fastest folding of at most {DSP_BUDGET} DSP. Both with DSP48E2.",
    "The bits of the state are those of gates and candidates too, but these have at least "
    f"{LEAST_GATE_BITS}; pre-activations have 10. With weights of more than 8 bits all three have 16.",
    "Decays begin at 1. R² is over all gates of all pixels together; L2 the mean over the pixels of the "
    "error's norm over the gates.",
    "Bayes floor: the least error that any method can have on the mean. Of decays it is that of the "
    "posterior's mean, of τm and a that of its median.",
)


class Decays:
    """See ``study.workload.Workload``."""

    version = 4
    columns = COLUMNS
    remarks = REMARKS
    settings = KINDS

    def check(self, settings: dict[str, Any]) -> list[Problem]:
        """See ``Workload.check``."""
        return problems_of(DecaySettings, settings, "settings")

    def run(self, unit: Unit, folder: Path, start: Path | None, teacher: Path | None) -> Result:
        """See ``Workload.run``."""
        choices = DEFAULTS | unit.choices
        preset = preset_by_name(choices["preset"])
        if unit.kind is Kind.REFERENCE:
            if choices["reference"] in PUBLISHED:
                return Result(
                    PUBLISHED[choices["reference"]], note="figures of its authors, on their own data"
                )
            return REFERENCES[choices["reference"]].result(preset, choices)
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
        computed = []
        for name, reference in REFERENCES.items():
            used = {k: v for k, v in choices.items() if k in ("seed", "preset", *reference.uses)}
            computed.append(Unit(Kind.REFERENCE, reference.label, used | {"reference": name}))
        return computed + [Unit(Kind.REFERENCE, name, {"reference": name}) for name in PUBLISHED]


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
        if choices.get("hidden", model.config["hidden"]) != model.config["hidden"]:
            raise ValueError(
                f"{choices['checkpoint']} must have {choices['hidden']} units, but has "
                f'{model.config["hidden"]}; name it under its own size in "trained"'
            )
        training = load_manifest(choices["checkpoint"])["training"]
        save_checkpoint(model, folder / MODEL_FILE, {"training": training})
        history, steps = _whole_history(training)
        return model, history, f"trained before, {steps:,} steps"
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
    steps = choices["steps"]
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
        batch=choices["batch"],
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
    formats = model.encoder.quantisation
    more = {
        "each_peak": choices["each_peak"],
        "note": note,
        "history": _whole_history(training)[0],
        "bits": (formats.weight_bits, formats.state.bits),
    }
    return _judge_integer(model, choices, choices["shipped"], **more)


def _whole_history(training: dict[str, Any]) -> tuple[History, int]:
    """The learning curve of a manifest, and at which of its steps the model was kept.

    It goes on from that of the training whose kept model it began with.
    """
    before: History = []
    done = 0
    if training.get("started_from") is not None:
        earlier, done = _whole_history(training["started_from"])
        before = [entry for entry in earlier if entry["step"] <= done]
    own = [{k: v for k, v in entry.items() if k != "phase"} for entry in training.get("history", [])]
    history = before + [entry | {"step": done + entry["step"]} for entry in own]
    for phase in training.get("phases", []):
        if phase["name"] == training["phase"]:
            return history, done + training["step"]
        done += phase["steps"]
    return history, done


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
    """Area of the cheapest folding that is fast enough, cycles of the fastest with few DSPs."""
    network = model.to_network()
    used = choose_folding(network, Multiplier.DSP48E2, NO_LIMIT, TARGET_CYCLES).resources
    fastest = choose_folding(network, Multiplier.DSP48E2, replace(NO_LIMIT, dsp=DSP_BUDGET))
    return {"cycles": fastest.cycles_per_pixel, "dsp": used.dsp, "lut": used.lut, "ff": used.ff}
