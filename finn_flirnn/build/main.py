# SPDX-License-Identifier: BSD-3-Clause
"""The command ``finn-flirnn``: build, validate, bench, image, weights, train, study, doctor.

Exit status: 0 all well, 1 something failed, 2 wrong usage or configuration, 130 interrupted. An error
is one message; its traceback goes to the log of the build.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

import finn_flirnn
from finn_flirnn.build.errors import EXIT_INTERRUPTED
from finn_flirnn.build.files import explain
from finn_flirnn.common.errors import EXIT_FAILED, BuildError

log = logging.getLogger(__name__)
Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = parser(words[0] if words else "").parse_args(words)
    logging.captureWarnings(True)
    logging.getLogger().addHandler(logging.NullHandler())
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        command: Command = given.command
        command(given)
    except BuildError as error:
        return _fail(str(error), error.exit_status)
    except KeyboardInterrupt:
        again = "with --resume" if hasattr(given, "resume") else "with the same command"
        return _fail(f"interrupted; go on {again}", EXIT_INTERRUPTED)
    except (ValueError, RuntimeError) as error:
        log.exception("refused")
        return _fail(str(error), EXIT_FAILED)
    except OSError as error:
        log.exception("the system refused")
        return _fail(explain(error, getattr(given, "output", None) or Path()), EXIT_FAILED)
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def parser(command: str = "") -> argparse.ArgumentParser:
    """The command line. command: the one given; the options of train and study take seconds to import."""
    top = argparse.ArgumentParser(prog="finn-flirnn", description=finn_flirnn.__doc__)
    top.add_argument("--version", action="version", version=finn_flirnn.__version__)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    build = commands.add_parser("build", help="a configuration becomes a verified accelerator")
    build.add_argument("--config", metavar="FILE|NAME", help="a JSON file, or a name in build_configs/")
    build.add_argument("--output", type=Path, metavar="DIR", help="default: output/<name>")
    build.add_argument("--model", type=Path, metavar="FILE.onnx", help="build this QONNX model instead")
    build.add_argument("--until", metavar="STEP", help="stop after this step")
    build.add_argument("--resume", action="store_true", help="keep the steps whose inputs are unchanged")
    build.add_argument("--list", action="store_true", help="list configurations and steps, build nothing")
    build.set_defaults(command=_build)

    validate = commands.add_parser("validate", help="a deployed accelerator against model, truth and image")
    validate.set_defaults(command=_validate)
    if command == "validate":
        from finn_flirnn.driver.validate import add_arguments as add_device_arguments

        validate.add_argument("--deploy", type=Path, required=True, metavar="DIR", help="deploy/ of a build")
        add_device_arguments(validate)
        validate.add_argument(
            "--image",
            default="hazelnut",
            metavar="FILE",
            help="FILE.ptu, FILE.sdt, an image.npz made here, a sample's name (default hazelnut), or none",
        )
        validate.add_argument(
            "--binning", type=int, default=8, metavar="N", help="join N x N of its pixels (default 8)"
        )

    bench = commands.add_parser("bench", help="one table of speed and area, by simulation and synthesis")
    bench.add_argument("configs", nargs="*", metavar="CONFIG", help="default: those of the README")
    bench.add_argument("--output", type=Path, default=Path("output/bench"), metavar="DIR")
    bench.add_argument("--pixels", type=int, default=128, metavar="N", help="to simulate (default 128)")
    bench.set_defaults(command=_bench)

    image = commands.add_parser("image", help="lifetimes of a PTU or SDT image by a built accelerator")
    image.add_argument("file", metavar="FILE", help="FILE.ptu, FILE.sdt, or the name of a sample (hazelnut)")
    image.add_argument("--build", type=Path, required=True, metavar="DIR", help="output folder of a build")
    image.add_argument("--binning", type=int, default=4, metavar="N", help="join N x N pixels (default 4)")
    image.add_argument("--rtl", type=int, default=0, metavar="N", help="simulate N pixels in hardware")
    image.add_argument("--output", type=Path, metavar="DIR", help="default: <build>/image/<file>")
    image.set_defaults(command=_image)

    weights = commands.add_parser("weights", help="a weight image for hardware that can load one")
    weights.add_argument("--build", type=Path, required=True, metavar="DIR", help="output folder of a build")
    weights.add_argument("--model", required=True, metavar="FILE|NAME", help="a checkpoint, or FILE.onnx")
    weights.add_argument("--output", type=Path, default=Path("weights.bin"), metavar="FILE")
    weights.set_defaults(command=_weights)

    train = commands.add_parser("train", help="train a Seq2SeqLite model on simulated decays")
    train.set_defaults(command=_train)
    if command == "train":
        from finn_flirnn.models.train import add_arguments

        add_arguments(train)

    study = commands.add_parser("study", help="compare quantised models: a grid becomes tables and plots")
    study.set_defaults(command=_study)
    if command == "study":
        from finn_flirnn.study.command import add_arguments

        add_arguments(study)

    doctor = commands.add_parser("doctor", help="what is installed, what is missing, what to do")
    doctor.set_defaults(command=_doctor)
    return top


def _build(given: argparse.Namespace) -> None:
    from finn_flirnn.build.command import build, list_all

    if given.list:
        list_all()
    else:
        build(given.config, given.output, given.model, given.until, given.resume)


def _validate(given: argparse.Namespace) -> None:
    from finn_flirnn.build.validate import run_validation
    from finn_flirnn.driver.procedure import Request

    request = Request(given.deploy, given.device, given.build, given.pixels, given.timeout)
    run_validation(request, given.image, given.binning, given.output)


def _bench(given: argparse.Namespace) -> None:
    from finn_flirnn.build.bench import bench

    bench(given.configs, given.output, given.pixels)


def _weights(given: argparse.Namespace) -> None:
    from finn_flirnn.build.weights import write_image

    write_image(given.build, given.model, given.output)


def _image(given: argparse.Namespace) -> None:
    from finn_flirnn.build.image import run_image

    run_image(given.file, given.build, given.binning, given.rtl, given.output)


def _train(given: argparse.Namespace) -> None:
    from finn_flirnn.models.train import ERRORS, run

    try:
        run(given)
    except ERRORS as error:
        raise BuildError(str(error)) from error


def _study(given: argparse.Namespace) -> None:
    from finn_flirnn.study.command import run

    run(given)


def _doctor(given: argparse.Namespace) -> None:
    from finn_flirnn.build.doctor import doctor

    doctor()


def _fail(message: str, status: int) -> int:
    print(f"error: {message}", file=sys.stderr)
    return status


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
