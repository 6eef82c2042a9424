# SPDX-License-Identifier: BSD-3-Clause
"""The configuration of a build: strict JSON in, frozen values out, every problem told at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from mashumaro.mixins.dict import DataClassDictMixin

from finn_flirnn.build.boards import BOARDS, Board
from finn_flirnn.build.folding_request import FoldingChooser, FoldingRequest, request_problems, take_request
from finn_flirnn.build.model_sizes import ModelSizes, decoder_problems, folding_problems, unroll_problems
from finn_flirnn.build.stream_lanes import lanes_problems, take_lanes
from finn_flirnn.codegen.link import LinkSettings
from finn_flirnn.codegen.types import DenseFolding, GruFolding, RamStyle
from finn_flirnn.codegen.ulx3s import pll_for
from finn_flirnn.common.errors import BuildError, ConfigError, Problem, UsageError
from finn_flirnn.common.files import sha256_of_value
from finn_flirnn.common.schema import UNKNOWN, one_of, problems_of, read_json, setting, whole
from finn_flirnn.driver.order import GATES, GROUPS, ORDERS, StreamOrder
from finn_flirnn.physics.presets import PRESETS

CONFIG_FOLDER = Path(__file__).resolve().parents[2] / "build_configs"
SEEDS = (0, 2**32 - 1)
FAMILIES = ("xc7", "xcup", "ecp5")
SIMULATED_FRAME = 64
"""Pixels of a frame in simulation; a camera's frame of 256 x 256 takes over 100 million cycles."""


class Flow(StrEnum):
    """Which tools a build may use."""

    AUTO = "auto"
    """Everything that is there; what needs a missing Vivado is skipped."""
    OPEN = "open"
    """Open tools only."""
    VIVADO = "vivado"
    """Vivado must be there."""


@dataclass(frozen=True)
class ModelSource(DataClassDictMixin):
    """Where the model comes from: the name of a shipped checkpoint, or a path to one."""

    checkpoint: str = setting("the name of a shipped checkpoint, or a path", bool)


@dataclass(frozen=True)
class EncoderFolding(DataClassDictMixin):
    """Folding of the encoder: units, state columns and input columns in parallel.

    cell_dsp: whether the products of its cell take DSPs; if not, look-up tables.
    """

    pe: int = whole(1, 4096)
    simd: int = whole(1, 4096)
    input_simd: int = whole(1, 4096, 1)
    cell_dsp: bool = setting("true | false", lambda v: True, True)


@dataclass(frozen=True)
class DecoderFolding(DataClassDictMixin):
    """Folding of the decoder: as the encoder's, without input columns."""

    pe: int = whole(1, 4096)
    simd: int = whole(1, 4096)
    cell_dsp: bool = setting("true | false", lambda v: True, True)


@dataclass(frozen=True)
class HeadFolding(DataClassDictMixin):
    """Folding of the head: outputs and columns in parallel."""

    pe: int = whole(1, 4096)
    simd: int = whole(1, 4096)


@dataclass(frozen=True)
class Folding(DataClassDictMixin):
    """Folding of the layers; a model of lifetimes has no decoder."""

    encoder: EncoderFolding
    decoder: DecoderFolding | None = field(default=None, kw_only=True)
    head: HeadFolding


@dataclass(frozen=True)
class Unroll(DataClassDictMixin):
    """Engines in a chain for each recurrent layer, every one for an equal part of the steps."""

    encoder: int = whole(1, 65536, 1)
    decoder: int = whole(1, 65536, 1)


@dataclass(frozen=True)
class Verification(DataClassDictMixin):
    """How much is compared, bit for bit."""

    software_sequences: int = whole(1, 100_000_000, 100_000)
    rtl_pixels: int = whole(1, 10_000_000, 1_000)
    seed: int = whole(*SEEDS, 1)


@dataclass(frozen=True)
class Accuracy(DataClassDictMixin):
    """The fresh decays on which the models are judged."""

    preset: str = one_of(tuple(PRESETS), "paper135")
    pixels: int = whole(10, 100_000_000, 20_000)
    seed: int = whole(*SEEDS, 2)


@dataclass(frozen=True)
class Synthesis(DataClassDictMixin):
    """The open synthesis whose area is reported; "board" stands for the family of the board.

    seed: of the placement, where open tools place.
    """

    family: str = one_of(("board", *FAMILIES), "board")
    seed: int = whole(1, 2**31 - 1, 1)


@dataclass(frozen=True)
class HostLink(DataClassDictMixin):
    """The serial port of an open board; other boards have none."""

    baud: int = whole(9_600, 12_000_000, 3_000_000)


SizesOf = Callable[[str], ModelSizes]


