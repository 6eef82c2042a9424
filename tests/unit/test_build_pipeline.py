# SPDX-License-Identifier: BSD-3-Clause
"""The step engine: whole files only, honest manifest, resume, failures that are told."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from finn_flirnn.build import files
from finn_flirnn.build.errors import StepSkipped
from finn_flirnn.build.manifest import Manifest, recorded_steps
from finn_flirnn.build.pipeline import STAGING, Step, forget, locked, run_steps
from finn_flirnn.build.progress import Progress
from finn_flirnn.common.errors import BuildError, UsageError


@dataclass
class Context:
    output: Path
    manifest: Manifest
    staging: Path = field(default=Path())


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO()))


def manifest(**config: Any) -> Manifest:
    config = {"first": 1, "second": 2} | config
    return Manifest(config=config, config_sha256="", source="s", source_sha256="m", tools={}, seeds={})


class Runs:
    """Two steps, "one" and "two"; "two" reads what "one" wrote. Counts what ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.two: Callable[[Context], None] = self.write_two
        self.steps = (
            Step("one", self.write_one, (), ("first",), "writes a.txt"),
            Step("two", lambda context: self.two(context), ("one",), ("second",), "writes b/c.txt"),
        )

    def write_one(self, context: Context) -> None:
        self.ran.append("one")
        (context.staging / "a.txt").write_text(f"a{context.manifest.config['first']}")

    def write_two(self, context: Context) -> None:
        self.ran.append("two")
        (context.staging / "b").mkdir()
        (context.staging / "b" / "c.txt").write_text((context.output / "a.txt").read_text() + "c")

    def build(self, output: Path, resume: bool = False, until: str | None = None, **config: Any) -> list[str]:
        self.ran.clear()
        with locked(output):
            earlier = recorded_steps(output) if resume else []
            run_steps(
                self.steps, Context(output, manifest(**config)), "code", quiet(), until=until, earlier=earlier
            )
        return self.ran.copy()


def statuses(output: Path) -> dict[str, str]:
    return {record.name: record.status for record in recorded_steps(output)}


def tree(output: Path) -> dict[str, bytes]:
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    }


def test_a_build_publishes_every_file_and_records_its_hash(tmp_path: Path) -> None:
    assert Runs().build(tmp_path) == ["one", "two"]
    assert tree(tmp_path) == {"a.txt": b"a1", "b/c.txt": b"a1c"}
    steps = json.loads((tmp_path / "manifest.json").read_text())["steps"]
    assert [(s["name"], s["status"], list(s["outputs"])) for s in steps] == [
        ("one", "done", ["a.txt"]),
        ("two", "done", ["b/c.txt"]),
    ]
    assert not (tmp_path / STAGING).exists()


def test_resume_keeps_unchanged_steps(tmp_path: Path) -> None:
    runs = Runs()
    runs.build(tmp_path)
    assert runs.build(tmp_path, resume=True) == []
    assert statuses(tmp_path) == {"one": "done", "two": "done"}


@pytest.mark.parametrize(
    ("config", "expected"),
    [({"second": 9}, ["two"]), ({"first": 9}, ["one", "two"]), ({"other": 9}, [])],
    ids=["own setting", "setting of a step before", "setting of no step"],
)
def test_resume_runs_what_a_setting_touches(
    tmp_path: Path, config: dict[str, int], expected: list[str]
) -> None:
    runs = Runs()
    runs.build(tmp_path)
    assert runs.build(tmp_path, resume=True, **config) == expected


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda out: (out / "b/c.txt").write_text("edited"), ["two"]),
        (lambda out: (out / "b/c.txt").unlink(), ["two"]),
        (lambda out: (out / "a.txt").write_text("edited"), ["one"]),
    ],
    ids=["edited", "deleted", "edited, then made equal again"],
)
def test_resume_runs_a_step_whose_output_was_changed(
    tmp_path: Path, spoil: Callable[[Path], object], expected: list[str]
) -> None:
    runs = Runs()
    runs.build(tmp_path)
    before = tree(tmp_path)
    spoil(tmp_path)
    assert runs.build(tmp_path, resume=True) == expected
    assert tree(tmp_path) == before


def test_resume_runs_everything_after_a_change_of_code(tmp_path: Path) -> None:
    runs = Runs()
    runs.build(tmp_path)
    runs.ran.clear()
    context = Context(tmp_path, manifest())
    run_steps(runs.steps, context, "other code", quiet(), earlier=recorded_steps(tmp_path))
    assert runs.ran == ["one", "two"]


def test_until_leaves_later_steps_out_and_says_so(tmp_path: Path) -> None:
    assert Runs().build(tmp_path, until="one") == ["one"]
    assert statuses(tmp_path) == {"one": "done", "two": "skipped"}
    assert recorded_steps(tmp_path)[1].reason == "not asked for (--until one)"


def test_until_keeps_a_later_step_that_still_fits_and_drops_one_that_does_not(tmp_path: Path) -> None:
    runs = Runs()
    runs.build(tmp_path)
    runs.build(tmp_path, resume=True, until="one")
    assert "b/c.txt" in tree(tmp_path)
    runs.build(tmp_path, resume=True, until="one", first=5)
    assert tree(tmp_path) == {"a.txt": b"a5"}


def test_an_unknown_step_is_refused_before_anything_runs(tmp_path: Path) -> None:
    runs = Runs()
    with pytest.raises(UsageError, match="choose from one, two"):
        runs.build(tmp_path, until="three")
    assert runs.ran == []


