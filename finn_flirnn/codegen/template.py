# SPDX-License-Identifier: BSD-3-Clause
"""Strict text templates: every key must be used and every placeholder replaced."""

from __future__ import annotations

import os
import string
import tempfile
from pathlib import Path


def render(template: str, **values: object) -> str:
    """Replace ``$name`` placeholders. Raises KeyError for an unreplaced or an unused key."""
    parsed = string.Template(template)
    wanted = set(parsed.get_identifiers())
    if wanted != set(values):
        raise KeyError(
            f"template keys must match: not given {sorted(wanted - set(values))}, "
            f"not used {sorted(set(values) - wanted)}"
        )
    return parsed.substitute(values)


def write_atomically(path: Path, text: str) -> Path:
    """Write a text file under its final name only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return path
