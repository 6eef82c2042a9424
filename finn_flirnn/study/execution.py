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
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dask
from distributed import Client, Future, LocalCluster, as_completed

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


def run_unit(
    workload_name: str, unit: Unit, folder: str, start: str | None, teacher: str | None, *parents: object
) -> str:
    """Do one unit unless its result is there; returns its folder. Runs in a worker.

    start, teacher: folders of these units. parents: only make dask wait for them.
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
        with local_or_given_cluster(scheduler, min(workers, len(wanted))) as client:
            futures: dict[str, Future[Any]] = {}
            for key, unit in wanted.items():
                parents = [
                    None if parent is None else parent.key(workload_name, revision)
                    for parent in (unit.start, unit.teacher)
                ]
                places = [None if parent is None else str(folders[parent]) for parent in parents]
                waits = [futures[parent] for parent in parents if parent in futures]
                # studies that share a scheduler must not share units, each has its own folders
                futures[key] = client.submit(
                    run_unit,
                    workload_name,
                    unit,
                    str(folders[key]),
                    *places,
                    *waits,
                    key=str(folders[key]),
                )
            names = {future.key: key for key, future in futures.items()}
            for future in as_completed(list(futures.values())):  # type: ignore[no-untyped-call]
                unit = by_key[names[future.key]]
                if future.status == "finished":
                    report(unit, "done")
                else:
                    failures.append(f"{unit.label}: {future.exception()}")
                    report(unit, failures[-1])
    if failures:
        raise BuildError(
            f"{len(failures)} of {len(units)} units failed; mend the cause and run again, what is done is "
            "kept:\n  " + "\n  ".join(failures)
        )
    return folders


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