@dataclass(frozen=True)
class BuildConfig(DataClassDictMixin):
    """One build. ``model`` may be left out if the command names a model file.

    lanes: pixels that travel as a group (as a frame, in the order of gates). decoder_lanes: pixels of a
    group behind the encoder, 0 for as many; in a file, "lanes": {"encoder": n, "decoder": m}.
    runtime_weights: whether weights can be loaded (docs/weights.md).
    """

    folding: Folding
    name: str = setting(
        "letters, digits, dot, dash and underscore",
        lambda v: bool(re.fullmatch(r"[\w][\w.-]{0,63}", v, re.A)),
    )
    board: str = one_of(tuple(BOARDS))
    clock_mhz: float = setting("a number from 1 to 1000 (MHz)", lambda v: 1 <= v <= 1000)
    lanes: int = whole(1, 1 << 20)
    decoder_lanes: int = whole(0, 1 << 20, 0)
    order: str = one_of(ORDERS, GROUPS)
    unroll: Unroll = field(default=Unroll())
    copies: int = whole(1, 4096, 1)
    runtime_weights: bool = setting("true | false", lambda v: True, False)
    model: ModelSource = field(default=ModelSource(""))
    flow: Flow = one_of(tuple(Flow), Flow.AUTO)
    verification: Verification = field(default=Verification())
    accuracy: Accuracy = field(default=Accuracy())
    synthesis: Synthesis = field(default=Synthesis())
    link: HostLink = field(default=HostLink())

    @property
    def target(self) -> Board:
        """The board."""
        return BOARDS[self.board]

    @property
    def family(self) -> str:
        """The family for which Yosys synthesises."""
        return self.target.family if self.synthesis.family == "board" else self.synthesis.family

    @property
    def link_settings(self) -> LinkSettings:
        """The host link of an open board. Raises ValueError if the clock is too slow for it."""
        return LinkSettings(clock_hz=round(self.clock_mhz * 1e6), baud=self.link.baud)

    @property
    def clock_ns(self) -> float:
        """Clock period in ns."""
        return 1000.0 / self.clock_mhz

    @property
    def group_pixels(self) -> int:
        """Pixels that enter the accelerator interleaved: the lanes of all copies of the pipeline."""
        return self.lanes * self.copies

    @property
    def groups_in_flight(self) -> int:
        """Groups, at least, that are under way before the accelerator gives its steady rate."""
        return self.unroll.encoder + self.unroll.decoder

    def gru_folding(self, layer: str) -> GruFolding:
        """Folding of "encoder" or "decoder"."""
        style = RamStyle.AUTO if self.target.uram else RamStyle.BLOCK
        if layer == "encoder":
            e = self.folding.encoder
            park = self.order == GATES
            sizes = (e.pe, e.simd, e.input_simd, self.lanes)
            return GruFolding(*sizes, style, park, e.cell_dsp, self.runtime_weights)
        d, lanes = self.folding.decoder, self.decoder_lanes or self.lanes
        assert d is not None, "the model has no decoder"
        return GruFolding(d.pe, d.simd, 1, lanes, style, False, d.cell_dsp, self.runtime_weights)

    @property
    def simulated_lanes(self) -> int:
        """``lanes`` in simulation: of a camera's frame a part, at least SIMULATED_FRAME pixels."""
        if self.order != GATES or self.lanes <= SIMULATED_FRAME:
            return self.group_pixels
        lanes = self.decoder_lanes or self.lanes
        return -(-SIMULATED_FRAME // lanes) * lanes

    def stream_order(self, partial: bool = False) -> StreamOrder:
        """The order of pixels on the streams of the simulated design. partial: as in StreamOrder."""
        lanes = self.simulated_lanes
        return StreamOrder(self.order, lanes, self.decoder_lanes or lanes, partial)

    @property
    def head_folding(self) -> DenseFolding:
        """Folding of the head."""
        return DenseFolding(self.folding.head.pe, self.folding.head.simd, self.runtime_weights)

    @property
    def sha256(self) -> str:
        """Hash of the configuration with its defaults filled in."""
        return sha256_of_value(self.to_dict())


def config_names() -> list[str]:
    """Names of the configurations in build_configs/."""
    return sorted(path.stem for path in CONFIG_FOLDER.glob("*.json"))


def find_config(name: str) -> Path:
    """A file of this path, or of this name in build_configs/, with or without .json."""
    for path in (Path(name), CONFIG_FOLDER / name, CONFIG_FOLDER / f"{name}.json"):
        if path.is_file():
            return path
    raise UsageError(
        f"--config {name}: no such file, and no configuration of that name; "
        f"choose from {', '.join(config_names())} or give the path of a JSON file"
    )


def load_config(
    path: Path,
    sizes: SizesOf | None = None,
    model: str | None = None,
    choose: FoldingChooser | None = None,
) -> BuildConfig:
    """Read and check a configuration.

    sizes: tells the sizes of a model from its checkpoint's name or path, or from ``model``; raises
    ValueError, OSError or BuildError if there is none. Without it the folding is not held to the model.
    model: a model file that takes the place of the configuration's own.
    choose: finds the folding where the configuration only says how fast or how large; raises as ``sizes``.
    Raises ConfigError with all problems together.
    """
    tree = read_json(path)
    request = take_request(tree)
    problems = take_lanes(tree) + problems_of(BuildConfig, tree)
    if request:
        problems = [p for p in problems if p.path not in ("folding", "lanes") or p.found != "missing"]
        problems += request_problems(request, tree)
    bad = {p.path for p in problems if not p.found.startswith(UNKNOWN)}
    if not bad & {"lanes", "decoder_lanes", "order"}:
        problems += lanes_problems(tree)
    problems += _routing_problems(tree)
    if model is None and "model" not in tree:
        problems.append(Problem("model", "missing", '{"checkpoint": name or path}, or --model FILE.onnx'))
    elif sizes is not None and (model is not None or not bad & {"model", "model.checkpoint"}):
        where = "model.checkpoint" if model is None else "--model"
        problems += _model_problems(tree, bad, where, model or tree["model"]["checkpoint"], sizes)
    if request and not problems:
        problems = _fill_in_folding(tree, request, model or tree["model"]["checkpoint"], choose)
    if problems:
        raise ConfigError(str(path), problems)
    config = BuildConfig.from_dict(tree)
    if config.target.is_open and (problems := _open_board_problems(config)):
        raise ConfigError(str(path), problems)
    return config


def _open_board_problems(config: BuildConfig) -> list[Problem]:
    """What keeps an open board from running at this clock, with this link, in this flow."""
    problems = []
    checks = (("clock_mhz", lambda: pll_for(config.clock_mhz)), ("link", lambda: config.link_settings))
    for key, check in checks:
        try:
            check()
        except ValueError as error:
            problems.append(Problem(key, str(error), "what the board's PLL and UART can do"))
    if config.flow is Flow.VIVADO:
        problems.append(Problem("flow", f'found "vivado" for {config.board}', '"open" or "auto"'))
    if config.order != GROUPS:
        problems.append(Problem("order", f'found "{config.order}" for {config.board}', f'"{GROUPS}"'))
    if config.family != config.target.family:
        found = f'found "{config.family}" for {config.board}, which is placed and routed'
        problems.append(Problem("synthesis.family", found, f'"board" or "{config.target.family}"'))
    return problems


def _fill_in_folding(
    tree: dict[str, Any], request: dict[str, Any], model: str, choose: FoldingChooser | None
) -> list[Problem]:
    key = next(iter(request))
    if choose is None:
        return [Problem(key, "found, but the model is not at hand", '"folding" and "lanes"')]
    asked = FoldingRequest.from_dict(request)
    try:
        tree.update(choose(model, BOARDS[tree["board"]], tree["clock_mhz"], asked))
    except (ValueError, OSError, BuildError) as error:
        return [Problem(key, str(error), "what the board and the clock can give")]
    return []


def _routing_problems(tree: dict[str, Any]) -> list[Problem]:
    """Unrolling and copies need one number of lanes throughout and groups of pixels at the border."""
    if tree.get("order", GROUPS) == GROUPS and not tree.get("decoder_lanes"):
        return []
    found = 'found beside another "order" than "groups", or other lanes of the decoder'
    asked = {"copies": tree.get("copies", 1) != 1, "unroll": bool(tree.get("unroll"))}
    return [
        Problem(key, found, '"order": "groups" and one number of lanes')
        for key, is_asked in asked.items()
        if is_asked
    ]


def _model_problems(
    tree: dict[str, Any], bad: set[str], path: str, model: str, sizes: SizesOf
) -> list[Problem]:
    try:
        found = sizes(model)
    except (ValueError, OSError, BuildError) as error:
        return [Problem(path, str(error), "a shipped checkpoint's name or a path; or --model FILE.onnx")]
    folding = tree.get("folding")
    problems = folding_problems(folding, found) if isinstance(folding, dict) else []
    problems += decoder_problems(tree, found)
    problems += unroll_problems(tree.get("unroll"), found.steps)
    name = tree.get("accuracy", {}).get("preset", "paper135") if "accuracy" not in bad else None
    if name in PRESETS and PRESETS[name].gates != found.steps:
        gates = f"found {name} with {PRESETS[name].gates} gates, but the model takes {found.steps}"
        right = [preset.name for preset in PRESETS.values() if preset.gates == found.steps]
        problems.append(Problem("accuracy.preset", gates, " | ".join(right) or "another model"))
    return problems
