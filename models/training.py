# SPDX-License-Identifier: BSD-3-Clause
"""Training of Seq2SeqLite on simulated decays: float first, then with the quantisers.

One step is a batch through the fused kernel, Adam, gradients clipped at norm 1, and a learning rate
that rises over the first steps of a phase and then falls as a cosine. What is validated and kept may be the
moving average of the weights: weights of few bits hop between neighbouring codes, their average does not.
The order of the batches follows from the seed and the epoch alone, so a run that was killed and resumed
equals one that was not.
"""

from __future__ import annotations

import functools
import io
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from finn_flirnn.common.files import sha256_of_value, whole_file, write_atomically
from finn_flirnn.models.checkpoints import content_of, load_checkpoint, load_manifest, save_checkpoint
from finn_flirnn.models.evaluation import (
    accuracy,
    headline,
    predict_float,
    predict_integer,
    predict_unquantised,
)
from finn_flirnn.models.fused import fused_forward, lanes, to_blocks
from finn_flirnn.models.losses import Loss
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.models.training_plan import DecayPlan, Phase, TrainingPlan
from finn_flirnn.physics.decays import Decays
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.lifetimes import MeanLifetimes
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import preset_by_name

STATE_FILE = "training.pt"
MODEL_FILE = "model.npz"


@dataclass
class Validation:
    """One line of a run's history."""

    phase: str
    step: int
    loss: float
    metrics: dict[str, float]


