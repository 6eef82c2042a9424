# SPDX-License-Identifier: BSD-3-Clause
"""Run FINN's builder as a well-behaved function: a failed step raises, nothing global stays changed.

On its own ``build_dataflow_cfg`` turns every exception into the return value -1 and replaces
``sys.stdout``, ``sys.stderr``, the handlers of the root logger and the display of warnings for good.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import wraps
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any

from finn_flirnn.common.errors import BuildError

FinnStep = Callable[[Any, Any], Any]


class FinnFlowError(BuildError):
    """A step of FINN's builder failed; ``step`` is its name."""

    def __init__(self, step: str, reason: str, log_file: Path) -> None:
        self.step = step
        super().__init__(f"FINN's {step} failed: {reason} (log: {log_file})")


@dataclass
class _Failure:
    """What the builder swallows: the step that raised and what it raised."""

    step: str = "builder"
    error: BaseException | None = None

    def watch(self, step: FinnStep) -> FinnStep:
        """The step, noting what it raises."""

        @wraps(step)
        def watched(model: Any, config: Any) -> Any:
            try:
                return step(model, config)
            except BaseException as error:
                self.step, self.error = step.__name__, error
                raise

        return watched

    def __enter__(self) -> _Failure:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Take what the builder does raise: under pytest it swallows nothing."""
        self.error = self.error or error
        return True


def run_builder(model_file: Path, config: Any) -> None:
    """Run ``build_dataflow_cfg`` with a DataflowBuildConfig whose ``steps`` are names.

    FINN's output goes to build_dataflow.log in the configuration's output folder. Raises FinnFlowError,
    its cause the original exception, if a step fails; KeyboardInterrupt passes through.
    """
    from finn.builder.build_dataflow import build_dataflow_cfg, get_logfile_path, resolve_build_steps

    failure = _Failure()
    watched = replace(config, steps=[failure.watch(step) for step in resolve_build_steps(config)])
    log_file = Path(get_logfile_path(config))
    status = -1
    with _globals_kept(), failure:
        status = build_dataflow_cfg(model_file, watched)
    error = failure.error
    if isinstance(error, KeyboardInterrupt):
        raise error
    if error is not None or status != 0:
        reason = f"{type(error).__name__}: {error}" if error else f"exit status {status}"
        raise FinnFlowError(failure.step, reason, log_file) from error


@contextmanager
def _globals_kept() -> Iterator[None]:
    """Keep output streams, logging and warnings from the builder, and give them back afterwards."""
    root = logging.getLogger()
    streams, handlers, level = (sys.stdout, sys.stderr), root.handlers[:], root.level
    root.handlers.clear()  # else the builder closes them
    sys.stdout, sys.stderr = StringIO(), StringIO()  # the log file holds the same text
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.stdout, sys.stderr = streams
