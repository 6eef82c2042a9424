# SPDX-License-Identifier: BSD-3-Clause
"""SystemVerilog -> shared library: Verilator, then one C++ compilation against a prebuilt runtime."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from finn_flirnn.rtl import primitive_models
from finn_flirnn.sim.cache import cached_directory, content_key, default_cache_dir
from finn_flirnn.sim.tools import (
    LintError,
    ToolError,
    compiler,
    compiler_version,
    run,
    verilator_command,
    verilator_root,
    verilator_version,
)

HERE = Path(__file__).parent
SHIM, SHIM_HEADER = HERE / "shim.cpp", HERE / "shim.h"
LIBRARY, PORTS = "model.so", "ports.json"
RUNTIME_OPTIMISATION = 2
RUNTIME_SOURCES = ("verilated.cpp", "verilated_threads.cpp")
PRECOMPILED = "headers.h"

VERILATOR_FLAGS = (
    "--cc",
    "--prefix",
    "Vtop",
    "-O3",
    # the C++ compiler takes far longer for few large functions than for many small ones
    "--output-split-cfuncs",
    "500",
    "--assert",
    # registers start at random, and so does every x: a design must not live on a simulator's zeros
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
)
# a module's own checks of its parameters are errors even so
NO_LINT = ("-Wno-lint", "-Wno-fatal", "-Werror-USERERROR", "-Werror-USERFATAL")
CXX_FLAGS = (
    "-std=c++17",
    "-fPIC",
    "-w",  # generated code
    # every library keeps a runtime of its own
    "-fno-gnu-unique",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVM_TRACE=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_VCD=0",
    "-DVM_TRACE_SAIF=0",
    "-DVL_USER_FATAL",
    "-DVL_PRINTF=flirnn_printf",
)
LINK_FLAGS = ("-shared", "-Wl,-Bsymbolic", "-Wl,--wrap=fopen", "-pthread")
EXPORTS = "{ global: flirnn_*; local: *; };"

PORT_MACRO = re.compile(r"\bVL_(IN|OUT|INOUT)(?:8|16|64|W)?\(\s*&(\w+)\s*,\s*(\d+)\s*,\s*(\d+)")


@dataclass(frozen=True)
class Port:
    """A port of a Verilated top module."""

    name: str
    identifier: str
    bits: int
    input: bool


@dataclass(frozen=True)
class Library:
    """A compiled model: its shared library and its ports, in the library's order."""

    path: Path
    ports: tuple[Port, ...]

    @classmethod
    def load(cls, directory: Path, name: str = LIBRARY) -> Library:
        """The library ``name`` of a directory, with the table of ports beside it."""
        entries = json.loads((directory / PORTS).read_text())
        return cls(directory / name, tuple(Port(**entry) for entry in entries))


def verilate(
    top: str,
    sources: Sequence[Path],
    *,
    parameters: Mapping[str, int] | None = None,
    defines: Sequence[str] = (),
    include_dirs: Sequence[Path] = (),
    lint: bool = True,
    optimisation: int = 2,
    cache_dir: Path | None = None,
) -> Library:
    """Compile module ``top`` of the sources (in order of compilation), or find it compiled already.

    Vendor cells that the sources instantiate but do not define are those of ``rtl/primitives``.

    lint: every warning of Verilator's -Wall is an error; else warnings are ignored.
    optimisation: of the C++ compiler; 0 compiles a large model fastest, 2 simulates it fastest.
    cache_dir: default the user's cache directory.
    Raises LintError or ToolError.
    """
    sources = [source.resolve() for source in sources]
    for source in sources:
        if not source.is_file():
            raise ToolError(f"source file {source} does not exist; generate it first")
    models = primitive_models()
    headers = [h for d in include_dirs for h in sorted(d.iterdir()) if h.suffix in (".vh", ".svh")]
    cache_dir = cache_dir or default_cache_dir()
    flags = [
        *VERILATOR_FLAGS,
        "--top-module",
        top,
        *(f"-G{name}={value}" for name, value in sorted((parameters or {}).items())),
        *(f"-D{define}" for define in defines),
        *(["-Wall"] if lint else NO_LINT),
    ]
    key = content_key(
        [
            *flags,
            f"-O{optimisation}",
            *CXX_FLAGS,
            *LINK_FLAGS,
            verilator_version(),
            compiler_version(),
            SHIM.read_bytes(),
            SHIM_HEADER.read_bytes(),
            *(part for path in (*sources, *headers, *models) for part in (path.name, path.read_bytes())),
        ]
    )

    def make(directory: Path) -> None:
        command = [*verilator_command(), *flags, *(f"+incdir+{d.resolve()}" for d in include_dirs)]
        # a vendor's cell that no source defines is looked up among our models
        command += [f for d in sorted({path.parent for path in models}) for f in ("-y", str(d))]
        command += ["-Mdir", str(directory / "cpp"), *map(str, sources)]
        run(command, error=LintError if lint else ToolError)
        ports = parse_ports((directory / "cpp" / "Vtop.h").read_text())
        (directory / PORTS).write_text(json.dumps([asdict(port) for port in ports]))
        _compile(directory, ports, cache_dir, optimisation)
        shutil.rmtree(directory / "cpp")

    return Library.load(cached_directory(cache_dir, f"model-{key}", make))


