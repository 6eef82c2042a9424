# SPDX-License-Identifier: BSD-3-Clause
"""accelerator.json: all that the driver has to know of the accelerator it drives."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from finn_flirnn.driver.errors import DeploymentError
from finn_flirnn.driver.order import GROUPS, StreamOrder
from finn_flirnn.driver.packing import Stream
from finn_flirnn.numerics.fixed_point import Format

FILE_NAME = "accelerator.json"
SCHEMA = 1

Condition = str | int | float


@dataclass(frozen=True)
class SerialLink:
    """A board's UART (docs/link.md). idle_s: silence after which the board forgets half a frame."""

    baud: int
    idle_s: float


@dataclass(frozen=True)
class AcceleratorMetadata:
    """One build's interface and identity.

    schema: version of this file's layout.
    name: the configuration's name; project_version: finn_flirnn that built it.
    build_id: 16 hexadecimal digits that name the hardware, function included.
    model_sha256: the QONNX model that it was built from.
    board, clock_mhz: what it was built for. pixels_per_s: predicted at that clock.
    steps: T of the input sequence, and of the output's unless output_steps says otherwise.
    lanes: C pixels of a group.
    inputs, outputs: features of a step; output_names: one for each output.
    input_stream, output_stream: how codes travel, and the formats that give them their scale.
    gate_step_ns: time from gate to gate. dark_gates: the preprocessing subtracts their mean.
    conditions: what the model was trained for (preset, lifetimes, IRF), for people to read.
    bitfile: its name in the package, None for a build without one.
    link: the serial port of a board that is driven over one, else None.
    files: SHA-256 of the other files of the package, by their relative names.
    order: in which pixels travel (driver/order.py); output_lanes: pixels of a group that comes back, 0 for
    as many as are sent. partial_groups: a transfer may end within a group; the device marks its end.
    output_steps: of the output sequence, where they are not T: 1 for a model that gives lifetimes; 0: T.
    latency_s: predicted for one group alone, from its first byte in to its last byte out; 0: not known.
    runtime_weights: the hardware can be given other weights; the package then holds those it starts with.
    """

    schema: int
    name: str
    project_version: str
    build_id: str
    model_sha256: str
    board: str
    clock_mhz: float
    pixels_per_s: float
    steps: int
    lanes: int
    inputs: int
    outputs: int
    output_names: tuple[str, ...]
    input_stream: Stream
    output_stream: Stream
    gate_step_ns: float
    dark_gates: int
    conditions: Mapping[str, Condition]
    bitfile: str | None
    files: Mapping[str, str]
    order: str = GROUPS
    output_lanes: int = 0
    partial_groups: bool = False
    link: SerialLink | None = None
    latency_s: float = 0.0
    runtime_weights: bool = False
    output_steps: int = 0

    def __post_init__(self) -> None:
        problems = [
            f"{name}={getattr(self, name)} must be at least 1"
            for name in ("steps", "lanes", "inputs", "outputs", "dark_gates")
            if getattr(self, name) < 1
        ]
        if self.schema != SCHEMA:
            problems.append(f"schema={self.schema} is not {SCHEMA}; use the driver of the same package")
        if len(self.output_names) != self.outputs:
            problems.append(f"output_names={self.output_names} must name {self.outputs} outputs")
        for features, stream in ((self.inputs, self.input_stream), (self.outputs, self.output_stream)):
            if features % stream.elements:
                problems.append(f"{stream.elements} elements a transfer must divide {features} features")
        try:
            self.stream_order  # noqa: B018
        except ValueError as error:
            problems.append(str(error))
        if problems:
            raise DeploymentError("; ".join(problems))

    @property
    def stream_order(self) -> StreamOrder:
        """The order in which pixels travel."""
        return StreamOrder(self.order, self.lanes, self.output_lanes or self.lanes, self.partial_groups)

    @property
    def answer_shape(self) -> tuple[int, int]:
        """Shape of a pixel's answer: (steps, outputs)."""
        return self.output_steps or self.steps, self.outputs

    @property
    def group_input_bytes(self) -> int:
        """Bytes sent for a group of ``lanes`` pixels."""
        return self.input_stream.bytes_of(self.steps * self.lanes * self.inputs)

    @property
    def group_output_bytes(self) -> int:
        """Bytes received for a group of ``lanes`` pixels."""
        return self.output_stream.bytes_of(self.lanes * math.prod(self.answer_shape))

    def to_json(self) -> str:
        """The text of accelerator.json, the same for equal metadata."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> AcceleratorMetadata:
        """Read accelerator.json. Raises DeploymentError naming what is missing, unknown or wrong."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise DeploymentError(
                f"{FILE_NAME} must be JSON, but: {error}; copy the package again"
            ) from error
        _check_keys(FILE_NAME, data, [field.name for field in fields(cls)])
        data["input_stream"] = _stream("input_stream", data["input_stream"])
        data["output_stream"] = _stream("output_stream", data["output_stream"])
        data["link"] = _link(data["link"])
        _check_kinds(data)
        data["output_names"] = tuple(data["output_names"])
        return cls(**data)

    @classmethod
    def read(cls, directory: Path) -> AcceleratorMetadata:
        """Read accelerator.json of a deployment package."""
        path = directory / FILE_NAME
        if not path.is_file():
            raise DeploymentError(
                f"{path} must exist; give the deploy directory of a build, or copy the package again"
            )
        return cls.from_json(path.read_text(encoding="utf-8"))

    def check_files(self, directory: Path) -> None:
        """Raise DeploymentError naming each file of the package that is missing or altered."""
        problems = []
        for name, digest in sorted(self.files.items()):
            path = directory / name
            if not path.is_file():
                problems.append(f"{name} is missing")
            elif sha256_of(path) != digest:
                problems.append(f"{name} is not the file of this build (SHA-256 differs)")
        if problems:
            raise DeploymentError(
                f"the package in {directory} must be complete: {'; '.join(problems)}; copy it again"
            )


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("schema", "steps", "lanes", "inputs", "outputs", "dark_gates"), (int,)),
    **dict.fromkeys(("name", "project_version", "build_id", "model_sha256", "board", "order"), (str,)),
    "output_lanes": (int,),
    "output_steps": (int,),
    "partial_groups": (bool,),
    **dict.fromkeys(("clock_mhz", "pixels_per_s", "gate_step_ns", "latency_s"), (int, float)),
    "bitfile": (str, type(None)),
    "output_names": (list,),
    "conditions": (dict,),
    "files": (dict,),
}


