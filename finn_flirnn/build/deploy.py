# SPDX-License-Identifier: BSD-3-Clause
"""The deployment package of a build: what is copied to the board, and nothing of the compiler.

The driver's modules, and the few of ours that they import, are copied into a package of the same inner
layout. Nothing in them is changed but the package's name in their imports, so that the package neither
needs finn_flirnn nor hides it: ``validate.py --device sim`` uses both.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

import finn_flirnn
from finn_flirnn.build.archive import files_below, write_archive, write_wheel
from finn_flirnn.build.files import hashes_below
from finn_flirnn.build.manifest import FILE_NAME as MANIFEST
from finn_flirnn.build.rtl_files import WEIGHTS
from finn_flirnn.codegen.loadable import RESTART as LOAD_RESTART
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.files import sha256_of, sha256_of_value, write_atomically
from finn_flirnn.driver.examples import EXAMPLE_INPUT, EXAMPLE_TRUTH, EXPECTED_OUTPUT
from finn_flirnn.driver.metadata import FILE_NAME, SCHEMA, AcceleratorMetadata, Condition, SerialLink
from finn_flirnn.driver.order import GROUPS
from finn_flirnn.driver.packing import Stream, smallest_integer
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.physics.lifetimes import Lifetimes
from finn_flirnn.physics.preprocess import DARK_GATES, normalise

PACKAGE = "finn_flirnn_driver"
SHARED_MODULES = (
    "numerics/fixed_point.py",
    "physics/lifetimes.py",
    "physics/metrics.py",
    "physics/preprocess.py",
)
"""What the driver imports of ours, directly and indirectly; all of it needs numpy only."""

OUR_IMPORT = re.compile(r"^(\s*(?:from|import) )finn_flirnn\b", re.MULTILINE)

ROOT = Path(finn_flirnn.__file__).resolve().parent
TEMPLATES = Path(__file__).resolve().parent / "templates"
RENDERED = {
    "README.md": "deploy_readme.md.j2",
    "LICENSE": "deploy_license.j2",
    "requirements.txt": "deploy_requirements.j2",
    "validate.py": "deploy_validate.j2",
    f"{PACKAGE}/__init__.py": "deploy_package.j2",
}
FREE = ("README.md", "LICENSE", "requirements.txt")
"""Files that may be edited on the board; the driver refuses to start if any other has changed."""

REQUIRES = ("numpy>=1.21",)
"""What the wheel asks pip for. pynq is part of a board's image, and other devices do without."""
LINK_REQUIRES = "pyserial>=3.5"
"""What it asks for beside that if the board is on a serial port."""


@dataclass(frozen=True)
class DeploymentSpec:
    """What a deployment package says of its build beside network and hardware.

    name, board, clock_mhz, lanes, order: of the configuration. output_lanes: pixels of a group that comes
    back, 0 for as many as are sent. model_sha256: hash of the QONNX model.
    pixels_per_s: predicted throughput. output_names: one for each output of the head.
    gate_step_ns: time from gate to gate. dark_gates: the preprocessing subtracts their mean.
    conditions: what the model was trained for, for people to read. link: of a board on a serial port.
    latency_s: predicted for one group alone, 0 if nothing predicted it.
    """

    name: str
    board: str
    clock_mhz: float
    lanes: int
    model_sha256: str
    pixels_per_s: float
    output_names: tuple[str, ...]
    gate_step_ns: float
    conditions: dict[str, Condition]
    dark_gates: int = DARK_GATES
    order: str = GROUPS
    output_lanes: int = 0
    link: SerialLink | None = None
    latency_s: float = 0.0


def build_identifier(module: RtlModule) -> str:
    """16 hexadecimal digits that name a piece of hardware, its function and weights included.

    They depend on the contents and names of its files and on its ports, not on place or time.
    """
    identity = {
        "top": module.top,
        "ports": [asdict(port) for port in (*module.inputs, *module.outputs)],
        "files": [(path.name, sha256_of(path)) for path in (*module.sources, *module.data)],
    }
    return sha256_of_value(identity)[:16]


def wheel_version(build_id: str) -> str:
    """Version of the driver's wheel: the project's, with the build it was made for behind the plus."""
    return f"{finn_flirnn.__version__}+{build_id}"


