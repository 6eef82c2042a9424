# SPDX-License-Identifier: BSD-3-Clause
"""Trees of files: their hashes, moving a finished one into place, and what to say of a full disk."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from finn_flirnn.common.files import sha256_of

CODE_SUFFIXES = (".py", ".sv", ".j2", ".cpp", ".tcl")
NEARLY_FULL_BYTES = 16 << 20


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
