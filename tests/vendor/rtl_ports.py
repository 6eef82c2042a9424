# SPDX-License-Identifier: BSD-3-Clause
"""Ports and parameters of a module as a SystemVerilog front end elaborates it."""

from __future__ import annotations

import atexit
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyslang import Bag
from pyslang.ast import ArgumentDirection, Compilation, CompilationOptions
from pyslang.syntax import SyntaxTree

from finn_flirnn.rtl.sources import primitive_models
from tests.vendor.tcl import ScriptError

VERILOG = (".v", ".sv", ".vh", ".svh")
WAIVED = ("DirectiveInsideDesignElement",)
"""FINN's fifo.sv has `default_nettype inside its modules, which Vivado takes."""


@dataclass(frozen=True)
class Port:
    """A port of a module; ``direction`` is "in" or "out"."""

    name: str
    direction: str
    width: int


@dataclass(frozen=True)
class ModuleInterface:
    """A module's ports in order, and the names of its parameters."""

    name: str
    file: Path
    ports: tuple[Port, ...]
    parameters: tuple[str, ...]


def elaborate(top: str, files: Sequence[Path]) -> ModuleInterface:
    """Elaborate a module with all it instantiates.

    Cells of the vendor are known by the models in finn_flirnn/rtl/primitives, with all their ports.
    Raises ScriptError for a module that no file defines, one that two files define, a syntax error.
    """
    trees = [_parsed(path) for path in files]
    where = _defined_once(files, trees)
    own = {path.stem for path in primitive_models()} & set(where)
    if own:
        raise ScriptError(f"{', '.join(sorted(own))} is the vendor's; its simulation model must not be added")
    if top not in where:
        raise ScriptError(f"no file of the project defines module {top}")
    options = CompilationOptions()
    options.topModules = {top}
    compilation = Compilation(Bag([options]))
    for tree in (*trees, *map(_parsed, primitive_models())):
        compilation.addSyntaxTree(tree)
    texts = {
        f"{str(d.code)[9:-1]} {' '.join(map(str, d.args))}"
        for d in compilation.getAllDiagnostics()
        if d.isError() and str(d.code)[9:-1] not in WAIVED
    }
    if texts:
        raise ScriptError(f"module {top}: {'; '.join(sorted(texts)[:5])}")
    body = compilation.getRoot().topInstances[0].body
    ports = tuple(
        Port(p.name, "in" if p.direction == ArgumentDirection.In else "out", p.type.bitWidth)
        for p in body.portList
    )
    return ModuleInterface(
        top, where[top], ports, tuple(p.name for p in body.parameters if not p.isLocalParam)
    )


@cache
def _parsed(path: Path) -> SyntaxTree:
    return SyntaxTree.fromFile(str(path))


atexit.register(gc.collect)
atexit.register(_parsed.cache_clear)  # else the binding reports the trees as leaked


def _defined_once(files: Sequence[Path], trees: Sequence[SyntaxTree]) -> dict[str, Path]:
    where: dict[str, Path] = {}
    for path, tree in zip(files, trees, strict=True):
        for name in module_names(tree):
            if where.setdefault(name, path) != path:
                raise ScriptError(f"module {name} is defined in {where[name]} and in {path}")
    return where


def module_names(tree: SyntaxTree) -> list[str]:
    """Names of the modules that a file defines."""
    members = getattr(tree.root, "members", [tree.root])
    return [m.header.name.value for m in members if type(m).__name__ == "ModuleDeclarationSyntax"]