@dataclass
class TrainingData:
    """Inputs (pixels, T, 1), truth (pixels, T, 3) or (pixels, 2), the teacher's predictions of it; float32.

    The truth is the sample decays, or for a model without decoder the lifetimes (``DIRECT_OUTPUTS``).
    """

    x: Tensor
    truth: Tensor
    taught: Tensor | None = None
    _order: tuple[int, Tensor] | None = field(default=None, init=False, repr=False)

    @classmethod
    def simulate(cls, plan: TrainingPlan, taught: Path | None = None) -> TrainingData:
        """The training set of a plan; taught: folder that keeps what teachers predict, see ``_taught``."""
        x, truth = _inputs_and_truth(plan.data, plan.predicts_decays)
        return cls(x, truth, None if plan.teacher is None else _taught(plan, x, taught))

    def batch(self, plan: TrainingPlan, step: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Batch number ``step`` in blocks; every epoch visits the decays in an order of its own."""
        per_epoch = len(self.x) // plan.batch
        epoch, index = divmod(step, per_epoch)
        if self._order is None or self._order[0] != epoch:
            order = np.random.default_rng((plan.seed, 2, epoch)).permutation(len(self.x))
            self._order = epoch, torch.from_numpy(order)
        chosen = self._order[1][index * plan.batch : (index + 1) * plan.batch]
        taught = None if self.taught is None else to_blocks(self.taught[chosen])
        return to_blocks(self.x[chosen]), to_blocks(self.truth[chosen]), taught


@functools.lru_cache(maxsize=1)
def _inputs_and_truth(plan: DecayPlan, of_decays: bool) -> tuple[Tensor, Tensor]:
    """x and truth of ``TrainingData``; kept, since the trainings of a study share their decays."""
    parts = plan.training()
    x = np.concatenate([normalise(part.counts)[:, :, None] for part in parts])
    truth = np.concatenate([part.sfd if of_decays else _lifetimes(part) for part in parts])
    return torch.from_numpy(x), torch.from_numpy(truth)


def _lifetimes(decays: Decays) -> npt.NDArray[np.float32]:
    preset = decays.preset
    lifetimes = MeanLifetimes(decays.tau_m_ns, decays.amplitude_fraction)
    return lifetimes.as_outputs(preset.gates, preset.gate_step_ns)


def first_weights(plan: TrainingPlan, model: Seq2SeqLite) -> dict[str, npt.NDArray[np.float32]]:
    """The weights that a plan begins with; a model without decoder takes another's encoder alone."""
    if plan.start is None:
        return model.float_weights()
    given = load_checkpoint(plan.start)
    if not given.decoders or model.decoders:
        return given.float_weights()
    encoders = {n: v for n, v in given.float_weights().items() if n.startswith("encoder")}
    return {n: v for n, v in model.float_weights().items() if n.startswith("head")} | encoders


def _taught(plan: TrainingPlan, x: Tensor, folder: Path | None) -> Tensor:
    """What the plan's teacher predicts of the training set (pixels, T, 3), computed once for a folder.

    Predictions are kept under the hash of the teacher and of all that decides the training set.
    """
    teacher = load_teacher(plan)
    if folder is None:
        return predict_unquantised(teacher, x)
    assert plan.teacher is not None
    data = asdict(plan.data) | {"preset": asdict(preset_by_name(plan.preset))}
    path = folder / f"taught_{sha256_of_value([content_of(plan.teacher), data])[:20]}.npy"
    if not path.exists():
        predicted = predict_unquantised(teacher, x)
        with whole_file(path) as file:
            np.save(file, predicted.numpy())
    # pages of the file are read as batches ask for them, and shared by all who train
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def load_teacher(plan: TrainingPlan) -> Seq2SeqLite:
    """The teacher of a plan. Raises ValueError if its decays are not of the student's shape."""
    assert plan.teacher is not None
    teacher, student = load_checkpoint(plan.teacher), Seq2SeqLite(**plan.model)
    for name in ("steps", "inputs", "outputs", "decoder"):
        theirs, ours = (model.config.get(name, True) for model in (teacher, student))
        if theirs != ours:
            raise ValueError(
                f"the teacher {plan.teacher} has {name}={theirs}, the student {ours}; they must be equal"
            )
    return teacher


@dataclass
class Trainer:
    """A training run in a folder: ``training.pt`` to go on from, ``model.npz`` and ``.json`` to use.

    loss: in place of the plan's. taught: folder in which to keep the teacher's predictions. report: called
    after every step with (phase, step, loss).
    """

    plan: TrainingPlan
    folder: Path
    loss: Loss | None = None
    taught: Path | None = None
    checkpoint_seconds: float = 120.0
    report: Callable[[Phase, int, float], None] = lambda phase, step, loss: None
    history: list[Validation] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.plan.batch % lanes():
            raise ValueError(
                f"batch={self.plan.batch} must be a multiple of {lanes()}, the sequences that the kernel "
                "runs abreast; what fills up the last block would be trained on too; take "
                f"{lanes() * -(-self.plan.batch // lanes())}"
            )
        torch.manual_seed(self.plan.seed)
        self.model = Seq2SeqLite(**self.plan.model).train()
        self.model.load_float_weights(first_weights(self.plan, self.model))
        # once, since a walk through Brevitas' modules takes milliseconds
        self.parameters = list(self.model.parameters())
        self.phase_index = 0
        self.step = 0
        self.elapsed = 0.0
        self.best = math.inf
        self._begin_phase()

    def run(self) -> dict[str, float]:
        """Train to the end; returns the metrics of the kept model."""
        self.folder.mkdir(parents=True, exist_ok=True)
        data = TrainingData.simulate(self.plan, self.taught)
        validation = self.plan.data.simulate(self.plan.validation_decays, 1, IrfSplit.VALIDATION)
        started = time.monotonic() - self.elapsed
        saved = time.monotonic()
        while self.phase_index < len(self.plan.phases):
            phase = self.plan.phases[self.phase_index]
            while self.step < phase.steps:
                loss = self._step(phase, *data.batch(self.plan, self._steps_before() + self.step))
                self.step += 1
                self.elapsed = time.monotonic() - started
                if self.step % self.plan.validate_every == 0 or self.step == phase.steps:
                    self._validate(phase, loss, validation)
                self.report(phase, self.step, loss)
                if time.monotonic() - saved > self.checkpoint_seconds:
                    self.save()
                    saved = time.monotonic()
            self.phase_index += 1
            self.step = 0
            if self.phase_index < len(self.plan.phases):
                if self.plan.average:  # go on from what was kept
                    torch._foreach_copy_(self._weights(), self.averages)
                self._begin_phase()
            self.save()
        self._keep_whole_history()
        last = [entry for entry in self.history if entry.phase == self.plan.phases[-1].name]
        return min(last, key=lambda entry: headline(entry.metrics)[1]).metrics

    def _begin_phase(self) -> None:
        phase = self.plan.phases[self.phase_index]
        self.model.quantised = phase.quantised
        self.optimiser = torch.optim.Adam(self.parameters, lr=phase.learning_rate, fused=True)
        self.averages = [p.detach().clone() for p in self.parameters]
        self.best = math.inf

    def _steps_before(self) -> int:
        return sum(phase.steps for phase in self.plan.phases[: self.phase_index])

    def _step(self, phase: Phase, x: Tensor, truth: Tensor, taught: Tensor | None) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = phase.rate(self.step)
        self.optimiser.zero_grad()
        loss = (self.loss or self.plan.loss)(fused_forward(self.model, x), truth, taught)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.plan.gradient_clip)
        self.optimiser.step()
        if self.plan.average:
            torch._foreach_lerp_(self.averages, self._weights(), 1 - self.plan.average)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"the loss is {value} at step {self.step} of phase {phase.name}; lower the learning rate"
            )
        return value

    def _weights(self) -> list[Tensor]:
        return [p.detach() for p in self.parameters]

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model with the moving average of its weights, if the plan has one."""
        if not self.plan.average:
            yield
            return
        weights = [w.clone() for w in self._weights()]
        torch._foreach_copy_(self._weights(), self.averages)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights(), weights)

    def _validate(self, phase: Phase, loss: float, decays: Decays) -> None:
        predict = predict_integer if phase.quantised else predict_float
        with self._averaged():
            metrics = accuracy(predict(self.model, decays.counts), decays)
            self.history.append(Validation(phase.name, self.step, loss, metrics))
            if (error := headline(metrics)[1]) < self.best:
                self.best = error
                self.save_model(metrics)

    def _learning_curve(self) -> list[dict[str, float | str]]:
        """The history for a manifest: step counts on from phase to phase."""
        before, first = {}, 0
        for phase in self.plan.phases:
            before[phase.name] = first
            first += phase.steps
        return [
            {"phase": entry.phase, "step": before[entry.phase] + entry.step, **entry.metrics}
            for entry in self.history
        ]

    def _keep_whole_history(self) -> None:
        """Put into the manifest also what was validated after the model that was kept."""
        path = self.folder / MODEL_FILE
        manifest = load_manifest(path)
        manifest["training"]["history"] = self._learning_curve()
        facts = {name: manifest[name] for name in ("training", "metrics")}
        save_checkpoint(load_checkpoint(path), path, facts)

    def save_model(self, metrics: dict[str, float]) -> Path:
        """Write the model as it stands, with its manifest."""
        phase = self.plan.phases[self.phase_index]
        training = self.plan.facts | {
            "phase": phase.name,
            "step": self.step,
            "seconds": round(self.elapsed, 1),
            "conditions": asdict(preset_by_name(self.plan.preset)),
            "history": self._learning_curve(),
        }
        if self.plan.start is not None:
            training["start"] = Path(self.plan.start).name
            training["started_from"] = load_manifest(self.plan.start).get("training")
        if self.plan.teacher is not None:
            training["teacher"] = Path(self.plan.teacher).name
            training["taught_by"] = load_manifest(self.plan.teacher).get("training")
        kind = "integer" if phase.quantised else "float"
        facts = {"training": training, "metrics": {"validation": {kind: metrics}}}
        return save_checkpoint(self.model, self.folder / MODEL_FILE, facts)

    def save(self) -> None:
        """Write everything that resuming needs."""
        state = {
            "plan": self.plan.facts,
            "phase_index": self.phase_index,
            "step": self.step,
            "elapsed": self.elapsed,
            "best": self.best,
            "history": [asdict(validation) for validation in self.history],
            "weights": self._weights(),
            "averages": self.averages,
            "optimiser": self.optimiser.state_dict(),
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(self.folder / STATE_FILE, buffer.getvalue())

    def resume(self) -> None:
        """Take up the state in the folder. Raises ValueError if it is of another plan."""
        path = self.folder / STATE_FILE
        state = torch.load(path, weights_only=True)
        if state["plan"] != self.plan.facts:
            raise ValueError(f"{path} is of another training plan; give the same options, or another folder")
        self.phase_index, self.step = state["phase_index"], state["step"]
        self.elapsed = state["elapsed"]
        self.history = [Validation(**entry) for entry in state["history"]]
        if self.phase_index < len(self.plan.phases):
            self._begin_phase()
            self.optimiser.load_state_dict(state["optimiser"])
        self.best = state["best"]
        for ours, kept in ((self._weights(), state["weights"]), (self.averages, state["averages"])):
            torch._foreach_copy_(ours, kept)