def parse_ports(header: str) -> tuple[Port, ...]:
    """Ports declared in the header of a Verilated class.

    >>> [(p.name, p.bits, p.input) for p in parse_ports("VL_IN8(&a,0,0); VL_OUTW(&b___05Fc,99,0,4);")]
    [('a', 1, True), ('b__c', 100, False)]
    """
    return tuple(
        Port(
            name=re.sub(r"__0([0-9A-F]{2})", lambda m: chr(int(m.group(1), 16)), identifier),
            identifier=identifier,
            bits=int(high) - int(low) + 1,
            input=direction != "OUT",
        )
        for direction, identifier, high, low in PORT_MACRO.findall(header)
    )


def _compile(directory: Path, ports: Sequence[Port], cache_dir: Path, optimisation: int) -> None:
    cpp = directory / "cpp"
    lines = [f'FLIRNN_PORT("{p.name}", {p.identifier}, {p.bits}, {str(p.input).lower()})\n' for p in ports]
    (cpp / "ports.inc").write_text("".join(lines))
    # two translation units, as the headers cost more than the code of a small model: what runs every
    # cycle, and what runs once, where optimisation would be lost time
    slow = sorted(cpp.glob("Vtop*__Slow.cpp"))
    fast = sorted(set(cpp.glob("Vtop*.cpp")) - set(slow))
    units = [(slow, "slow", 0), ([*fast, SHIM], "fast", optimisation)]
    with ThreadPoolExecutor(len(units)) as pool:
        objects = list(pool.map(lambda unit: _object(cpp, *unit, cache_dir), units))
    exports = cpp / "exports.map"
    exports.write_text(EXPORTS)
    objects += sorted(_runtime(cache_dir).glob("*.o"))
    version_script = f"-Wl,--version-script={exports}"
    run([compiler(), *map(str, objects), *LINK_FLAGS, version_script, "-o", str(directory / LIBRARY)])


def _object(cpp: Path, sources: Sequence[Path], name: str, optimisation: int, cache_dir: Path) -> Path:
    unit, target = cpp / f"{name}.cpp", cpp / f"{name}.o"
    unit.write_text("".join(f'#include "{source}"\n' for source in sources))
    header = _precompiled(optimisation, cache_dir) / PRECOMPILED
    run([*_compile_command(optimisation, header), f"-I{cpp}", "-c", str(unit), "-o", str(target)])
    return target


def _compile_command(optimisation: int, header: Path) -> list[str]:
    """Compiler and flags, with a header ahead of everything."""
    include = verilator_root() / "include"
    includes = ["-include", str(header), f"-I{include}", f"-I{include / 'vltstd'}"]
    return [compiler(), f"-O{optimisation}", *CXX_FLAGS, *includes]


def _precompiled(optimisation: int, cache_dir: Path) -> Path:
    """Folder of the header that every unit begins with, compiled: else it costs more than the unit."""
    command = _compile_command(optimisation, SHIM_HEADER)
    key = content_key([*command, verilator_version(), compiler_version(), SHIM_HEADER.read_bytes()])

    def make(directory: Path) -> None:
        header = directory / PRECOMPILED
        header.write_text(f'#include "{SHIM_HEADER}"\n#include "verilated.h"\n')
        run([*command, "-x", "c++-header", str(header), "-o", f"{header}.gch"])

    return cached_directory(cache_dir, f"headers-{key}", make)


def _runtime(cache_dir: Path) -> Path:
    command = _compile_command(RUNTIME_OPTIMISATION, SHIM_HEADER)
    key = content_key([*command, verilator_version(), compiler_version(), SHIM_HEADER.read_bytes()])

    def make(directory: Path) -> None:
        for name in RUNTIME_SOURCES:
            source = verilator_root() / "include" / name
            run([*command, "-c", str(source), "-o", str(directory / f"{source.stem}.o")])

    return cached_directory(cache_dir, f"runtime-{key}", make)
