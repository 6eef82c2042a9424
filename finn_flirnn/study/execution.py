# SPDX-License-Identifier: BSD-3-Clause
"""Units of work on dask.distributed, with a cache that any kill leaves whole.

A unit's folder is named by its key, the hash of all that decides its result, and ``result.json`` is written
last: a unit is done when it is there, and never done twice. A worker that dies costs its unit, which another
worker takes up where the folder's files allow. All workers must see the folder under the same path.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster, as_completed

import finn_flirnn
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import read_json_file, write_json
from finn_flirnn.study.workload import Result, Unit, load_workload

RESULT_FILE = "result.json"
PATIENCE = "300s"
"""Of connections: a machine that is busy with training answers late."""
ANSWER = "30s"
"""Of a scheduler that the user named."""
KEPT_BYTES = 1 << 32
WORKERS = {
    "distributed.comm.timeouts": {"connect": PATIENCE, "tcp": PATIENCE},
    # dask has workers give freed memory back at once, and a training asks for the same arrays at every step:
    # page faults took half of its time
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": KEPT_BYTES,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": KEPT_BYTES,
    "distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": 1,
}
"""Dask's settings for the workers here."""
PACKAGES = ("torch", "brevitas", "numpy")
Report = Callable[[Unit, str], None]
"""Called with a unit and "cached", "done", or what went wrong."""


def run_unit(workload_name: str, unit: Unit, folder: str, start: str | None, teacher: str | None) -> str:
    """Do one unit unless its result is there; returns its folder. Runs in a worker.

    start, teacher: folders of these units.
    """
    home = Path(folder)
    if _is_done(home):
        return folder
    home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    result = load_workload(workload_name).run(
        unit, home, None if start is None else Path(start), None if teacher is None else Path(teacher)
    )
    facts = {
        "kind": str(unit.kind),
        "label": unit.label,
        "choices": unit.choices,
        "seconds": round(time.monotonic() - started, 1),
        "versions": {"finn_flirnn": finn_flirnn.__version__} | {name: version(name) for name in PACKAGES},
    }
    write_json(home / RESULT_FILE, facts | asdict(result))
    return folder


def run_units(
    workload_name: str,
    units: list[Unit],
    cache: Path,
    report: Report,
    scheduler: str | None = None,
    workers: int = 1,
) -> dict[str, Path]:
    """Bring all units to a result; returns unit key -> folder.

    units: each after those it needs. scheduler: address of a dask scheduler; None starts ``workers``
    processes here. Raises BuildError, once all others are done, if units failed.
    """
    revision = load_workload(workload_name).version
    keys = [unit.key(workload_name, revision) for unit in units]
    folders = {key: cache.resolve() / key for key in keys}
    by_key = dict(zip(keys, units, strict=True))
    wanted = {key: unit for key, unit in by_key.items() if not _is_done(folders[key])}
    for key in by_key.keys() - wanted.keys():
        report(by_key[key], "cached")
    failures: list[str] = []
    if wanted:
        parents = {
            key: [parent and parent.key(workload_name, revision) for parent in (unit.start, unit.teacher)]
            for key, unit in wanted.items()
        }
        with local_or_given_cluster(scheduler, min(workers, len(wanted))) as client:
            queue = _Queue(workload_name, wanted, parents, folders, report, client)
            failures = queue.run()
    if failures:
        raise BuildError(
            f"{len(failures)} of {len(units)} units failed; mend the cause and run again, what is done is "
            "kept:\n  " + "\n  ".join(failures)
        )
    return folders


@dataclass
class _Queue:
    """Units on their way through a cluster, no more at a time than it has threads.

    dask would bind all of them to workers at once, and some would be idle beside another's long queue.
    wanted: by key, each after those it needs. parents: keys of start and teacher, or None.
    """

    workload_name: str
    wanted: dict[str, Unit]
    parents: dict[str, list[str | None]]
    folders: dict[str, Path]
    report: Report
    client: Client
    running: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.waiting = list(self.wanted)
        self.finished = as_completed()  # type: ignore[no-untyped-call]

    def run(self) -> list[str]:
        """Do all; returns what went wrong, a line a unit."""
        self._submit()
        for future in self.finished:
            key = Path(future.key).name
            self.running.remove(key)
            if future.status == "finished":
                self.report(self.wanted[key], "done")
            else:
                self._fail(key, future.exception())
            self._submit()
        return self.failures

    def _submit(self) -> None:
        missing = self.running.union(self.waiting)
        ready = [key for key in self.waiting if missing.isdisjoint(self.parents[key])]
        threads = max(1, sum(self.client.nthreads().values()))
        for key in ready[: max(0, threads - len(self.running))]:
            start, teacher = (parent and str(self.folders[parent]) for parent in self.parents[key])
            folder = str(self.folders[key])
            # not the unit's key: studies that share a scheduler have folders of their own
            future = self.client.submit(
                run_unit, self.workload_name, self.wanted[key], folder, start, teacher, key=folder
            )
            self.finished.add(future)
            self.waiting.remove(key)
            self.running.add(key)

    def _fail(self, key: str, why: object) -> None:
        """Give up a unit and all that needs it."""
        self.failures.append(f"{self.wanted[key].label}: {why}")
        self.report(self.wanted[key], self.failures[-1])
        for child in list(self.waiting):
            if child in self.waiting and key in self.parents[child]:
                self.waiting.remove(child)
                self._fail(child, f"needs {self.wanted[key].label}, which failed")


def _is_done(folder: Path) -> bool:
    return (folder / RESULT_FILE).exists() and read_result(folder)[1].final


def read_result(folder: Path) -> tuple[dict[str, Any], Result]:
    """The facts and the result of a unit that is done."""
    facts = read_json_file(folder / RESULT_FILE)
    return facts, Result(**{f.name: facts[f.name] for f in fields(Result) if f.name in facts})


@contextmanager
def local_or_given_cluster(scheduler: str | None, workers: int) -> Iterator[Client]:
    """A client of the scheduler, or of ``workers`` processes here. Raises BuildError if none answers."""
    with dask.config.set(WORKERS):
        cluster = None
        if scheduler is None:
            cluster = LocalCluster(  # type: ignore[no-untyped-call]
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",
                memory_limit=0,
            )
        try:
            where = {"address": scheduler, "timeout": ANSWER} if cluster is None else {"address": cluster}
            client = Client(**where)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise BuildError(
                f"no dask scheduler answers at {scheduler} ({error}); check --scheduler"
            ) from error
        try:
            yield client
        finally:
            # the results are on the disk by now, so a goodbye that takes too long is no failure
            for closing in (client, cluster):
                with suppress(TimeoutError):
                    if closing is not None:
                        closing.close()
