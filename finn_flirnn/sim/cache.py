# SPDX-License-Identifier: BSD-3-Clause
"""Build results kept by the hash of what they were made from."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import platformdirs


def default_cache_dir() -> Path:
    """The user's cache directory for this project ($XDG_CACHE_HOME or ~/.cache, below it)."""
    return platformdirs.user_cache_path("finn_flirnn")


def content_key(parts: Iterable[str | bytes]) -> str:
    """Hash of a sequence of texts; where one ends and the next begins counts.

    >>> content_key(["ab", "c"]) == content_key(["a", "bc"])
    False
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()[:32]


def cached_directory(cache_dir: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The directory ``cache_dir/name``; if it is missing, ``make(directory)`` fills it.

    It appears under its name only when ``make`` has returned, so an interrupted build leaves nothing
    behind that looks finished. Of two processes that build the same, the first one wins.
    """
    target = cache_dir / name
    if target.is_dir():
        return target
    cache_dir.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache_dir))
    try:
        make(work)
        try:
            work.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target
