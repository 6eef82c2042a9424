# SPDX-License-Identifier: BSD-3-Clause
"""Where a build's model comes from: a checkpoint of this project, or a QONNX file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.model_sizes import ModelSizes
from finn_flirnn.common.files import sha256_of, sha256_of_value
from finn_flirnn.numerics import Codes, Reals, Seq2SeqNetwork
from finn_flirnn.physics.presets import Preset

if TYPE_CHECKING:
    from finn_flirnn.models import Seq2SeqLite

CHUNK = 4096
ONNX = ".onnx"
SOURCE_FILE = "source.onnx"
"""Name, beside the exported model, of the file that the command gave."""
Signal = npt.NDArray[np.float32]


@dataclass(frozen=True)
class OnnxSource:
    """A QONNX file; there is no float model behind it."""

    path: Path

    @property
    def description(self) -> str:
        """For people."""
        return f"model {self.path.name}"

    @property
    def sha256(self) -> str:
        """Hash of the file."""
        return sha256_of(self.path)

    @cached_property
    def network(self) -> Seq2SeqNetwork:
        """The oracle of the file's graph. Raises ValueError if it is no Seq2Seq network."""
        from finn_flirnn.build.onnx_import import network_of_onnx

        return network_of_onnx(self.path)

    def write_onnx(self, path: Path) -> None:
        """Write the model in the form of our own export, and the file itself beside it."""
        from finn_flirnn.export import export_qonnx

        export_qonnx(self.network, path)
        path.with_name(SOURCE_FILE).write_bytes(self.path.read_bytes())

    def one_thread(self) -> AbstractContextManager[None]:
        """Hold the model to one thread: there is nothing to hold."""
        return nullcontext()

    def predictors(self) -> dict[str, Callable[[Signal], Reals]]:
        """Models above the integers: none."""
        return {}

    def conditions(self, preset: Preset) -> dict[str, str | int | float]:
        """What the model was trained for: not known."""
        return {"judged_with_preset": preset.name}


@dataclass(frozen=True)
class CheckpointSource:
    """A checkpoint, by shipped name or path."""

    name: str

    @property
    def description(self) -> str:
        """For people."""
        return f"checkpoint {self.name}"

    @property
    def sha256(self) -> str:
        """Hash of its weights and its manifest."""
        from finn_flirnn.models.checkpoints import checkpoint_path

        path = checkpoint_path(self.name)
        return sha256_of_value([sha256_of(path), sha256_of(path.with_suffix(".json"))])

    @cached_property
    def model(self) -> Seq2SeqLite:
        """The model in eval mode."""
        from finn_flirnn.models.checkpoints import load_checkpoint

        return load_checkpoint(self.name)

    @property
    def network(self) -> Seq2SeqNetwork:
        """The oracle."""
        return self.model.to_network()

    def write_onnx(self, path: Path) -> None:
        """Export the model."""
        from finn_flirnn.export import export_qonnx

        export_qonnx(self.model, path)

    def brevitas_output(self, codes: Codes) -> Reals:
        """The Brevitas model's output (pixels, T, O) for input codes (pixels, T, I), in units of a code.

        A value off the grid of codes stays off it, so that it equals none.
        """
        network = self.network
        values = self._predict(network.input_format.dequantise(codes).astype(np.float32))
        return values * 2.0**network.output_format.frac

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Hold the model to one thread, for use beside others; torch's threads would wait by spinning."""
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)

    def predictors(self) -> dict[str, Callable[[Signal], Reals]]:
        """Normalised decays (pixels, T) -> (pixels, T, O), by the float and by the quantised model."""
        return {
            "float": lambda signal: self._predict(signal[:, :, np.newaxis], quantised=False),
            "quantised": lambda signal: self._predict(signal[:, :, np.newaxis]),
        }

    def conditions(self, preset: Preset) -> dict[str, str | int | float]:
        """What the model was trained for, as its manifest says."""
        from finn_flirnn.models.checkpoints import load_manifest

        training: dict[str, Any] = load_manifest(self.name).get("training", {})
        kept: dict[str, str | int | float] = {
            key: training[key] for key in ("preset", "seed", "train_decays") if key in training
        }
        return {"checkpoint": self.name, "judged_with_preset": preset.name, **kept}

    def _predict(self, x: Signal, quantised: bool = True) -> Reals:
        import torch

        before = self.model.quantised
        self.model.quantised = quantised
        try:
            with torch.no_grad():
                parts = [
                    self.model(torch.from_numpy(x[i : i + CHUNK])).double() for i in range(0, len(x), CHUNK)
                ]
        finally:
            self.model.quantised = before
        return np.asarray(torch.cat(parts).numpy())


ModelInput = OnnxSource | CheckpointSource


def model_source(config: BuildConfig, model_file: Path | None) -> ModelInput:
    """The model of a build: the file that the command names, else the configuration's checkpoint."""
    return CheckpointSource(config.model.checkpoint) if model_file is None else OnnxSource(model_file)


def network_of(model: str) -> Seq2SeqNetwork:
    """The oracle of a checkpoint (by name or path) or of a .onnx file. Raises as ``sizes_of``."""
    is_onnx = Path(model).suffix == ONNX
    return OnnxSource(Path(model)).network if is_onnx else CheckpointSource(model).network


def sizes_of(model: str) -> ModelSizes:
    """Sizes of a checkpoint (by name or path) or of a .onnx file.

    Raises ValueError or OSError if there is no such model or it cannot be read.
    """
    if Path(model).suffix == ONNX:
        if not Path(model).is_file():
            raise ValueError(f"there is no file {model}; give the path of a QONNX model")
        network = OnnxSource(Path(model)).network
        return ModelSizes(
            network.encoder.hidden,
            network.inputs,
            network.head.outputs,
            network.steps,
            bool(network.decoders),
        )
    from finn_flirnn.models.checkpoints import load_manifest

    arguments = load_manifest(model)["model"]
    if not isinstance(arguments.get("hidden", 32), int):
        raise ValueError(f"{model} is a stack of layers; hardware is built for one layer a side")
    return ModelSizes(
        hidden=arguments.get("hidden", 32),
        inputs=arguments.get("inputs", 1),
        outputs=arguments.get("outputs", 3),
        steps=arguments.get("steps", 135),
        decoder=arguments.get("decoder", True),
    )
