# SPDX-License-Identifier: BSD-3-Clause
"""Archives whose bytes depend on their contents only: zip files, and wheels of plain Python."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
FILE_MODE = 0o100644


def write_archive(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files (name in the archive -> content) in the order given.

    Stored, not compressed: compressed bytes depend on the zlib that made them.
    """
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system = 3  # Unix: the file mode below is meant
            entry.external_attr = FILE_MODE << 16
            archive.writestr(entry, content)


def files_below(directory: Path, prefix: str) -> dict[str, bytes]:
    """All files below a directory, named ``prefix``/<relative path> and sorted by that name."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    named = {f"{prefix}/{path.relative_to(directory).as_posix()}": path for path in paths}
    return {name: named[name].read_bytes() for name in sorted(named)}


def write_wheel(
    package: Path, folder: Path, version: str, summary: str, licence: str, requires: tuple[str, ...]
) -> Path:
    """Write a wheel of a package of plain Python, which pip installs without any build tool.

    package: the package's folder; its name is the distribution's too. licence: text of the licence.
    requires: requirements as pip reads them, e.g. "numpy>=1.21". Returns ``folder``/<name of the wheel>.
    Source: the binary distribution format of packaging.python.org.
    """
    stem = f"{package.name}-{version}"
    info = f"{stem}.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {package.name.replace('_', '-')}",
        f"Version: {version}",
        f"Summary: {summary}",
        "License: BSD-3-Clause",
        "License-File: LICENSE",
        "Requires-Python: >=3.10",
        *(f"Requires-Dist: {requirement}" for requirement in requires),
    ]
    wheel = ["Wheel-Version: 1.0", "Generator: finn-flirnn", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    files = {
        **files_below(package, package.name),
        f"{info}/LICENSE": licence.encode(),
        f"{info}/METADATA": _lines(metadata),
        f"{info}/WHEEL": _lines(wheel),
    }
    records = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = _lines([*records, f"{info}/RECORD,,"])
    target = folder / f"{stem}-py3-none-any.whl"
    write_archive(target, files)
    return target


def _lines(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
