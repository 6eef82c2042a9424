# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn train`` and ``python -m finn_flirnn.models.train``: a Seq2SeqLite from scratch."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from finn_flirnn.models.checkpoints import load_checkpoint, load_manifest, save_checkpoint
from finn_flirnn.models.evaluation import evaluate, headline
from finn_flirnn.models.fused import KernelUnavailable
from finn_flirnn.models.losses import LossKind, LossPlan
from finn_flirnn.models.training import MODEL_FILE, STATE_FILE, Trainer
from finn_flirnn.models.training_plan import Phase, TrainingPlan
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS
from finn_flirnn.physics.presets import PRESETS, preset_by_name

TEST_SEED_OFFSET = 1_000_000

WEIGHT_FRACS = (
    "encoder_weight_ih_frac",
    "encoder_weight_hh_frac",
    "decoder_weight_hh_frac",
    "head_weight_frac",
)
"""Options of that name fix a weight's grid."""

LIFETIME_WEIGHTS = (20.0, 1.0)
"""Of tau_m, in lengths of the window, and the fraction: errors of 50 ps and of 0.08 then weigh alike."""

ERRORS = (ValueError, FloatingPointError, KernelUnavailable)
"""What ``run`` raises, besides OSError, with a message for its user."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``train``."""
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on where the run in DIR stopped")
    parser.add_argument("--preset", choices=tuple(PRESETS), default="paper135", help="simulated instrument")
    parser.add_argument(
        "--hidden", type=int, nargs="+", default=[32], metavar="N", help="units; of each layer of a stack"
    )
    parser.add_argument("--reset", choices=("after", "before"), default="after")
    parser.add_argument("--gate", choices=("sigmoid", "hard_sigmoid"), default="sigmoid")
    parser.add_argument("--candidate", choices=("tanh", "hard_tanh"), default="tanh")
    for name, bits in (
        ("weight", 8),
        ("input", 8),
        ("state", 8),
        ("gate", 8),
        ("preactivation", 10),
        ("output", 16),
    ):
        parser.add_argument(f"--{name}-bits", type=int, default=bits, metavar="N", help=f"default {bits}")
    parser.add_argument("--candidate-bits", type=int, metavar="N", help="default: as --gate-bits")
    parser.add_argument("--head-weight-bits", type=int, metavar="N", help="default: as --weight-bits")
    for name in WEIGHT_FRACS:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, metavar="N", help="default: as fine as the values allow"
        )
    for name, steps, rate, kind in (
        ("float", 24_000, 4e-3, "without quantisers"),
        ("qat", 16_000, 1e-3, "with quantisers"),
    ):
        parser.add_argument(
            f"--{name}-steps", type=int, default=steps, metavar="N", help=f"steps {kind}, or 0"
        )
        parser.add_argument(
            f"--{name}-rate", type=float, default=rate, metavar="R", help="peak learning rate"
        )
    parser.add_argument("--batch", type=int, default=256, metavar="N")
    parser.add_argument("--decays", type=int, default=400_000, metavar="N", help="size of the training set")
    parser.add_argument(
        "--dim-share",
        type=float,
        default=TrainingPlan.dim_share,
        metavar="S",
        help="share of it with peaks in the lowest tenth of the preset's range",
    )
    parser.add_argument(
        "--average",
        type=float,
        default=TrainingPlan.average,
        metavar="A",
        help="keep the moving average of the weights, this share of itself a step; 0 for none",
    )
    parser.add_argument("--start", metavar="NAME|FILE.npz", help="begin with this checkpoint's weights")
    parser.add_argument(
        "--lifetimes", action="store_true", help="no decoder: predict the mean lifetime and the fraction"
    )
    parser.add_argument("--loss", choices=tuple(LossKind), help="default: truth; with --lifetimes absolute")
    parser.add_argument("--teacher", metavar="NAME|FILE.npz", help="whose float model teaches, see --loss")
    parser.add_argument("--teacher-share", type=float, default=LossPlan.teacher_share, metavar="A")
    parser.add_argument(
        "--channel-weights",
        type=float,
        nargs="+",
        metavar="W",
        help="weights of the outputs in the loss (full, short, long; or mean lifetime, fraction)",
    )
    parser.add_argument(
        "--lifetime-weight",
        type=float,
        default=LossPlan.lifetime_weight,
        metavar="G",
        help="weight of the mean lifetime's error in the loss",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--test-decays", type=int, default=20_000, metavar="N", help="fresh, at the end")
    parser.add_argument("--checkpoint-minutes", type=float, default=2.0, metavar="M")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of torch")


def plan_of(given: argparse.Namespace) -> TrainingPlan:
    """The plan that the options describe. Raises ValueError if they do not fit together."""
    model = {
        "hidden": given.hidden[0] if len(given.hidden) == 1 else given.hidden,
        "steps": preset_by_name(given.preset).gates,
        "reset": given.reset,
        "gate": given.gate,
        "candidate": given.candidate,
    }
    bits = ("weight", "input", "state", "gate", "candidate", "preactivation", "head_weight", "output")
    model |= {f"{name}_bits": getattr(given, f"{name}_bits") for name in bits}
    model |= {name: frac for name in WEIGHT_FRACS if (frac := getattr(given, name)) is not None}
    loss, weights = LossKind.TRUTH, LossPlan.channel_weights
    if given.lifetimes:
        model |= {"decoder": False, "outputs": len(DIRECT_OUTPUTS)}
        loss, weights = LossKind.ABSOLUTE, LIFETIME_WEIGHTS
    return TrainingPlan(
        model=model,
        phases=tuple(
            phase
            for phase in (
                Phase("float", False, given.float_steps, given.float_rate),
                Phase("qat", True, given.qat_steps, given.qat_rate),
            )
            if phase.steps
        ),
        preset=given.preset,
        seed=given.seed,
        train_decays=given.decays,
        batch=given.batch,
        start=given.start,
        loss=LossPlan(
            given.loss or loss,
            given.teacher_share,
            tuple(given.channel_weights or weights),
            given.lifetime_weight,
        ),
        teacher=given.teacher,
        dim_share=given.dim_share,
        average=given.average,
    )


def run(given: argparse.Namespace) -> None:
    """Train as the options say; the result is DIR/model.npz with its manifest.

    Raises FileExistsError if DIR holds a run and --resume is not given, FileNotFoundError if there is
    none to resume, ValueError for options that do not fit together, FloatingPointError if the training
    diverges, KernelUnavailable without a C++ compiler.
    """
    torch.set_num_threads(given.threads)
    plan = plan_of(given)
    state = given.output / STATE_FILE
    if state.exists() and not given.resume:
        raise FileExistsError(f"{given.output} holds a run; add --resume to go on, or choose another folder")
    if given.resume and not state.exists():
        raise FileNotFoundError(f"{state} is missing, there is nothing to resume; leave out --resume")
    console = Console(highlight=False)
    columns = (
        TextColumn("{task.description:6s}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.2e}  error {task.fields[error]}"),
    )
    with Progress(*columns, console=console) as progress:
        trainer = Trainer(plan, given.output, checkpoint_seconds=60 * given.checkpoint_minutes)
        if given.resume:
            trainer.resume()
        tasks = {
            phase.name: progress.add_task(phase.name, total=phase.steps, loss=0.0, error="-")
            for phase in plan.phases
        }
        seen = 0

        def show(phase: Phase, step: int, loss: float) -> None:
            nonlocal seen
            progress.update(tasks[phase.name], completed=step, loss=loss)
            for entry in trainer.history[seen:]:
                name, error = headline(entry.metrics)
                progress.update(tasks[entry.phase], error=f"{error:.5f}")
                progress.console.print(
                    f"{entry.phase} {entry.step}: loss {entry.loss:.3e}, {name} {error:.5f}"
                )
            seen = len(trainer.history)

        trainer.report = show
        trainer.run()
    finish(given.output, plan, given.test_decays)
    console.print(f"wrote {given.output / MODEL_FILE}")


def finish(folder: Path, plan: TrainingPlan, test_decays: int) -> None:
    """Measure the kept model on fresh decays and put the figures into its manifest."""
    path = folder / MODEL_FILE
    model, manifest = load_checkpoint(path), load_manifest(path)
    seed = plan.seed + TEST_SEED_OFFSET
    metrics = evaluate(model, plan.preset, test_decays, seed)
    manifest["metrics"]["test"] = {"preset": plan.preset, "seed": seed, "pixels": test_decays, **metrics}
    save_checkpoint(model, path, {name: manifest[name] for name in ("training", "metrics")})
    for kind, row in metrics.items():
        print(f"{kind:8s}", "  ".join(f"{name} {value:.5f}" for name, value in row.items()))


def main() -> None:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description="train a Seq2SeqLite model on simulated decays")
    add_arguments(parser)
    try:
        run(parser.parse_args())
    except (*ERRORS, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