def _check_kinds(data: Mapping[str, Any]) -> None:
    wrong = [
        f"{key}={data[key]!r} must be {' or '.join(kind.__name__ for kind in kinds)}"
        for key, kinds in _KINDS.items()
        if not isinstance(data[key], kinds) or (isinstance(data[key], bool) and bool not in kinds)
    ]
    if wrong:
        raise DeploymentError(f"{FILE_NAME}: {'; '.join(wrong)}; copy the package again")


def _check_keys(where: str, data: Any, keys: list[str]) -> None:
    if not isinstance(data, dict):
        raise DeploymentError(f"{where} must be an object, got {type(data).__name__}; copy the package again")
    if set(data) != set(keys):
        missing, unknown = sorted(set(keys) - set(data)), sorted(set(data) - set(keys))
        raise DeploymentError(
            f"{where} must have exactly its keys; missing {missing}, unknown {unknown}; "
            "use the driver of the same package"
        )


def _link(data: Any) -> SerialLink | None:
    if data is None:
        return None
    _check_keys("link", data, [field.name for field in fields(SerialLink)])
    return SerialLink(**data)


def _stream(where: str, data: Any) -> Stream:
    _check_keys(where, data, ["elements", "format"])
    _check_keys(f"{where}.format", data["format"], [field.name for field in fields(Format)])
    try:
        return Stream(data["elements"], Format(**data["format"]))
    except (TypeError, ValueError) as error:
        raise DeploymentError(f"{FILE_NAME}: {where}: {error}") from error
