# SPDX-License-Identifier: BSD-3-Clause
"""Stand-in for ``vitis_hls SCRIPT``: takes FINN's HLS sources and leaves an IP with their interface."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.vendor import LABEL
from tests.vendor.component import (
    AXILITE,
    AXIMM,
    AXIS,
    CLOCK,
    RESET,
    Component,
    Interface,
    Pin,
    write_component,
)
from tests.vendor.tcl import Command, Interpreter, ScriptError, options

CONTROL_BITS = 6
"""Address bits of a DMA's registers: the last, numReps, is at 0x1c or 0x20."""
INTERFACE = re.compile(r"#pragma HLS INTERFACE (?P<kind>\w+) (?P<rest>.*)")


class VitisHls:
    """The state of one run: project, source, top function."""

    def __init__(self) -> None:
        self._project, self._solution, self._part, self._top = Path(), "", "", ""
        self._source = Path()
        self._addresses = 32
        self._done = False

    def commands(self) -> dict[str, Command]:
        """Tcl name -> function, of every command that the stand-in knows."""
        return {n.removeprefix("tcl_"): getattr(self, n) for n in dir(self) if n.startswith("tcl_")}

    def tcl_open_project(self, name: str) -> str:
        self._project = Path(name).resolve()
        self._project.mkdir(exist_ok=True)
        return ""

    def tcl_add_files(self, *words: str) -> str:
        found, (path,) = options(words, (), ("cflags",))
        self._source = Path(path)
        folders = [Path(w[2:]) for w in found["cflags"].split() if w.startswith("-I")]
        missing = [str(f) for f in folders if not f.is_dir()]
        if missing or not self._source.is_file():
            raise ScriptError(f"add_files: {path} or {', '.join(missing)} does not exist")
        for header in re.findall(r'#include "(.+)"', self._source.read_text()):
            if not any((folder / header).is_file() for folder in folders):
                raise ScriptError(f'{path}: #include "{header}" is in none of {", ".join(map(str, folders))}')
        return ""

    def tcl_set_top(self, name: str) -> str:
        self._top = name
        return ""

    def tcl_open_solution(self, name: str) -> str:
        self._solution = name
        return ""

    def tcl_set_part(self, part: str) -> str:
        self._part = part
        return ""

    def tcl_set_param(self, name: str, value: str) -> str:
        return f"{name} {value}"

    def tcl_config_compile(self, *words: str) -> str:
        options(words, ("disable_unroll_code_size_check",), ("pipeline_style",))
        return ""

    def tcl_config_interface(self, *words: str) -> str:
        options(words, ("m_axi_addr64",), ())
        self._addresses = 64
        return ""

    def tcl_config_rtl(self, *words: str) -> str:
        options(words, ("module_auto_prefix",), ("deadlock_detection",))
        return ""

    def tcl_create_clock(self, *words: str) -> str:
        found, _ = options(words, (), ("period", "name"))
        if not 0.5 < float(found["period"]) < 1000:
            raise ScriptError(f"create_clock -period {found['period']} ns")
        return ""

    def tcl_csynth_design(self) -> str:
        if not (self._top and self._part and self._solution):
            raise ScriptError("top, part and solution must be set before csynth_design")
        self._done = True
        return ""

    def tcl_export_design(self, *words: str) -> str:
        found, _ = options(words, (), ("format",))
        if not self._done or found["format"] != "ip_catalog":
            raise ScriptError("export_design -format ip_catalog must follow csynth_design")
        folder = self._project / self._solution / "impl" / "ip"
        component = component_of(self._source.read_text(), self._top, self._addresses)
        file = folder / "hdl" / "verilog" / f"{self._top}.v"
        file.parent.mkdir(parents=True)
        file.write_text(f"// {LABEL}\nmodule {self._top};\nendmodule\n")
        component.files = [file.relative_to(folder)]
        write_component(component, folder / "component.xml")
        return ""


def component_of(source: str, top: str, address_bits: int) -> Component:
    """The interface of an HLS function: its streams, memories and registers."""
    found = re.search(rf"void {top}\((?P<arguments>.*)\)", source)
    if found is None:
        raise ScriptError(f"the source has no function {top}")
    arguments = {
        name: (int(width), "*" in star or "&" not in star, f"hls::stream<ap_uint<{width}" in text)
        for text in found["arguments"].split(", ")
        for width, star, name in re.findall(r"ap_uint<(\d+)>\s*>?\s*([*&])(\w+)", text)
    }
    kinds = {
        re.search(r"port=(\w+)", m["rest"])[1]: m["kind"]  # type: ignore[index]
        for m in INTERFACE.finditer(source)
        if m["kind"] != "s_axilite"
    }
    interfaces = {"s_axi_control": Interface("s_axi_control", AXILITE, "Slave", 32, CONTROL_BITS, "ap_clk")}
    for name, (width, _, _) in arguments.items():
        if kinds.get(name) == "m_axi":
            interfaces["m_axi_gmem"] = Interface(
                "m_axi_gmem", AXIMM, "Master", max(width, 32), address_bits, "ap_clk"
            )
        elif kinds.get(name) == "axis":
            mode = "Master" if name.startswith("out") else "Slave"
            interfaces[name] = Interface(name, AXIS, mode, width, 0, "ap_clk")
        else:
            raise ScriptError(f"argument {name} of {top} has no interface")
    pins = {
        "ap_clk": Pin("ap_clk", "in", CLOCK),
        "ap_rst_n": Pin("ap_rst_n", "in", RESET),
        "interrupt": Pin("interrupt", "out", "data"),
    }
    return Component(f"xilinx.com:hls:{top}:1.0", interfaces, pins)


def main(arguments: list[str]) -> int:
    """``vitis_hls SCRIPT`` or ``vitis-run --mode hls --tcl SCRIPT``; returns the exit status."""
    script = Path(arguments[-1]).resolve()
    if len(arguments) not in (1, 4) or (len(arguments) == 4 and arguments[:3] != ["--mode", "hls", "--tcl"]):
        print(f"only SCRIPT or --mode hls --tcl SCRIPT is known, got {arguments}", file=sys.stderr)
        return 2
    journal = Path(os.environ["STANDIN_JOURNALS"]) / f"vitis_hls_{os.getpid()}.jsonl"
    try:
        return Interpreter(VitisHls().commands(), journal).run(script)
    except ScriptError as error:
        print(f"{LABEL}\n{error}", file=sys.stderr)
        journal.with_suffix(".error").write_text(str(error))
        Path("vitis_hls.log").write_text(f"# {LABEL}\nERROR: [Stand-in 1-1] {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
