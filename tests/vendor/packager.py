# SPDX-License-Identifier: BSD-3-Clause
"""Vivado's IP packager: the commands of the namespace ipx."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vendor.block_design import BlockDesign
from tests.vendor.component import AXILITE, Component, of_ports, write_component
from tests.vendor.objects import Obj
from tests.vendor.rtl_ports import elaborate
from tests.vendor.tcl import Command, ScriptError, Value, options

if TYPE_CHECKING:
    from tests.vendor.vivado import Vivado

OF = ("of_objects", "of", "type")


class Packager:
    """The core that is being packaged."""

    def __init__(self, tool: Vivado) -> None:
        self._tool = tool
        self._core: Component | None = None
        self._root = Path()
        self._maps: dict[str, Obj] = {}
        self._blocks: list[tuple[str, str]] = []
        self._checked = False

    def commands(self) -> dict[str, Command]:
        """Tcl name -> function."""
        own: dict[str, Callable[..., Value]] = {
            f"ipx::{name.removeprefix('ipx_')}": getattr(self, name)
            for name in dir(self)
            if name.startswith("ipx_")
        }
        return own

    def _open(self) -> Component:
        if self._core is None:
            raise ScriptError("no core is open in the packager")
        return self._core

    def _handle(self) -> str:
        return self._tool.handle(Obj("core", self._open().vlnv, changed=self._rename), "component_1")

    def _rename(self, name: str, value: str) -> None:
        core = self._open()
        vendor, library, old, version = core.vlnv.split(":")
        new = {"name": value, "version": version} if name == "name" else {"name": old, "version": version}
        if name == "version":
            new["version"] = value
        core.vlnv = f"{vendor}:{library}:{new['name']}:{new['version']}"

    def ipx_package_project(self, *words: str) -> str:
        found, _ = options(
            words, ("import_files", "force"), ("root_dir", "vendor", "library", "taxonomy", "module")
        )
        project, module = self._tool.project, found["module"]
        vlnv = f"{found['vendor']}:{found['library']}:{module}:1.0"
        self._root = Path(found["root_dir"])
        if module in project.designs:
            design = project.designs[module]
            if not design.validated or project.top != f"{module}_wrapper":
                raise ScriptError(f"{module} must be validated, wrapped and top before it is packaged")
            self._core = _of_design(vlnv, design)
        elif module == project.top:
            interface = elaborate(module, project.sources())
            self._core = of_ports(vlnv, interface.ports, interface.parameters)
        else:
            raise ScriptError(f"the project has no top module {module}")
        if "import_files" not in found:
            raise ScriptError("package_project without -import_files leaves an IP that needs other folders")
        source = self._root / "src"
        source.mkdir(parents=True, exist_ok=True)
        for path in map(Path, project.files):
            if (source / path.name).exists():
                raise ScriptError(f"two files of the project are called {path.name}; the IP takes one")
            shutil.copyfile(path, source / path.name)
            self._core.files.append(Path("src") / path.name)
        return self._handle()

    def ipx_current_core(self) -> str:
        return self._handle()

    def ipx_find_open_core(self, vlnv: str) -> str:
        if vlnv != self._open().vlnv:
            raise ScriptError(f"no open core {vlnv}, it is {self._open().vlnv}")
        return self._handle()

    def ipx_get_address_spaces(self, name: str, *words: str) -> str:
        options(words, (), OF)
        if name not in self._open().interfaces:
            raise ScriptError(f"the core has no address space {name}")
        return name

    def ipx_remove_segment(self, *words: str) -> str:
        options(words, ("quiet",), ())
        return ""

    def ipx_create_xgui_files(self, core: str) -> str:
        self._tool.object(core)
        (self._root / "xgui").mkdir(exist_ok=True)
        return ""

    def ipx_get_bus_interfaces(self, *words: str) -> list[str]:
        _, names = options(words, (), OF)
        core = self._open()
        known = [*core.interfaces, *(pin.name for pin in core.pins.values() if pin.kind != "data")]
        unknown = set(names) - set(known)
        if unknown:
            raise ScriptError(f"the core has no bus interface {', '.join(sorted(unknown))}, but {known}")
        return [self._tool.handle(Obj("bus interface", f"bus:{n}")) for n in names or known]

    def ipx_get_bus_parameters(self, *words: str) -> list[str]:
        found, _ = options(words, (), OF)
        buses = found.get("of", found.get("of_objects", "")).split()
        return [self._tool.handle(Obj("bus parameter", f"{bus}.parameters")) for bus in buses]

    def ipx_add_bus_parameter(self, name: str, bus: str) -> str:
        return self._tool.handle(Obj("bus parameter", f"{self._tool.object(bus).name}.{name}"))

    def ipx_associate_bus_interfaces(self, *words: str) -> str:
        found, (handle,) = options(words, (), ("busif", "clock"))
        self._tool.object(handle)
        core = self._open()
        if found["busif"] not in core.interfaces or found["clock"] not in core.pins:
            raise ScriptError(f"the core has no bus {found['busif']} or no clock {found['clock']}")
        core.interfaces[found["busif"]] = replace(core.interfaces[found["busif"]], clock=found["clock"])
        return ""

    def ipx_add_file_group(self, *words: str) -> str:
        _, names = options(words, (), OF)
        return self._tool.handle(Obj("file group", f"group:{names[0]}"))

    def ipx_get_file_groups(self, *words: str) -> list[str]:
        _, names = options(words, ("quiet",), OF)
        return [self._tool.handle(Obj("file group", f"group:{name}")) for name in names]

    def ipx_add_file(self, name: str, group: str) -> str:
        if not (self._root / name).is_file():
            raise ScriptError(f"the core's folder has no {name}")
        self._open().files.append(Path(name))
        return self._tool.handle(Obj("ip file", f"{group}/{name}", {"NAME": name}))

    def ipx_get_files(self, *words: str) -> list[str]:
        found, patterns = options(words, (), OF)
        group = found.get("of_objects", found.get("of", ""))
        names = [str(path) for path in self._open().files]
        chosen = [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
        return [self._tool.handle(Obj("ip file", f"{group}/{name}", {"NAME": name})) for name in chosen]

    def ipx_remove_all_file(self, group: str) -> str:
        self._tool.object(group)
        self._open().files.clear()
        return ""

    def ipx_remove_file_group(self, name: str, core: str) -> str:
        self._tool.object(core)
        return name

    def ipx_add_memory_map(self, name: str, core: str) -> str:
        self._tool.object(core)
        self._maps[name] = Obj("memory map", f"map:{name}")
        return self._tool.handle(self._maps[name])

    def ipx_get_memory_maps(self, *words: str) -> list[str]:
        found, names = options(words, ("quiet",), OF)
        handles = [self._tool.handle(m) for name, m in self._maps.items() if not names or name in names]
        if not handles and "quiet" not in found:
            raise ScriptError(f"the core has no memory map {' '.join(names)}")
        return handles

    def ipx_get_address_blocks(self, *words: str) -> list[str]:
        found, _ = options(words, (), OF)
        maps = set(found.get("of", found.get("of_objects", "")).split())
        return [handle for of, handle in self._blocks if of in maps]

    def ipx_add_address_block(self, name: str, memory_map: str) -> str:
        bus = self._tool.object(memory_map).name.removeprefix("map:")
        core = self._open()
        if bus not in core.interfaces or core.interfaces[bus].kind != AXILITE:
            raise ScriptError(f"{bus} is no AXI-Lite interface of the core")

        def changed(key: str, value: str) -> None:
            core.ranges[bus] = int(float(value))

        handle = self._tool.handle(Obj("address block", f"{memory_map}/{name}", changed=changed))
        self._blocks.append((memory_map, handle))
        return handle

    def ipx_update_checksums(self, core: str) -> str:
        self._tool.object(core)
        self._checked = True
        return ""

    def ipx_save_core(self, core: str) -> str:
        self._tool.object(core)
        if not self._checked:
            raise ScriptError("update_checksums must come before save_core")
        core = self._open()
        missing = [i.name for i in core.interfaces.values() if not i.clock]
        if missing:
            raise ScriptError(f"bus interfaces without a clock: {', '.join(missing)}")
        for slave in core.interfaces.values():
            is_slave = slave.kind == AXILITE and slave.mode == "Slave"
            if is_slave and core.ranges.get(slave.name, 0) < 1 << slave.address_width:
                raise ScriptError(f"{slave.name} has no address block of {1 << slave.address_width:#x} bytes")
        write_component(self._open(), self._root / "component.xml")
        return ""


def _of_design(vlnv: str, design: BlockDesign) -> Component:
    """The component whose ports are a block design's."""
    interfaces = {}
    for inner, outer in design.interface_nets.values():
        name = outer[1:]
        if name in design.interface_ports:
            clocks = [p[1:] for p in design.clock_of(inner) if p.count("/") == 1]
            if not clocks:
                raise ScriptError(f"the clock of {name} is no port of {design.name}")
            interfaces[name] = replace(design.interface_ports[name], name=name, clock=clocks[0])
    return Component(vlnv, interfaces, dict(design.ports))
