# SPDX-License-Identifier: BSD-3-Clause
"""Vivado's commands on block designs."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vendor import LABEL
from tests.vendor.block_design import BlockDesign, Cell, Segment
from tests.vendor.component import AXILITE
from tests.vendor.objects import Obj, chosen
from tests.vendor.tcl import Command, ScriptError, elements, options

if TYPE_CHECKING:
    from tests.vendor.vivado import Vivado

FILTER = ("filter", "of_objects", "of", "boundary_type")
PROTOCOLS = {"axilite": "AXI4LITE", "aximm": "AXI4", "axis": "AXIS"}
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class DesignCommands:
    """The commands that make, connect and address cells of the tool's current block design."""

    def __init__(self, tool: Vivado) -> None:
        self._tool = tool

    def commands(self) -> dict[str, Command]:
        """Tcl name -> function."""
        return {n.removeprefix("tcl_"): getattr(self, n) for n in dir(self) if n.startswith("tcl_")}

    def tcl_create_bd_design(self, name: str) -> str:
        folder = self._tool.project.folder / f"{self._tool.project.name}.srcs/sources_1/bd/{name}"
        folder.mkdir(parents=True)
        path = folder / f"{name}.bd"
        path.write_text(f"{LABEL}\n")
        self._tool.project.add_file(str(path))
        self._tool.project.designs[name] = BlockDesign(name, folder)
        return name

    def tcl_create_bd_cell(self, *words: str) -> str:
        found, (name,) = options(words, (), ("type", "vlnv", "reference"))
        if found["type"] == "ip":
            component = self._tool.project.ip(found["vlnv"])
        elif found["type"] == "module":
            component = self._tool.project.module(found["reference"])
        else:
            raise ScriptError(f"create_bd_cell -type {found['type']} is not known here")
        self._tool.design.add(Cell(name, component))
        return self._cell(name)

    def _cell(self, name: str) -> str:
        cell = self._tool.design.cells[name]

        def changed(key: str, value: str) -> None:
            cell.configure(key[len("CONFIG.") :], value)

        return self._tool.handle(Obj("cell", f"/{name}", {"NAME": name}, changed))

    def tcl_apply_bd_automation(self, *words: str) -> str:
        found, cells = options(words, (), ("rule", "config"))
        ip = found["rule"].rsplit(":", 1)[-1]
        for cell in cells:
            if self._tool.design.cells[cell[1:]].component.name != ip:
                raise ScriptError(f"rule {found['rule']} does not apply to {cell}")
        return ""

    def tcl_get_bd_cells(self, *patterns: str) -> list[str]:
        names = [
            n for n in self._tool.design.cells if not patterns or any(fnmatchcase(n, p) for p in patterns)
        ]
        return self._some([self._cell(n) for n in names], "get_bd_cells", patterns)

    def tcl_get_bd_pins(self, *patterns: str) -> list[str]:
        found = [
            p for p, _ in self._tool.design.pins() if any(fnmatchcase(p[1:], x.lstrip("/")) for x in patterns)
        ]
        return self._some([self._tool.handle(Obj("pin", p)) for p in found], "get_bd_pins", patterns)

    def tcl_get_bd_ports(self, *patterns: str) -> list[str]:
        names = [n for n in self._tool.design.ports if any(fnmatchcase(n, x.lstrip("/")) for x in patterns)]
        return self._some([self._port(n, "port") for n in names], "get_bd_ports", patterns)

    def _port(self, name: str, kind: str) -> str:
        def changed(key: str, value: str) -> None:
            if key.lower() == "name":
                self._tool.design.rename_port(name, value)

        properties = {"NAME": name}
        if kind == "interface port":
            interface = self._tool.design.interface_ports[name]
            properties |= {"CONFIG.PROTOCOL": PROTOCOLS[interface.kind], "MODE": interface.mode}
        return self._tool.handle(Obj(kind, f"/{name}", properties, changed))

    def tcl_get_bd_intf_ports(self, *words: str) -> list[str]:
        found, patterns = options(words, ("quiet",), FILTER)
        names = [n for n in self._tool.design.interface_ports if not patterns or n in patterns]
        handles = [self._port(n, "interface port") for n in names]
        if "filter" in found:
            return [h for h in handles if chosen([self._tool.object(h)], found["filter"])]
        return self._some(handles, "get_bd_intf_ports", tuple(patterns))

    def tcl_get_bd_intf_pins(self, *words: str) -> list[str]:
        found, patterns = options(words, ("quiet",), FILTER)
        paths = dict(self._tool.design.interface_pins())
        if nets := found.get("of_objects", found.get("of", "")):
            ends = {path for net in elements(nets) for path in self._ends(net)}
            handles = [self._interface_pin(p) for p in paths if p in ends]
        else:
            handles = [
                self._interface_pin(p)
                for p in paths
                if any(fnmatchcase(p[1:], x.lstrip("/")) for x in patterns)
            ]
        if "filter" in found:
            return [h for h in handles if chosen([self._tool.object(h)], found["filter"])]
        return self._some(handles, "get_bd_intf_pins", words)

    def _ends(self, handle: str) -> tuple[str, ...]:
        if self._tool.object(handle).kind == "interface net":
            return self._tool.design.interface_nets[handle]
        cell = handle[1:]
        return tuple(f"/{cell}/{name}" for name in self._tool.design.cells[cell].component.interfaces)

    def _interface_pin(self, path: str) -> str:
        interface = dict(self._tool.design.interface_pins())[path]
        properties = {"NAME": interface.name, "MODE": interface.mode}
        if interface.address_width:
            properties["CONFIG.ADDR_WIDTH"] = str(interface.address_width)
        return self._tool.handle(Obj("interface pin", path, properties))

    def tcl_get_bd_intf_nets(self, *words: str) -> list[str]:
        found, names = options(words, ("quiet",), FILTER)
        of = found.get("of_objects", found.get("of"))
        nets = [n for n, ends in self._tool.design.interface_nets.items() if n in names or of in ends]
        return [self._tool.handle(Obj("interface net", n)) for n in nets]

    @staticmethod
    def _some(handles: list[str], command: str, patterns: tuple[str, ...]) -> list[str]:
        if not handles and patterns:
            raise ScriptError(f"{command}: nothing matches {' '.join(patterns)}")
        return handles

    def tcl_connect_bd_net(self, *words: str) -> str:
        self._tool.design.connect([path for word in words for path in elements(word)])
        return ""

    def tcl_connect_bd_intf_net(self, *words: str) -> str:
        _, ends = options(words, (), ("boundary_type",))
        one, other = ends
        self._tool.design.connect_interfaces(one, other)
        return ""

    def tcl_make_bd_pins_external(self, pin: str) -> str:
        self._tool.design.make_external(pin)
        return ""

    def tcl_make_bd_intf_pins_external(self, pin: str) -> str:
        self._tool.design.make_interface_external(pin)
        return ""

    def tcl_get_bd_addr_segs(self, pattern: str) -> list[str]:
        self._known_segments()
        names = [n for n in self._tool.design.segments if fnmatchcase(n, pattern)]
        return self._some([self._segment(n) for n in names], "get_bd_addr_segs", (pattern,))

    def _known_segments(self) -> None:
        """Slaves of AXI-Lite have a segment before it is placed."""
        for path, interface in self._tool.design.interface_pins():
            if interface.kind == AXILITE and interface.mode == "Slave":
                self._tool.design.segments.setdefault(f"{path[1:]}/Reg0", Segment(path, 0))

    def _segment(self, name: str) -> str:
        segment = self._tool.design.segments[name]

        def changed(key: str, value: str) -> None:
            number = int(value[:-1]) * UNITS[value[-1]] if value[-1] in UNITS else int(value, 0)
            if key == "offset":
                segment.offset = number
            else:
                segment.size = number

        return self._tool.handle(Obj("segment", name, changed=changed))

    def tcl_assign_bd_address(self, *words: str) -> str:
        found, segments = options(words, (), ("offset", "range"))
        for name in (n for word in segments for n in elements(word)):
            segment = self._tool.design.segments[name]
            segment.offset, segment.size = int(found["offset"], 0), int(found["range"], 0)
        if not segments:
            self._tool.design.assign_addresses()
        return ""

    def tcl_save_bd_design(self) -> str:
        return self._tool.design.name

    def tcl_validate_bd_design(self) -> str:
        self._tool.design.validate()
        return ""

    def tcl_make_wrapper(self, *words: str) -> str:
        found, _ = options(words, ("top", "import"), ("files", "fileset"))
        design = self._tool.project.designs[Path(found["files"]).stem]
        if not design.validated:
            raise ScriptError(f"block design {design.name} must be validated before its wrapper is made")
        path = design.folder / "hdl" / f"{design.name}_wrapper.v"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"// {LABEL}\nmodule {design.name}_wrapper;\nendmodule\n")
        if "import" in found:
            self._tool.project.add_file(str(path))
        return str(path)
