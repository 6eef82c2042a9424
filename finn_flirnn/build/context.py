# SPDX-License-Identifier: BSD-3-Clause
"""What the steps of a build share: configuration, places, and results read back from files.

A step hands on nothing in memory. What it made is read from its published files, so a resumed build
sees the same as an uninterrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.manifest import Manifest
from finn_flirnn.build.network_file import FILE_NAME as NETWORK_FILE
from finn_flirnn.build.network_file import load_network
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.sources import ModelInput
from finn_flirnn.common.files import read_json_file, write_json
from finn_flirnn.numerics import Seq2SeqNetwork

MODEL_FILE = "model/model.onnx"


@dataclass
class BuildContext:
    """One build in its output folder.

    source: where the model comes from, a checkpoint or an ONNX file.
    staging: where the running step writes; its files appear below ``output`` when it has ended.
    """

    config: BuildConfig
    output: Path
    manifest: Manifest
    progress: Progress
    source: ModelInput
    staging: Path = field(default=Path())

    def make(self, name: str) -> Path:
        """Path of a new file or folder of the running step, its parent folder made."""
        path = self.staging / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def report(self, name: str, value: Any) -> None:
        """Write report/<name>.json."""
        write_json(self.make(f"report/{name}.json"), value)

    def read_report(self, name: str) -> Any:
        """Read report/<name>.json of an earlier step."""
        return read_json_file(self.output / "report" / f"{name}.json")

    @property
    def qonnx(self) -> Path:
        """The build's QONNX model."""
        return self.output / MODEL_FILE

    @cached_property
    def network(self) -> Seq2SeqNetwork:
        """The integer oracle of the build's model."""
        return load_network(self.output / "model" / NETWORK_FILE)[0]

    def tell(self, text: str) -> None:
        """Show how far the running step is."""
        self.progress.tell(text)
