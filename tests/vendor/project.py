# SPDX-License-Identifier: BSD-3-Clause
"""Vivado's project: files, IP catalogue, runs and reports."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.vendor import LABEL
from tests.vendor.block_design import BlockDesign
from tests.vendor.catalogue import VENDOR, vendor_component
from tests.vendor.component import Component, of_ports, read_component, vlnv_of
from tests.vendor.objects import Obj
from tests.vendor.rtl_ports import VERILOG, elaborate
from tests.vendor.tcl import ScriptError

SAMPLES = Path(__file__).parent / "samples"
SHIPPED_BOARDS = ("xilinx.com:zcu104:part0:1.1", "xilinx.com:zcu102:part0:3.3")
"""Boards whose files come with Vivado itself."""
FILE_TYPES = {".v": "Verilog", ".sv": "SystemVerilog", ".vh": "Verilog Header", ".bd": "Block Designs"}


class Project:
    """One open project, in memory; ``tool_folder`` holds it and its runs."""

    def __init__(self, name: str, folder: Path, part: str) -> None:
        self.name, self.folder, self.part = name, folder, part
        self.files: dict[str, Obj] = {}
        self.catalogue: dict[str, Path] = {}
        self.designs: dict[str, BlockDesign] = {}
        self.top = ""
        self.properties = Obj(
            "project",
            name,
            {"IP_REPO_PATHS": "", "BOARD_PART_REPO_PATHS": "", "DIRECTORY": str(folder), "PART": part},
        )

    def add_file(self, name: str) -> None:
        """Add a source. Raises ScriptError if it does not exist."""
        path = Path(name)
        if not path.is_file():
            raise ScriptError(f"file {name} does not exist")
        kind = FILE_TYPES.get(path.suffix, "Unknown")
        self.files[str(path)] = Obj(
            "file", str(path), {"FILE_TYPE": kind, "USED_IN_SYNTHESIS": "1", "NAME": str(path)}
        )

    def sources(self) -> list[Path]:
        """The project's HDL files."""
        return [Path(name) for name in self.files if name.endswith(VERILOG)]

    def scan(self, paths: list[str]) -> None:
        """Read the IP catalogue anew. Raises ScriptError for a path that does not exist."""
        self.catalogue.clear()
        for name in paths:
            if not Path(name).is_dir():
                raise ScriptError(f"IP repository {name} does not exist")
            for path in Path(name).rglob("component.xml"):
                vlnv = vlnv_of(path)
                if self.catalogue.setdefault(vlnv, path).parent.resolve() != path.parent.resolve():
                    raise ScriptError(f"IP {vlnv} lies in {self.catalogue[vlnv].parent} and in {path.parent}")

    def ip(self, vlnv: str) -> Component:
        """An IP of the catalogue. Raises ScriptError if there is none."""
        if vlnv in VENDOR:
            return vendor_component(vlnv, {})
        if vlnv not in self.catalogue:
            raise ScriptError(f"no IP {vlnv} in the catalogue: {', '.join((*VENDOR, *self.catalogue))}")
        return read_component(self.catalogue[vlnv])

    def module(self, name: str) -> Component:
        """A module of the sources as a component. Raises ScriptError if SystemVerilog defines it."""
        interface = elaborate(name, self.sources())
        if interface.file.suffix == ".sv":
            raise ScriptError(f"{interface.file} is SystemVerilog; a module reference must be Verilog")
        return of_ports(f"xilinx.com:module_ref:{name}:1.0", interface.ports, interface.parameters)

    def set_board(self, part: str) -> None:
        """Check that there are files for a board part, in Vivado or below a repository path."""
        vendor, name, _, version = part.split(":")
        if part in SHIPPED_BOARDS:
            return
        for repository in self.properties.get("BOARD_PART_REPO_PATHS").split():
            for path in Path(repository).rglob("board.xml"):
                root = ET.parse(path).getroot()
                found = (root.get("vendor"), root.get("name"), root.findtext("file_version"))
                if found == (vendor, name, version):
                    return
        raise ScriptError(f"no board files for {part}")

    def check_complete(self) -> None:
        """What a synthesis run needs. Raises ScriptError."""
        for path in self.files:
            if not Path(path).is_file():
                raise ScriptError(f"file {path} has gone")
        for design in self.designs.values():
            if not design.validated:
                raise ScriptError(f"block design {design.name} has changed since it was validated")
        if not self.top:
            raise ScriptError("no top module is set")
        if self.designs and f"{self.top}.v" not in {Path(p).name for p in self.files}:
            raise ScriptError(f"the top module is {self.top}, but no wrapper of that name was added")
        if not self.designs:
            elaborate(self.top, self.sources())

    def implement(self) -> None:
        """Leave what an implementation run leaves, labelled."""
        run = self.folder / f"{self.name}.runs" / "impl_1"
        run.mkdir(parents=True)
        (run / f"{self.top}.bit").write_text(f"{LABEL}\n")
        report = run / f"{self.top}_timing_summary_routed.rpt"
        shutil.copyfile(SAMPLES / "timing_summary.rpt", report)
        for design in self.designs.values():
            handoff = self.folder / f"{self.name}.gen/sources_1/bd/{design.name}/hw_handoff"
            handoff.mkdir(parents=True)
            (handoff / f"{design.name}.hwh").write_text(_handoff(design))


def _handoff(design: BlockDesign) -> str:
    root = ET.Element("EDKSYSTEM", {"NOTE": LABEL})
    modules = ET.SubElement(root, "MODULES")
    for cell in design.cells.values():
        ET.SubElement(modules, "MODULE", {"INSTANCE": cell.name, "VLNV": cell.component.vlnv})
    ranges = ET.SubElement(root, "MEMORYMAP")
    for name, segment in design.segments.items():
        fields = {
            "INSTANCE": name.split("/")[0],
            "BASEVALUE": hex(segment.offset or 0),
            "SIZE": hex(segment.size),
        }
        ET.SubElement(ranges, "MEMRANGE", fields)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
