# SPDX-License-Identifier: BSD-3-Clause
"""rtl/: all sources of a build's hardware in one folder, with what a tool needs to read them.

``filelist.f`` for people and for tools that read such lists; ``design.json`` for ourselves: top module,
order of compilation, ports, build identifier. Both name files relative to the folder.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.build.errors import BuildError
from finn_flirnn.build.files import read_json_file, write_json, write_text
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.numerics import Format

FOLDER = "rtl"
DESIGN_FILE = "design.json"
FILE_LIST = "filelist.f"


@dataclass(frozen=True)
class Design:
    """The hardware of a build, and the identifier that its deployment package has too."""

    module: RtlModule
    build_id: str


def save_design(folder: Path, design: Design) -> Design:
    """Copy a module's files into ``folder`` and describe them there; returns the design at its new place.

    Raises BuildError if two of its files have the same name.
    """
    module = design.module
    files = (*module.sources, *module.data)
    names = [path.name for path in files]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BuildError(
            f"the files of {module.top} must differ in name, but {twice} come twice; rename them"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path in files:
        shutil.copyfile(path, folder / path.name)
    write_text(folder / FILE_LIST, "".join(f"{path.name}\n" for path in module.sources))
    write_json(
        folder / DESIGN_FILE,
        {
            "top": module.top,
            "build_id": design.build_id,
            "sources": [path.name for path in module.sources],
            "data": [path.name for path in module.data],
            "inputs": [asdict(port) for port in module.inputs],
            "outputs": [asdict(port) for port in module.outputs],
        },
    )
    return load_design(folder)


def load_design(folder: Path) -> Design:
    """The design in a folder. Raises BuildError if there is none, or a file of it is missing."""
    path = folder / DESIGN_FILE
    try:
        data = read_json_file(path)
        module = RtlModule(
            top=data["top"],
            directory=folder,
            sources=tuple(folder / name for name in data["sources"]),
            data=tuple(folder / name for name in data["data"]),
            inputs=tuple(_port(**port) for port in data["inputs"]),
            outputs=tuple(_port(**port) for port in data["outputs"]),
        )
        build_id = str(data["build_id"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} must describe the hardware of a build, but: {error}; build it again"
        ) from error
    missing = [file.name for file in (*module.sources, *module.data) if not file.is_file()]
    if missing:
        raise BuildError(f"{folder} must hold all files of {path.name}, has no {missing}; build it again")
    return Design(module, build_id)


def _port(name: str, elements: int, format: dict[str, Any]) -> StreamPort:
    return StreamPort(name, elements, Format(**format))
