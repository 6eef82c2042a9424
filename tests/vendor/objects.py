# SPDX-License-Identifier: BSD-3-Clause
"""What Tcl handles stand for: named objects with properties, and the filters that choose among them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.vendor.tcl import ScriptError

Setter = Callable[[str, str], None]

KNOWN = {
    "project": {"IP_REPO_PATHS", "BOARD_PART", "BOARD_PART_REPO_PATHS"},
    "fileset": {"TOP"},
    "file": {"FILE_TYPE", "SYNTH_CHECKPOINT_MODE"},
    "run": {"STEPS.SYNTH_DESIGN.ARGS.MORE OPTIONS"},
    "port": {"NAME", "CONFIG.FREQ_HZ"},
    "interface port": {"NAME"},
    "segment": {"OFFSET", "RANGE"},
    "core": {"IPI_DRC", "CORE_REVISION", "NAME", "VERSION", "DISPLAY_NAME", "SDX_KERNEL", "SDX_KERNEL_TYPE"}
    | {"SUPPORTED_FAMILIES", "XPM_LIBRARIES", "AUTO_FAMILY_SUPPORT_LEVEL"},
    "bus interface": {"SLAVE_MEMORY_MAP_REF"},
    "bus parameter": {"VALUE", "VALUE_RESOLVE_TYPE"},
    "address block": {"RANGE"},
    "ip file": {"TYPE", "USED_IN"},
}
"""Kind of object -> properties that may be set; a cell's are its IP's parameters."""


@dataclass
class Obj:
    """An object behind a handle. changed: called with (property, value) when one is set."""

    kind: str
    name: str
    properties: dict[str, str] = field(default_factory=dict)
    changed: Setter | None = None

    def set(self, name: str, value: str) -> None:
        """Set a property. Raises ScriptError if there is none of that name."""
        upper = name.upper()
        if self.kind == "cell":
            if not upper.startswith("CONFIG."):
                raise ScriptError(f"cell {self.name} has no property {name}")
        elif upper not in KNOWN.get(self.kind, set()):
            raise ScriptError(f"{self.kind} {self.name} has no property {name}")
        self.properties[upper] = value
        if self.changed is not None:
            self.changed(name, value)

    def get(self, name: str) -> str:
        """A property. Raises ScriptError if it is not there."""
        if name.upper() not in self.properties:
            raise ScriptError(f"{self.kind} {self.name} has no property {name}")
        return self.properties[name.upper()]


def chosen(objects: Iterable[Obj], condition: str) -> list[Obj]:
    """The objects that satisfy a -filter expression, such as {MODE == Master && NAME =~ m_axi_*}."""
    tokens = re.findall(r'&&|\|\||[()]|==|!=|=~|"[^"]*"|[^\s()=!&|]+', condition)
    return [one for one in objects if _Filter(tokens, one).value()]


class _Filter:
    """A recursive-descent evaluator: or-terms of and-terms of comparisons."""

    def __init__(self, tokens: list[str], one: Obj) -> None:
        self._left, self._one = tokens[::-1], one

    def value(self) -> bool:
        result = self._both()
        while self._left and self._left[-1] == "||":
            self._left.pop()
            result = self._both() or result
        return result

    def _both(self) -> bool:
        result = self._one_term()
        while self._left and self._left[-1] == "&&":
            self._left.pop()
            result = self._one_term() and result
        return result

    def _one_term(self) -> bool:
        word = self._left.pop()
        if word == "(":
            result = self.value()
            self._left.pop()
            return result
        operator = self._left.pop()
        wanted = [self._left.pop().strip('"')]
        while self._left and self._left[-1] not in ("&&", "||", ")"):
            wanted.append(self._left.pop())  # a value of several words
        found, text = self._one.properties.get(word.upper(), ""), " ".join(wanted)
        if operator == "=~":
            return fnmatchcase(found, text)
        return (found == text) is (operator == "==")
