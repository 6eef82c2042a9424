# SPDX-License-Identifier: BSD-3-Clause
"""The errors that end a command with a message for its user, and their exit statuses."""

from __future__ import annotations

from dataclasses import dataclass

EXIT_FAILED = 1
EXIT_USAGE = 2


class BuildError(Exception):
    """Something a user can understand and mend; the message states requirement, value and remedy."""

    exit_status = EXIT_FAILED


class UsageError(BuildError):
    """The command or its configuration is wrong; nothing was started."""

    exit_status = EXIT_USAGE


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration: where, what was found, what would be accepted."""

    path: str
    found: str
    accepted: str

    def __str__(self) -> str:
        return f"{self.path}: {self.found}; accepted: {self.accepted}"


class ConfigError(UsageError):
    """All the problems of one configuration together."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{source} has {count}:", *(f"  {p}" for p in problems)]))
