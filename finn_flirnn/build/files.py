# SPDX-License-Identifier: BSD-3-Clause
"""Files that are either whole or absent: atomic writing, hashing, moving a finished tree into place."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

CODE_SUFFIXES = (".py", ".sv", ".j2", ".cpp", ".tcl")
NEARLY_FULL_BYTES = 16 << 20


def write_text(path: Path, text: str) -> None:
    """Write a file under a temporary name, then rename it. Raises OSError; the old file then stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write a value as JSON, atomically. NaN and infinities are refused (ValueError)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json_file(path: Path) -> Any:
    """Read JSON. Raises OSError or ValueError."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256_of(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_value(value: Any) -> str:
    """Hash of a value that JSON can hold, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def hashes_below(folder: Path) -> dict[str, str]:
    """Relative path -> hash of every file below a folder, in sorted order."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def hash_of_code(package: Path) -> str:
    """Hash of a package's sources, its linked folders included."""
    digest = hashlib.sha256()
    for folder, names, files in os.walk(package, followlinks=True):
        names.sort()
        for name in sorted(files):
            if name.endswith(CODE_SUFFIXES):
                path = Path(folder, name)
                digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def publish(staging: Path, output: Path, stale: set[str]) -> dict[str, str]:
    """Move every file of ``staging`` to the same place below ``output``; drop ``stale`` ones not among them.

    Each file appears whole, by rename. Returns relative path -> hash of what was moved.
    """
    hashes = hashes_below(staging)
    for name in hashes:
        target = output / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (staging / name).replace(target)
    remove(output, stale - set(hashes))
    shutil.rmtree(staging)
    return hashes


def remove(output: Path, names: set[str]) -> None:
    """Remove files below ``output``, and folders that are then empty."""
    for name in sorted(names):
        path = output / name
        path.unlink(missing_ok=True)
        for folder in path.relative_to(output).parents[:-1]:
            if (output / folder).is_dir() and not any((output / folder).iterdir()):
                (output / folder).rmdir()


def explain(error: BaseException, folder: Path) -> str:
    """An error's text; a full disk is named as such, even if a tool only failed because of it."""
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full ({text}); free some space below {folder} and build again with --resume"
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < NEARLY_FULL_BYTES:
        return f"{text}\nonly {free >> 10} KiB are free below {existing}; free some space and use --resume"
    return text