def assemble_deployment(
    output: Path,
    spec: DeploymentSpec,
    network: Seq2SeqNetwork,
    module: RtlModule,
    counts: npt.NDArray[np.integer] | npt.NDArray[np.floating],
    bitfile: Path | None = None,
    truth: Lifetimes | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``output/deploy/`` and ``output/deploy.zip``; the same arguments give the same bytes.

    counts: (pixels, gates) raw example decays; the oracle's output codes for them are what the board
    has to give. module: with run-time weights its folder holds their image. bitfile: for the board; FINN's
    has its .hwh beside it. truth: what the decays were made from. origin: for manifest.json, JSON values.
    Returns the deploy directory, which is made anew. Raises ValueError if ports, network and spec do
    not fit each other, FileNotFoundError for a bitfile without its .hwh.
    """
    deploy = output / "deploy"
    shutil.rmtree(deploy, ignore_errors=True)
    _copy_driver(deploy / PACKAGE)
    _write_examples(deploy, spec, network, counts)
    if truth is not None:
        columns = np.stack([truth.tau1_ns, truth.tau2_ns, truth.amplitude_fraction], axis=1)
        np.save(deploy / EXAMPLE_TRUTH, columns, allow_pickle=False)
    if origin is not None:
        write_atomically(deploy / MANIFEST, json.dumps(origin, indent=2, sort_keys=True) + "\n")
    if LOAD_RESTART in module.idle:
        shutil.copyfile(module.directory / WEIGHTS, deploy / WEIGHTS)
    bitfile_name = None if bitfile is None else _copy_bitfile(bitfile, deploy, handoff=spec.link is None)
    meta = _metadata(spec, network, module, bitfile_name)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    wheel = f"{PACKAGE}-{wheel_version(meta.build_id)}-py3-none-any.whl"
    for name, template in RENDERED.items():
        text = environment.get_template(template).render(
            meta=meta,
            package=PACKAGE,
            pixels=len(counts),
            wheel=wheel,
            truth=truth is not None,
            origin=origin,
        )
        (deploy / name).write_text(text, encoding="utf-8")
    licence = (deploy / "LICENSE").read_text(encoding="utf-8")
    summary = f"Driver of the FPGA accelerator {meta.name}, build {meta.build_id}"
    requires = REQUIRES if spec.link is None else (*REQUIRES, LINK_REQUIRES)
    write_wheel(deploy / PACKAGE, deploy, wheel_version(meta.build_id), summary, licence, requires)
    meta = replace(meta, files={name: sha for name, sha in hashes_below(deploy).items() if name not in FREE})
    (deploy / FILE_NAME).write_text(meta.to_json(), encoding="utf-8")
    write_archive(output / "deploy.zip", files_below(deploy, deploy.name))
    return deploy


def _copy_driver(package: Path) -> None:
    names = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "driver").glob("*.py"))]
    for name in (*names, *SHARED_MODULES):
        target = package / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = (ROOT / name).read_text(encoding="utf-8")
        target.write_text(OUR_IMPORT.sub(rf"\1{PACKAGE}", text), encoding="utf-8")
    for name in SHARED_MODULES:
        (package / name).with_name("__init__.py").write_text(
            '# SPDX-License-Identifier: BSD-3-Clause\n"""The part of finn_flirnn that the driver needs."""\n',
            encoding="utf-8",
        )


def _write_examples(
    deploy: Path,
    spec: DeploymentSpec,
    network: Seq2SeqNetwork,
    counts: npt.NDArray[np.integer] | npt.NDArray[np.floating],
) -> None:
    if counts.ndim != 2 or counts.shape[1] != network.steps or not len(counts):
        raise ValueError(f"counts have shape {counts.shape}, expected (pixels, {network.steps}), not empty")
    inputs = network.input_format.quantise(normalise(counts, spec.dark_gates))
    expected = network.answers(inputs[:, :, np.newaxis])
    np.save(deploy / EXAMPLE_INPUT, counts, allow_pickle=False)
    np.save(
        deploy / EXPECTED_OUTPUT, expected.astype(smallest_integer(network.output_format)), allow_pickle=False
    )


def _copy_bitfile(bitfile: Path, deploy: Path, handoff: bool) -> str:
    files = (bitfile, bitfile.with_suffix(".hwh")) if handoff else (bitfile,)
    for path in files:
        if not path.is_file():
            raise FileNotFoundError(f"{path} must exist; PYNQ needs a .bit and its .hwh, export both")
    folder = deploy / "bitfile"
    folder.mkdir()
    for path in files:
        shutil.copyfile(path, folder / path.name)
    return f"bitfile/{bitfile.name}"


def _metadata(
    spec: DeploymentSpec,
    network: Seq2SeqNetwork,
    module: RtlModule,
    bitfile: str | None,
) -> AcceleratorMetadata:
    return AcceleratorMetadata(
        schema=SCHEMA,
        name=spec.name,
        project_version=finn_flirnn.__version__,
        build_id=build_identifier(module),
        model_sha256=spec.model_sha256,
        board=spec.board,
        clock_mhz=spec.clock_mhz,
        pixels_per_s=spec.pixels_per_s,
        steps=network.steps,
        output_steps=network.output_steps,
        lanes=spec.lanes,
        inputs=network.inputs,
        outputs=network.head.outputs,
        output_names=spec.output_names,
        input_stream=_stream(module.inputs, network.input_format, "input"),
        output_stream=_stream(module.outputs, network.output_format, "output"),
        gate_step_ns=spec.gate_step_ns,
        dark_gates=spec.dark_gates,
        conditions=spec.conditions,
        bitfile=bitfile,
        files={},
        order=spec.order,
        output_lanes=spec.output_lanes,
        # FINN's shell, which a bitfile holds, marks no ends: there the driver fills up the last group
        partial_groups=bitfile is None and module.inputs[0].last,
        link=spec.link,
        latency_s=spec.latency_s,
        runtime_weights=LOAD_RESTART in module.idle,
    )


def _stream(ports: tuple[StreamPort, ...], fmt: object, name: str) -> Stream:
    if len(ports) != 1 or ports[0].format != fmt:
        raise ValueError(
            f"the module must have one {name} stream of {fmt}, has {ports}; stitch the whole network"
        )
    return Stream(ports[0].elements, ports[0].format)
