# SPDX-License-Identifier: BSD-3-Clause
"""Training end to end, resuming, and the shipped model on fresh decays."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from finn_flirnn.export import export_qonnx, verify_qonnx
from finn_flirnn.models.checkpoints import load_checkpoint, load_manifest, shipped_checkpoints
from finn_flirnn.models.evaluation import accuracy, evaluate, predict_float, predict_integer
from finn_flirnn.models.losses import LossKind, LossPlan
from finn_flirnn.models.train import add_arguments, run
from finn_flirnn.models.training import STATE_FILE, Trainer
from finn_flirnn.models.training_plan import Phase, TrainingPlan
from finn_flirnn.physics.decays import simulate
from finn_flirnn.physics.fresh_test import fit_method
from finn_flirnn.physics.irf_split import IrfSplit
from finn_flirnn.physics.metrics import rmse
from finn_flirnn.physics.preprocess import normalise
from finn_flirnn.physics.presets import PAPER135
from finn_flirnn.physics.prior import prior_median

pytestmark = pytest.mark.filterwarnings(
    # brevitas' QuantTensor unpacking calls Tensor.rename
    "ignore:Named tensors and all their associated APIs:UserWarning"
)

PLAN = TrainingPlan(
    model={"hidden": 4, "steps": 135},
    phases=(Phase("float", False, 12, 5e-3, warmup=2), Phase("qat", True, 8, 1e-3, warmup=2)),
    train_decays=400,
    validation_decays=64,
    batch=64,
    validate_every=4,
)


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("average", [0.0, 0.8])
@pytest.mark.parametrize(("phase", "step"), [("float", 7), ("float", 12), ("qat", 5)])
def test_resumed_run_equals_an_uninterrupted_one(
    tmp_path: Path, phase: str, step: int, average: float
) -> None:
    plan = replace(PLAN, average=average)
    whole = Trainer(plan, tmp_path / "whole")
    metrics = whole.run()

    def kill(current: Phase, done: int, loss: float) -> None:
        if (current.name, done) == (phase, step):
            raise Killed

    broken = Trainer(plan, tmp_path / "broken", checkpoint_seconds=0.0, report=kill)
    with pytest.raises(Killed):
        broken.run()
    again = Trainer(plan, tmp_path / "broken")
    again.resume()
    assert again.run() == metrics
    assert again.history == whole.history
    for name, value in whole.model.float_weights().items():
        assert np.array_equal(again.model.float_weights()[name], value)


def test_run_of_another_plan_is_not_resumed(tmp_path: Path) -> None:
    trainer = Trainer(PLAN, tmp_path)
    trainer.save()
    with pytest.raises(ValueError, match="another training plan"):
        Trainer(replace(PLAN, seed=9), tmp_path).resume()


def test_training_lowers_the_error_and_keeps_the_best_model(tmp_path: Path) -> None:
    trainer = Trainer(replace(PLAN, phases=(Phase("float", False, 100, 2e-2, warmup=5),)), tmp_path)
    best = trainer.run()
    errors = [entry.metrics["rmse_full"] for entry in trainer.history]
    assert best["rmse_full"] == min(errors) < 0.5 * errors[0]
    kept = load_manifest(tmp_path / "model")
    assert kept["metrics"]["validation"]["float"] == best
    assert kept["training"]["conditions"]["irf_position_ns"] == 1.8


def test_manifest_holds_the_whole_learning_curve(tmp_path: Path) -> None:
    trainer = Trainer(PLAN, tmp_path)
    trainer.run()
    curve = load_manifest(tmp_path / "model")["training"]["history"]
    assert [(entry["phase"], entry["step"]) for entry in curve] == [
        ("float", 4), ("float", 8), ("float", 12), ("qat", 16), ("qat", 20)
    ]  # fmt: skip
    assert [entry["rmse_full"] for entry in curve] == [e.metrics["rmse_full"] for e in trainer.history]


def test_kept_weights_are_the_moving_average_of_all_steps(tmp_path: Path) -> None:
    seen = []

    def keep(phase: Phase, step: int, loss: float) -> None:
        seen.append(trainer.model.float_weights())

    plan = replace(PLAN, phases=(Phase("float", False, 4, 1e-2, warmup=1),), average=0.75)
    trainer = Trainer(plan, tmp_path, report=keep)
    wanted = trainer.model.float_weights()
    trainer.run()
    for weights in seen:
        wanted = {name: 0.75 * value + 0.25 * weights[name] for name, value in wanted.items()}
    for name, value in load_checkpoint(tmp_path / "model.npz").float_weights().items():
        np.testing.assert_allclose(value, wanted[name], rtol=1e-5, atol=1e-7)
        assert not np.array_equal(value, seen[-1][name])


def test_dim_share_draws_that_share_from_the_lowest_peaks() -> None:
    bright, dim = replace(PLAN, train_decays=400, dim_share=0.25).data.training()
    assert (len(bright), len(dim)) == (300, 100)
    assert dim.peak_counts.max() <= 245 < bright.peak_counts.max()
    assert len(PLAN.data.training()) == 1


def test_loss_can_be_exchanged(tmp_path: Path) -> None:
    shapes = []

    def loss(prediction: torch.Tensor, truth: torch.Tensor, taught: torch.Tensor | None) -> torch.Tensor:
        assert taught is None
        shapes.append((tuple(prediction.shape), tuple(truth.shape)))
        return (prediction - truth).abs().mean()

    Trainer(replace(PLAN, phases=(Phase("float", False, 2, 1e-3),)), tmp_path, loss=loss).run()
    assert shapes == [((2, 135, 3, 32), (2, 135, 3, 32))] * 2


def test_diverging_training_stops_with_the_remedy(tmp_path: Path) -> None:
    def loss(prediction: torch.Tensor, truth: torch.Tensor, taught: torch.Tensor | None) -> torch.Tensor:
        return (prediction - truth).sum() * float("nan")

    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        Trainer(PLAN, tmp_path, loss=loss).run()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phases": ()}, "phases of at least one step"),
        ({"batch": 401}, "batch=401 must lie in 1 to"),
        ({"dim_share": 1.0}, "dim_share must lie in 0 to 1, and below 1, got 1.0"),
        ({"average": -0.1}, "average must lie in 0 to 1, and below 1, got -0.1"),
        (
            {"model": {"decoder": False}, "loss": LossPlan(LossKind.ABSOLUTE, lifetime_weight=16.0)},
            "lifetime_weight=16.0 is for models of decays",
        ),
        ({"loss": LossPlan(LossKind.BLEND)}, "loss blend and teacher=None do not fit together"),
        ({"teacher": "seq2seqlite32_8bit"}, "loss truth and teacher=seq2seqlite32_8bit do not fit"),
    ],
)
def test_impossible_plans_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PLAN, **change)  # type: ignore[arg-type]


def test_batch_that_leaves_a_block_unfilled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch=65 must be a multiple of 32, .*; take 96"):
        Trainer(replace(PLAN, batch=65), tmp_path)


def test_student_comes_nearer_to_its_teacher(tmp_path: Path) -> None:
    only_the_teacher = LossPlan(LossKind.BLEND, teacher_share=1.0)
    plan = replace(
        PLAN,
        phases=(Phase("float", False, 60, 2e-2, warmup=5),),
        loss=only_the_teacher,
        teacher="seq2seqlite32_8bit",
    )
    losses: list[float] = []
    Trainer(plan, tmp_path, report=lambda phase, step, loss: losses.append(loss)).run()
    assert losses[-1] < 0.2 * losses[0]
    training = load_manifest(tmp_path / "model")["training"]
    assert training["loss"]["kind"] == "blend"
    assert training["taught_by"]["preset"] == "paper135"


def test_teacher_of_other_decays_is_refused(tmp_path: Path) -> None:
    plan = replace(
        PLAN,
        model={"hidden": 4, "steps": 7},
        loss=LossPlan(LossKind.BLEND),
        teacher="seq2seqlite32_8bit",
    )
    with pytest.raises(ValueError, match="has steps=135, the student 7"):
        Trainer(plan, tmp_path).run()


def command(*words: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    run(parser.parse_args(words))


def test_train_command_writes_a_checkpoint_with_measured_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    words = (
        f"--output {folder} --hidden 3 --decays 300 --batch 64 --float-steps 3 --qat-steps 2 "
        "--test-decays 50 --state-bits 7 --reset before --checkpoint-minutes 0"
    ).split()
    command(*words)
    manifest = load_manifest(folder / "model.npz")
    assert manifest["model"]["state_bits"] == 7
    assert manifest["training"]["phases"][1]["steps"] == 2
    found = evaluate(
        load_checkpoint(folder / "model.npz"), "paper135", 50, manifest["metrics"]["test"]["seed"]
    )
    assert found["integer"] == manifest["metrics"]["test"]["integer"]
    assert f"rmse_full {found['float']['rmse_full']:.5f}" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match="add --resume"):
        command(*words)
    command(*words, "--resume")


def test_teachers_predictions_are_kept_for_equal_data_only(tmp_path: Path) -> None:
    plan = replace(
        PLAN,
        phases=(Phase("float", False, 3, 5e-3, warmup=2),),
        loss=LossPlan(LossKind.BLEND),
        teacher="teachers/float64",
    )
    taught = tmp_path / "taught"
    without = Trainer(plan, tmp_path / "without").run()
    assert Trainer(plan, tmp_path / "first", taught=taught).run() == without
    (kept,) = taught.iterdir()
    written = kept.stat().st_mtime_ns
    assert Trainer(plan, tmp_path / "second", taught=taught).run() == without
    assert kept.stat().st_mtime_ns == written
    Trainer(replace(plan, seed=2), tmp_path / "other", taught=taught).run()
    assert len(list(taught.iterdir())) == 2


def test_training_and_validation_have_irfs_of_their_own() -> None:
    apart, mixed = (
        [replace(PLAN, disjoint_irfs=d).data.simulate(300, 0, split) for split in IrfSplit]
        for d in (True, False)
    )
    for decays, split in zip(apart, IrfSplit, strict=True):
        assert split.holds(decays.irf_fwhm_ns, decays.irf_shift_ns).all()
    assert not IrfSplit.TRAIN.holds(mixed[0].irf_fwhm_ns, mixed[0].irf_shift_ns).all()


def test_train_command_makes_a_model_of_lifetimes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    words = f"--output {folder} --lifetimes --hidden 3 --decays 300 --batch 64 --float-steps 3 --qat-steps 2"
    command(*words.split(), "--test-decays", "50")
    model, manifest = load_checkpoint(folder / "model.npz"), load_manifest(folder / "model.npz")
    assert not model.decoders and model.config["outputs"] == 2
    assert manifest["training"]["loss"]["kind"] == "absolute"
    assert manifest["metrics"]["test"]["integer"].keys() == {"tau_m_mae_ns", "fraction_mae"}


def test_model_of_lifetimes_begins_with_another_models_encoder_and_learns(tmp_path: Path) -> None:
    plan = replace(
        PLAN,
        model={"hidden": 32, "steps": 135, "decoder": False, "outputs": 2},
        phases=(Phase("float", False, 60, 3e-3, warmup=1),),
        start="seq2seqlite32_8bit",
        loss=LossPlan(LossKind.ABSOLUTE, channel_weights=(20.0, 1.0)),
        validate_every=20,
    )
    trainer = Trainer(plan, tmp_path)
    shipped = load_checkpoint("seq2seqlite32_8bit").float_weights()
    for name, value in trainer.model.float_weights().items():
        assert name.startswith("head") or np.array_equal(value, shipped[name])
    trainer.run()
    errors = [entry.metrics["tau_m_mae_ns"] for entry in trainer.history]
    constant = np.abs(prior_median(PAPER135, 2000).tau_m_ns - simulate(PAPER135, 2000, 5).tau_m_ns).mean()
    assert errors[-1] < 0.5 * constant


def test_nothing_to_resume_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"{STATE_FILE} is missing"):
        command("--output", str(tmp_path), "--resume")


def test_float_prediction_leaves_the_model_as_it_was() -> None:
    model = load_checkpoint("seq2seqlite32_8bit")
    counts = np.random.default_rng(0).poisson(20, (3, 135))
    first = predict_float(model, counts)
    assert model.quantised and not model.training
    assert np.array_equal(predict_float(model, counts), first)


def test_shipped_models_reach_their_accuracy_on_fresh_decays() -> None:
    found: dict[str, dict[str, float]] = {}
    for name in shipped_checkpoints():
        found[name] = evaluate(load_checkpoint(name), "paper135", 4000, seed=77_001)["integer"]
        stated = load_manifest(name)["metrics"]["test"]["integer"]
        # another draw of decays; 4,000 of them settle the error to a few per cent
        for figure in {"rmse_full", "tau_m_mae_ns", "fraction_mae"} & stated.keys():
            assert found[name][figure] == pytest.approx(stated[figure], rel=0.1)
    eight, four = found["seq2seqlite32_8bit"], found["seq2seqlite32_4bit"]
    assert eight["rmse_full"] <= 0.0162
    # the Bayes floor, which knows the IRF too (docs/study.md)
    for channel, floor in (("rmse_short", 0.0714), ("rmse_long", 0.0708)):
        assert floor < eight[channel] <= 1.15 * floor
    for channel in ("rmse_full", "rmse_short", "rmse_long"):
        assert four[channel] <= 1.25 * eight[channel]


def test_shipped_model_is_better_than_the_fit_that_knows_the_irf_where_photons_are_few() -> None:
    decays = simulate(replace(PAPER135, peak_range=(50.0, 100.0)), 1000, seed=77_002, split=IrfSplit.TEST)
    model = load_checkpoint("seq2seqlite32_8bit")
    ours, fit = predict_integer(model, decays.counts), fit_method(decays)[0]
    assert rmse(ours, decays.sfd)[0] < rmse(fit, decays.sfd)[0]


@pytest.mark.parametrize("name", shipped_checkpoints())
def test_shipped_model_its_qonnx_and_its_oracle_are_equal(name: str, tmp_path: Path) -> None:
    model = load_checkpoint(name)
    network = model.to_network()
    export_qonnx(model, tmp_path / "model.onnx")
    assert verify_qonnx(tmp_path / "model.onnx", network, 32, seed=4).mismatches == 0
    decays = simulate(PAPER135, 8, seed=77_002)
    x = torch.from_numpy(normalise(decays.counts)[:, :, None])
    with torch.no_grad():
        values = model(x).double().numpy()
    assert np.array_equal(values, predict_integer(model, decays.counts))


def test_four_bit_model_holds_no_wider_weights() -> None:
    network = load_checkpoint("seq2seqlite32_4bit").to_network()
    weights = (network.encoder.weight_ih, network.encoder.weight_hh, network.decoder.weight_hh)
    for weight in (*weights, network.head.weight):
        assert weight is not None and np.abs(weight).max() <= 7


def test_shipped_teacher_is_ahead_of_the_student() -> None:
    decays = simulate(PAPER135, 3000, seed=77_003)
    teacher = accuracy(predict_float(load_checkpoint("teachers/float64"), decays.counts), decays)
    student = accuracy(predict_integer(load_checkpoint("seq2seqlite32_8bit"), decays.counts), decays)
    for figure in ("rmse_full", "rmse_short", "rmse_long", "tau_m_mae_ns"):
        assert teacher[figure] < student[figure]
