# SPDX-License-Identifier: BSD-3-Clause
"""Files are whole or absent, whatever goes wrong while they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from finn_flirnn.common.files import read_json_file, sha256_of, sha256_of_value, write_atomically, write_json


def test_text_and_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    path = write_atomically(tmp_path / "new" / "a.txt", "τ\n")
    assert path.read_bytes() == "τ\n".encode() == write_atomically(path, b"\xcf\x84\n").read_bytes()
    assert path.stat().st_mode & 0o777 == 0o644


def test_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomically(tmp_path / "a.txt", "old")

    def full(handle: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_json_refuses_what_is_no_json(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, 2.5]})
    assert read_json_file(tmp_path / "a.json") == {"a": [1, 2.5]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))


def test_hash_is_of_the_content(tmp_path: Path) -> None:
    first, second = write_atomically(tmp_path / "a", "x"), write_atomically(tmp_path / "b", "x")
    assert sha256_of(first) == sha256_of(second) != sha256_of(write_atomically(second, "y"))
    assert sha256_of_value({"a": 1, "b": 2}) == sha256_of_value({"b": 2, "a": 1})
