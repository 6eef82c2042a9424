# SPDX-License-Identifier: BSD-3-Clause
"""The folder rtl/ of a build: copies of all sources, a file list, and module.json that describes the top."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import read_json_file, write_atomically, write_json
from finn_flirnn.numerics import Format

FILE_NAME = "module.json"
FILE_LIST = "filelist.f"
WEIGHTS = "weights.bin"
"""The image of the built-in weights, where they can be loaded (docs/weights.md)."""


def collect_sources(module: RtlModule, folder: Path) -> RtlModule:
    """Copy a module's sources and data into one folder, with file list and description.

    Returns the module as it lies there. Raises BuildError if two sources have the same name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    moved = replace(
        module,
        directory=folder,
        sources=tuple(_copy(path, folder) for path in module.sources),
        data=tuple(_copy(path, folder) for path in module.data),
    )
    names = [path.name for path in (*moved.sources, *moved.data)]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise BuildError(f"source files must have different names, but {', '.join(twice)} occur twice")
    write_atomically(folder / FILE_LIST, "".join(f"{path.name}\n" for path in moved.sources))
    save_module(moved)
    return moved


def save_module(module: RtlModule) -> None:
    """Write module.json beside the sources, which are all in one folder."""
    description = {
        "top": module.top,
        "sources": [path.name for path in module.sources],
        "data": [path.name for path in module.data],
        "inputs": [asdict(port) for port in module.inputs],
        "outputs": [asdict(port) for port in module.outputs],
        **({"idle": module.idle} if module.idle else {}),
    }
    write_json(module.directory / FILE_NAME, description)


def load_module(folder: Path) -> RtlModule:
    """The module that lies in a folder. Raises BuildError if there is none."""
    folder = folder.resolve()  # a module's paths count from its folder, unless they are absolute
    path = folder / FILE_NAME
    try:
        head = read_json_file(path)
        return RtlModule(
            top=head["top"],
            directory=folder,
            sources=tuple(folder / name for name in head["sources"]),
            data=tuple(folder / name for name in head["data"]),
            inputs=tuple(_port(port) for port in head["inputs"]),
            outputs=tuple(_port(port) for port in head["outputs"]),
            idle=tuple(head.get("idle", ())),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BuildError(
            f"{path} must describe the hardware of a build, but: {error}; build it again"
        ) from error


def _copy(path: Path, folder: Path) -> Path:
    target = folder / path.name
    if path.resolve() != target.resolve():
        shutil.copyfile(path, target)
    return target


def _port(head: dict[str, object]) -> StreamPort:
    fields = dict(head)
    fmt = fields.pop("format")
    return StreamPort(format=Format(**fmt), **fields)  # type: ignore[arg-type]