def test_files_that_a_step_no_longer_makes_disappear(tmp_path: Path) -> None:
    runs = Runs()
    runs.build(tmp_path)
    runs.two = lambda context: (context.staging / "other.txt").touch()
    runs.build(tmp_path, resume=True, second=3)
    assert tree(tmp_path) == {"a.txt": b"a1", "other.txt": b""}
    assert not (tmp_path / "b").exists()


def test_a_failed_step_publishes_nothing_and_ends_the_build(tmp_path: Path) -> None:
    runs = Runs()

    def fail(context: Context) -> None:
        (context.staging / "half.txt").write_text("hal")
        raise ValueError("pe=7 must divide 32")

    runs.two = fail
    runs.steps += (Step("three", runs.write_one, ("two",), (), "never runs"),)
    with pytest.raises(BuildError, match="step two failed: pe=7 must divide 32"):
        runs.build(tmp_path)
    assert statuses(tmp_path) == {"one": "done", "two": "failed", "three": "skipped"}
    assert recorded_steps(tmp_path)[2].reason == "step two failed"
    assert tree(tmp_path) == {"a.txt": b"a1"}
    runs.two, runs.steps = runs.write_two, runs.steps[:2]
    assert runs.build(tmp_path, resume=True) == ["two"]


def test_a_skipped_step_gives_its_reason_and_is_tried_again(tmp_path: Path) -> None:
    runs = Runs()

    def skip(context: Context) -> None:
        runs.ran.append("two")
        raise StepSkipped("no Vivado; install it")

    runs.two = skip
    runs.build(tmp_path)
    assert recorded_steps(tmp_path)[1].reason == "no Vivado; install it"
    assert runs.build(tmp_path, resume=True) == ["two"]


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    runs = Runs()

    def fill(context: Context) -> None:
        (context.staging / "half.txt").write_text("hal")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    runs.two = fill
    with pytest.raises(BuildError, match="the disk is full .* free some space"):
        runs.build(tmp_path)
    assert tree(tmp_path) == {"a.txt": b"a1"}


def test_a_tool_that_fails_on_a_nearly_full_disk_is_told_with_the_free_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = replace_free(files.shutil.disk_usage(tmp_path), 4096)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage)
    assert "only 4 KiB are free" in files.explain(RuntimeError("g++ failed"), tmp_path / "not" / "yet")


def replace_free(usage: Any, free: int) -> Any:
    return usage._replace(free=free)


def test_a_folder_that_is_being_built_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(UsageError, match="being built"), locked(tmp_path):
        pass


def test_a_damaged_manifest_is_refused_on_resume_and_forgotten_otherwise(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"steps": [{"name"')
    with pytest.raises(UsageError, match="without --resume"):
        recorded_steps(tmp_path)
    forget(tmp_path)
    assert recorded_steps(tmp_path) == []


def test_forgetting_removes_recorded_files_and_no_others(tmp_path: Path) -> None:
    Runs().build(tmp_path)
    (tmp_path / "b" / "mine.txt").write_text("a user's note")
    forget(tmp_path)
    assert tree(tmp_path) == {"b/mine.txt": b"a user's note"}


KILLED = """
    import sys, time
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    import test_build_pipeline as t

    runs = t.Runs()
    def stall(context):
        (context.staging / "b").mkdir()
        (context.staging / "b" / "c.txt").write_text("hal")
        Path(sys.argv[1]).with_suffix(".stalled").touch()
        time.sleep(60)
    runs.two = stall
    runs.build(Path(sys.argv[1]))
"""


def test_a_killed_build_leaves_no_half_file_and_resumes_to_the_same_outputs(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    Runs().build(whole)
    here = str(Path(__file__).parent)
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), str(killed), here])
    deadline = time.monotonic() + 60
    while not killed.with_suffix(".stalled").exists():
        assert child.poll() is None and time.monotonic() < deadline, "the child ended too early"
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    published = [p for p in killed.rglob("*") if p.is_file() and STAGING not in p.parts]
    assert {p.name for p in published} == {"a.txt", "manifest.json", ".lock"}
    assert Runs().build(killed, resume=True) == ["two"]
    assert tree(killed) == tree(whole)
    names = [record.outputs for record in recorded_steps(killed)]
    assert names == [record.outputs for record in recorded_steps(whole)]


def test_the_hash_of_code_follows_links_and_names(tmp_path: Path) -> None:
    package, elsewhere = tmp_path / "package", tmp_path / "elsewhere"
    package.mkdir()
    elsewhere.mkdir()
    (package / "linked").symlink_to(elsewhere)
    (elsewhere / "a.py").write_text("1")
    first = files.hash_of_code(package)
    (elsewhere / "a.py").write_text("2")
    second = files.hash_of_code(package)
    (elsewhere / "a.py").rename(elsewhere / "b.py")
    assert len({first, second, files.hash_of_code(package)}) == 3


def test_plain_lines_carry_name_status_and_reason() -> None:
    console = Console(file=io.StringIO(), width=200)
    progress = Progress(console)
    record = replace(recorded("bitfile"), status="skipped", reason="no Vivado [see doctor]")
    with progress.step(1, 3, "bitfile"):
        progress.tell("half")
    progress.ended(1, 3, record)
    line = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[ 1/3] bitfile" in line and "skipped" in line and "no Vivado [see doctor]" in line


def recorded(name: str) -> Any:
    from finn_flirnn.build.manifest import StepRecord

    return StepRecord(name, "done")
