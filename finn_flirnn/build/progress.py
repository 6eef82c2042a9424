# SPDX-License-Identifier: BSD-3-Clause
"""What a person sees while a build runs: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from finn_flirnn.build.manifest import StepRecord

log = logging.getLogger(__name__)
COLOURS = {"done": "green", "skipped": "yellow", "failed": "red"}


class Progress:
    """Prints the course of a build to a console and to the log."""

    def __init__(self, console: Console | None = None) -> None:
        # the stream is kept, because FINN exchanges sys.stdout while it runs
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        self._live: Status | None = None
        self._title = ""

    @contextmanager
    def step(self, index: int, total: int, name: str) -> Iterator[None]:
        """Show a step as running."""
        self._title = f"[{index:2d}/{total}] {name}"
        log.info("step %s begins", name)
        if self.console.is_terminal:
            with self.console.status(escape(self._title)) as self._live:
                yield
            self._live = None
        else:
            yield

    def tell(self, text: str) -> None:
        """Show how far the running step is."""
        log.info("%s", text)
        if self._live is not None:
            self._live.update(escape(f"{self._title}: {text}"))

    def ended(self, index: int, total: int, record: StepRecord, kept: bool = False) -> None:
        """Show how a step ended."""
        log.info("step %s: %s %s (%.1f s)", record.name, record.status, record.reason, record.seconds)
        time = "unchanged" if kept else f"{record.seconds:.1f} s"
        note = f"  {record.reason}" if record.reason else ""
        colour = COLOURS[record.status]
        head = escape(f"[{index:2d}/{total}] {record.name:<11}")
        self.console.print(f"{head} [{colour}]{record.status:<7}[/{colour}] {time:>9}{escape(note)}")

    def say(self, text: str) -> None:
        """Print a line."""
        log.info("%s", text)
        self.console.print(escape(text))
