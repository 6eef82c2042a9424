# SPDX-License-Identifier: BSD-3-Clause
"""Vitis kernels: Vivado's ``package_xo``, ``kernelinfo --json FILE.xo`` and the linker ``v++``.

Sources: AMD UG1393 (package_xo, the linker's configuration), UG1702 (fields of -kernel_xml_args).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.vendor import LABEL
from tests.vendor.component import AXILITE, AXIMM, AXIS, Component, Interface, read_component
from tests.vendor.tcl import ScriptError, options

SCALAR, POINTER, STREAM = 0, 1, 4
KINDS = {SCALAR: AXILITE, POINTER: AXIMM, STREAM: AXIS}
"""Address qualifier of an argument -> the kind of interface that it needs."""
CLOCK, RESET = "ap_clk", "ap_rst_n"
SCALE = {"0", "1", "2", "3"}
MEMORIES = re.compile(r"(DDR|HOST|PLRAM)\[\d\]")
FLAGS = ("link", "save-temps")
VALUED = ("target", "platform", "config", "optimize", "report_level", "kernel_frequency")


@dataclass(frozen=True)
class Argument:
    """An argument of a kernel. width: of a stream's or a pointer's data."""

    name: str
    qualifier: int
    number: int
    port: str
    size: int
    offset: int
    width: int

    @classmethod
    def read(cls, text: str) -> Argument:
        """Read ``name:qualifier:id:port:size:offset:type:memory size``. Raises ScriptError."""
        fields = text.split(":")
        if len(fields) != 8:
            raise ScriptError(f"-kernel_xml_args {text}: 8 fields needed, {len(fields)} given")
        name, qualifier, number, port, size, offset, kind, _ = fields
        bits = re.fullmatch(r"ap_uint&lt;(\d+)>\*?|uint", kind)
        if not bits or int(qualifier) not in KINDS:
            raise ScriptError(f"-kernel_xml_args {text}: type {kind} or qualifier {qualifier} is not known")
        return cls(name, int(qualifier), int(number), port, int(size, 0), int(offset, 0), int(bits[1] or 32))


def package_xo(*words: str) -> str:
    """``package_xo``: what the IP has must be what the arguments say. Raises ScriptError."""
    texts = [words[i + 1] for i, word in enumerate(words) if word == "-kernel_xml_args"]
    found, _ = options(words, ("force",), ("xo_path", "kernel_name", "ip_directory", "kernel_xml_args"))
    folder, target = Path(found["ip_directory"]), Path(found["xo_path"])
    if not (folder / "component.xml").is_file():
        raise ScriptError(f"package_xo: {folder} holds no component.xml")
    core = read_component(folder / "component.xml")
    arguments = [Argument.read(text) for text in texts]
    _check_kernel(core, arguments)
    kernel = {
        "name": found["kernel_name"],
        "ports": [asdict(interface) for interface in core.interfaces.values()],
        "arguments": [asdict(argument) for argument in arguments],
    }
    target.write_text(json.dumps({"note": LABEL, **kernel}))
    return ""


def _check_kernel(core: Component, arguments: list[Argument]) -> None:
    missing = {CLOCK, RESET} - set(core.pins)
    if missing:
        raise ScriptError(f"kernel {core.name} must have {' and '.join(sorted(missing))}")
    if [argument.number for argument in arguments] != list(range(len(arguments))):
        raise ScriptError(f"kernel {core.name}: arguments must be numbered from 0 on, in order")
    for argument in arguments:
        port = core.interfaces.get(argument.port)
        if port is None or port.kind != KINDS[argument.qualifier]:
            raise ScriptError(f"kernel {core.name}: argument {argument.name} has no port {argument.port}")
        if argument.qualifier != SCALAR and argument.width != port.width:
            raise ScriptError(
                f"kernel {core.name}: {argument.name} is {argument.width} bits wide, its port {port.width}"
            )
    named = {argument.port for argument in arguments}
    open_ports = [i.name for i in core.interfaces.values() if i.kind != AXILITE and i.name not in named]
    if open_ports:
        raise ScriptError(f"kernel {core.name}: no argument for {', '.join(open_ports)}")
    spans = sorted((a.offset, a.offset + a.size) for a in arguments if a.qualifier != STREAM)
    if any(end > start for (_, end), (start, _) in zip(spans, spans[1:], strict=False)):
        raise ScriptError(f"kernel {core.name}: registers of its arguments overlap: {spans}")


class Linker:
    """One call of ``v++ --link``."""

    def __init__(self, arguments: list[str]) -> None:
        words = tuple(re.sub("^--", "-", word) for word in arguments)
        self._found, files = options(words, FLAGS, VALUED)
        kernels = [json.loads(Path(file).read_text()) for file in files]
        self._kernels: dict[str, dict[str, Any]] = {kernel["name"]: kernel for kernel in kernels}
        self._units: dict[str, dict[str, Any]] = {}
        self._used: Counter[str] = Counter()

    def link(self, folder: Path) -> None:
        """Check the request, then leave what stands in for the xclbin. Raises ScriptError."""
        found = self._found
        platform = found["platform"]
        repository = Path(os.environ["PLATFORM_REPO_PATHS"])
        if not list(repository.rglob(f"{platform}.xpfm")):
            raise ScriptError(f"platform {platform} is not in {repository}")
        if found.get("target") != "hw" or "link" not in found or int(found["kernel_frequency"]) < 1:
            raise ScriptError(f"v++ {found}: only --link for hw at a whole frequency is known")
        self._check(_sections(Path(found["config"])))
        project = folder / "_x/link/vivado/vpl/prj/prj.xpr"
        project.parent.mkdir(parents=True)
        project.write_text(json.dumps({"note": LABEL, "part": "xcu250-figd2104-2L-e"}))
        (folder / "a.xclbin").write_text(f"{LABEL}\n")

    def _check(self, sections: dict[str, list[tuple[str, str]]]) -> None:
        for key, value in sections["connectivity"]:
            check = getattr(self, f"_check_{key}", None)
            if check is None:
                raise ScriptError(f"[connectivity] {key}={value} is not known")
            check(*value.split(":"))
        for unit, kernel in self._units.items():
            for port in kernel["ports"]:
                if port["kind"] != AXILITE and self._used[f"{unit}.{port['name']}"] != 1:
                    times = self._used[f"{unit}.{port['name']}"]
                    raise ScriptError(f"{unit}.{port['name']} must be connected once, is {times} times")

    def _check_nk(self, kernel: str, count: str, unit: str) -> None:
        if kernel not in self._kernels or count != "1" or unit in self._units:
            raise ScriptError(f"nk={kernel}:{count}:{unit} names no kernel of the .xo files, or a unit twice")
        self._units[unit] = self._kernels[kernel]

    def _check_sc(self, source: str, sink: str) -> None:
        ends = [self._port(source, AXIS), self._port(sink, AXIS)]
        if [end.mode for end in ends] != ["Master", "Slave"] or ends[0].width != ends[1].width:
            raise ScriptError(f"sc={source}:{sink} joins {ends[0]} and {ends[1]}")
        self._used.update((source, sink))

    def _check_sp(self, port: str, memory: str) -> None:
        self._port(port, AXIMM)
        if not MEMORIES.fullmatch(memory):
            raise ScriptError(f"sp={port}:{memory}: no such memory on this card")
        self._used[port] += 1

    def _check_slr(self, unit: str, region: str) -> None:
        if unit not in self._units or region.removeprefix("SLR") not in SCALE:
            raise ScriptError(f"slr={unit}:{region}: no such unit or region")

    def _port(self, name: str, kind: str) -> Interface:
        unit, _, port = name.partition(".")
        found = [p for p in self._units.get(unit, {"ports": ()})["ports"] if p["name"] == port]
        if not found or found[0]["kind"] != kind:
            raise ScriptError(f"{name} is no {kind} port of a unit; there are {', '.join(self._units)}")
        return Interface(**found[0])


def _sections(path: Path) -> dict[str, list[tuple[str, str]]]:
    """Sections of a linker's configuration; a key may come many times."""
    found: dict[str, list[tuple[str, str]]] = {"connectivity": [], "vivado": []}
    section = ""
    for line in filter(None, map(str.strip, path.read_text().splitlines())):
        if line.startswith("["):
            section = line.strip("[]")
            if section not in found:
                raise ScriptError(f"{path}: section {section} is not known")
        else:
            key, _, value = line.partition("=")
            found[section].append((key, value))
    return found


def kernel_info(path: Path) -> str:
    """What ``kernelinfo --json`` prints of a kernel."""
    kernel = json.loads(path.read_text())
    return json.dumps({"kernelDefs": [{"name": kernel["name"], "ports": kernel["ports"]}]})


def main(arguments: list[str]) -> int:
    """``v++ ...`` or ``kernelinfo --json FILE``, by the first word; returns the exit status."""
    tool, *rest = arguments
    try:
        if tool == "kernelinfo":
            print(kernel_info(Path(rest[-1])))
        else:
            Linker(rest).link(Path.cwd())
    except ScriptError as error:
        print(f"{LABEL}\n{error}", file=sys.stderr)
        (Path(os.environ["STANDIN_JOURNALS"]) / f"vpp_{os.getpid()}.error").write_text(str(error))
        Path("v++_a.log").write_text(f"# {LABEL}\nERROR: [Stand-in 1-1] {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
