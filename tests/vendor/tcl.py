# SPDX-License-Identifier: BSD-3-Clause
"""A Tcl interpreter whose vendor commands are Python functions."""

from __future__ import annotations

import json
import tkinter  # of which only Tcl is used: no display is needed
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

Value = str | list[str]
"""What a command gives back: a string or a list."""
Command = Callable[..., Value]


class ScriptError(Exception):
    """The script does what the tool would refuse; the text says what and where."""


class ExitRequest(Exception):
    """The script calls exit."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"exit {status}")


class Interpreter:
    """Runs Tcl; a command that is not in ``commands`` and not Tcl's own is an error."""

    def __init__(self, commands: Mapping[str, Command], journal: Path) -> None:
        self._tk = tkinter.Tcl().tk
        self._commands = {**commands, "exit": _exit}
        self._journal = journal.open("w", encoding="utf-8")
        self._exit: ExitRequest | None = None
        self._tk.createcommand("::check_call", self._call)
        for name in self._commands:
            if "::" in name:
                self._tk.eval(f"namespace eval {name.rsplit('::', 1)[0]} {{}}")
            self._tk.eval(
                f"proc {name} args {{\n"
                f"  lassign [::check_call {name} $args] ok value\n"
                "  if {!$ok} {error $value}\n  return $value\n}"
            )

    def run(self, script: Path) -> int:
        """Source a file; returns its exit status. Raises ScriptError with Tcl's trace."""
        try:
            self._tk.call("source", str(script))
        except tkinter.TclError as error:
            if self._exit is not None:
                return self._exit.status
            raise ScriptError(f"{error}\n{self._tk.eval('set ::errorInfo')}") from None
        finally:
            self._journal.close()
        return 0

    def _call(self, name: str, arguments: object) -> tuple[str, Value]:
        words = [str(word) for word in self._tk.splitlist(arguments)]
        self._journal.write(json.dumps([name, *words]) + "\n")
        try:
            return "1", self._commands[name](*words)
        except ExitRequest as request:
            self._exit = request
            return "0", str(request)
        except ScriptError as error:
            return "0", str(error)
        except TypeError as error:  # a wrong number of arguments
            return "0", f"{name} {' '.join(words)}: {error}"


def _exit(status: str = "0") -> NoReturn:
    raise ExitRequest(int(status))


def elements(text: str) -> list[str]:
    """The elements of a Tcl list."""
    return [str(word) for word in tkinter.Tcl().tk.splitlist(text)]


def options(
    words: tuple[str, ...], flags: tuple[str, ...], valued: tuple[str, ...]
) -> tuple[dict[str, str], list[str]]:
    """Options and the remaining words of a command. Raises ScriptError for an unknown option."""
    found: dict[str, str] = {}
    rest: list[str] = []
    left = iter(words)
    for word in left:
        name = word.removeprefix("-")
        if word == name or word[1:2].isdigit():
            rest.append(word)
        elif name in flags:
            found[name] = "1"
        elif name in valued:
            value = next(left, None)
            if value is None:
                raise ScriptError(f"option {word} needs a value")
            found[name] = value
        else:
            raise ScriptError(f"unknown option {word}; known: {', '.join((*flags, *valued))}")
    return found, rest
