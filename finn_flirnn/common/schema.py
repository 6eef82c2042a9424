# SPDX-License-Identifier: BSD-3-Clause
"""Strict JSON against dataclasses, with every problem found in one pass.

mashumaro builds the values; it stops at the first error, and coerces some types. So the tree is
checked here first, field by field, and only a tree without problems is handed on. A rule of a tuple is one of
its items; a field "X | None" may be left out, but not be null.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields, is_dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from finn_flirnn.common.errors import ConfigError, Problem

UNKNOWN = "unknown key"


class JsonObject(dict[str, Any]):
    """A JSON object that remembers which of its keys were given more than once."""

    repeated: tuple[str, ...] = ()


def setting(accepted: str, allows: Callable[[Any], bool], default: Any = MISSING) -> Any:
    """A dataclass field with a rule: ``allows`` judges a value of the right type."""
    return field(default=default, metadata={"accepted": accepted, "allows": allows})


def whole(least: int, greatest: int, default: Any = MISSING) -> Any:
    """A field for a whole number in ``least..greatest``."""
    return setting(f"a whole number from {least} to {greatest}", lambda v: least <= v <= greatest, default)


def one_of(values: tuple[str, ...], default: Any = MISSING) -> Any:
    """A field for one of some words."""
    return setting(" | ".join(values), lambda v: v in values, default)


def read_json(path: Path) -> JsonObject:
    """Read a file that holds one JSON object. Raises ConfigError if it cannot be read as that."""
    try:
        tree = json.loads(path.read_bytes(), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except OSError as error:
        raise ConfigError(str(path), [Problem("file", str(error.strerror), "a readable file")]) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(str(path), [Problem("file", f"not valid JSON ({error})", "strict JSON")]) from error
    if not isinstance(tree, JsonObject):
        raise ConfigError(str(path), [Problem("file", f"holds {_show(tree)}", "one JSON object")])
    return tree


def problems_of(kind: type, tree: Any, path: str = "") -> list[Problem]:
    """Everything that keeps ``tree`` from being a value of the dataclass ``kind``."""
    if not isinstance(tree, dict):
        return [Problem(path, f"found {_show(tree)}", f"an object with the keys {_keys(kind)}")]
    found = [
        Problem(_join(path, key), "given more than once", "each key once")
        for key in getattr(tree, "repeated", ())
    ]
    known = {f.name: f for f in fields(kind)}
    types = get_type_hints(kind)
    for key in tree:
        if key not in known:
            near = get_close_matches(key, known, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            found.append(Problem(_join(path, key), f"{UNKNOWN}{hint}", _keys(kind)))
    for name, rule in known.items():
        if name in tree:
            found += _value_problems(types[name], rule, tree[name], _join(path, name))
        elif rule.default is MISSING and rule.default_factory is MISSING:
            found.append(Problem(_join(path, name), "missing", _accepted(types[name], rule)))
    return found


def _value_problems(kind: Any, rule: Field[Any], value: Any, path: str) -> list[Problem]:
    kind = _given(kind)
    if is_dataclass(kind):
        return problems_of(kind, value, path)  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            return [Problem(path, f"found {_show(value)}", f"a list of {_accepted(kind, rule)}")]
        item = get_args(kind)[0]
        return [p for i, one in enumerate(value) for p in _value_problems(item, rule, one, f"{path}[{i}]")]
    base = get_origin(kind) or (str if isinstance(kind, type) and issubclass(kind, StrEnum) else kind)
    right = isinstance(value, (int, float) if base is float else base)
    right = right and isinstance(value, bool) == (base is bool)
    if not right or not rule.metadata["allows"](value):
        return [Problem(path, f"found {_show(value)}", _accepted(kind, rule))]
    return []


def _given(kind: Any) -> Any:
    """``kind`` without the None of a field that may be left out."""
    if isinstance(kind, UnionType):
        return next(arg for arg in get_args(kind) if arg is not type(None))
    return kind


def _accepted(kind: Any, rule: Field[Any]) -> str:
    kind = _given(kind)
    if is_dataclass(kind):
        return f"an object with the keys {_keys(kind)}"  # type: ignore[arg-type]
    return str(rule.metadata["accepted"])


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    made = JsonObject(pairs)
    made.repeated = tuple(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
    return made


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _keys(kind: type) -> str:
    return ", ".join(f.name for f in fields(kind))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
