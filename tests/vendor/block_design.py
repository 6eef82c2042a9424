# SPDX-License-Identifier: BSD-3-Clause
"""A block design: cells, nets and addresses, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.vendor.catalogue import ANY, VENDOR, vendor_component
from tests.vendor.component import AXILITE, AXIMM, AXIS, CLOCK, RESET, Component, Interface, Pin
from tests.vendor.tcl import ScriptError

WINDOWS = {
    "M_AXI_HPM0_FPD": ((0xA000_0000, 0x1000_0000), (0x4_0000_0000, 0x1_0000_0000)),
    "M_AXI_GP0": ((0x4000_0000, 0x4000_0000),),
}
"""Where the processor's master reaches (UG1085 table 10-1, UG585 table 4-1): (base, size)."""

MAY_STAY_OPEN = ("sim_finish",)
"""FINN's shell leaves this input of its simulations open, and Vivado ties it low."""


@dataclass
class Cell:
    """An instance and its configuration."""

    name: str
    component: Component
    config: dict[str, str] = field(default_factory=dict)

    def configure(self, name: str, value: str) -> None:
        """Set a parameter. Raises ScriptError if the IP has none of that name."""
        if name not in self.component.parameters:
            raise ScriptError(f"{self.component.vlnv} has no parameter {name}")
        self.config[name] = value
        if self.component.vlnv in VENDOR:
            self.component = vendor_component(self.component.vlnv, self.config)


@dataclass
class Segment:
    """A slave's registers, or memory beyond an external master, in an address space."""

    name: str
    size: int
    offset: int | None = None


@dataclass
class BlockDesign:
    """Paths are "/cell/pin" and, for ports, "/port". Nets hold paths."""

    name: str
    folder: Path
    cells: dict[str, Cell] = field(default_factory=dict)
    ports: dict[str, Pin] = field(default_factory=dict)
    interface_ports: dict[str, Interface] = field(default_factory=dict)
    nets: list[set[str]] = field(default_factory=list)
    interface_nets: dict[str, tuple[str, str]] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    validated: bool = False

    def pins(self) -> Iterator[tuple[str, Pin]]:
        """All pins of cells."""
        for cell in self.cells.values():
            yield from ((f"/{cell.name}/{name}", pin) for name, pin in cell.component.pins.items())

    def interface_pins(self) -> Iterator[tuple[str, Interface]]:
        """All interface pins of cells."""
        for cell in self.cells.values():
            yield from ((f"/{cell.name}/{name}", i) for name, i in cell.component.interfaces.items())

    def add(self, cell: Cell) -> None:
        """Add a cell. Raises ScriptError if there is one of its name."""
        if cell.name in self.cells:
            raise ScriptError(f"there is a cell {cell.name} already")
        self.cells[cell.name] = cell
        self.validated = False

    def connect(self, paths: list[str]) -> None:
        """Put pins and ports on one net."""
        together = {*paths}.union(*(net for net in self.nets if net & {*paths}))
        self.nets = [net for net in self.nets if not net & together] + [together]
        pins = dict(self.pins())
        kinds = {(pins.get(p) or self.ports[p[1:]]).kind for p in together}
        widths = {(pins.get(p) or self.ports[p[1:]]).width for p in together}
        drivers = [p for p in together if self._drives(p, pins)]
        if len(drivers) > 1:
            raise ScriptError(f"net with two drivers: {', '.join(sorted(drivers))}")
        if len(kinds & {CLOCK, RESET}) > 1 or (len(kinds) > 1 and CLOCK in kinds):
            raise ScriptError(f"net of different kinds {sorted(kinds)}: {', '.join(sorted(together))}")
        if len(widths) > 1:
            raise ScriptError(f"net of different widths {sorted(widths)}: {', '.join(sorted(together))}")
        self.validated = False

    def _drives(self, path: str, pins: dict[str, Pin]) -> bool:
        return pins[path].direction == "out" if path in pins else self.ports[path[1:]].direction == "in"

    def connect_interfaces(self, one: str, other: str) -> None:
        """Join two interface pins. Raises ScriptError unless they fit and are free."""
        known = dict(self.interface_pins())
        first, second = known[one], known[other]
        for path in (one, other):
            if path in self.joined():
                raise ScriptError(f"{path} is connected already")
        if {first.mode, second.mode} != {"Master", "Slave"}:
            raise ScriptError(f"{one} is a {first.mode} and {other} a {second.mode}")
        adapts = ANY in (first.kind, second.kind) and AXIS not in (first.kind, second.kind)
        if first.kind != second.kind and not adapts:
            raise ScriptError(f"{one} is {first.kind} and {other} is {second.kind}")
        if first.width != second.width and not adapts:
            raise ScriptError(f"{one} is {first.width} bits wide and {other} {second.width}")
        master, slave = (one, other) if first.mode == "Master" else (other, one)
        self.interface_nets[master[1:].replace("/", "_")] = (master, slave)
        self.validated = False

    def joined(self) -> set[str]:
        """Paths of all connected interface pins."""
        return {path for net in self.interface_nets.values() for path in net}

    def make_external(self, path: str) -> str:
        """Make a port of a pin, named like it with _0; returns its name."""
        pin = dict(self.pins())[path]
        name = f"{pin.name}_0"
        if name in self.ports:
            raise ScriptError(f"there is a port {name} already")
        self.ports[name] = Pin(name, pin.direction, pin.kind, pin.width)
        self.connect([path, f"/{name}"])
        return name

    def make_interface_external(self, path: str) -> str:
        """Make an interface port of an interface pin, named like it with _0; returns its name."""
        interface = dict(self.interface_pins())[path]
        name = f"{interface.name}_0"
        if name in self.interface_ports or path in self.joined():
            raise ScriptError(f"{path} is connected already, or there is a port {name}")
        self.interface_ports[name] = interface
        self.interface_nets[f"{name}_1"] = (path, f"/{name}")
        return name

    def rename_port(self, old: str, new: str) -> None:
        """Rename a port or interface port."""
        if new in self.ports or new in self.interface_ports:
            raise ScriptError(f"there is a port {new} already")
        if old in self.ports:
            self.ports[new] = replace(self.ports.pop(old), name=new)
        else:
            self.interface_ports[new] = self.interface_ports.pop(old)
        self.nets = [{f"/{new}" if p == f"/{old}" else p for p in net} for net in self.nets]
        for name, (one, other) in self.interface_nets.items():
            self.interface_nets[name] = (one, f"/{new}" if other == f"/{old}" else other)

    def clock_of(self, path: str) -> frozenset[str]:
        """The net that clocks an interface pin."""
        cell, name = path[1:].split("/")
        clock = f"/{cell}/{self.cells[cell].component.interfaces[name].clock}"
        return frozenset(next((net for net in self.nets if clock in net), {clock}))

    def assign_addresses(self) -> None:
        """Give every memory-mapped external master the segment of the memory beyond it."""
        for one, other in self.interface_nets.values():
            port = self.interface_ports.get(other[1:])
            if port is not None and port.kind == AXIMM and port.mode == "Master":
                cell, name = one[1:].split("/")
                path = f"{cell}/Data_{name}/SEG_{other[1:]}_Reg"
                self.segments.setdefault(path, Segment(path, 1 << port.address_width))

    def validate(self) -> None:
        """Raise ScriptError with everything that is wrong."""
        found = [*self._open_pins(), *self._open_interfaces(), *self._clocks(), *self._addresses()]
        if found:
            raise ScriptError(f"block design {self.name}: " + "; ".join(found))
        self.validated = True

    def _open_pins(self) -> Iterator[str]:
        driven = {
            path for net in self.nets if any(self._drives(p, dict(self.pins())) for p in net) for path in net
        }
        for path, pin in self.pins():
            if pin.direction == "out" or pin.optional or pin.name in MAY_STAY_OPEN:
                continue
            if path not in driven:
                yield f"{pin.kind} input {path} is not connected"

    def _open_interfaces(self) -> Iterator[str]:
        joined = self.joined()
        for path, interface in self.interface_pins():
            if path not in joined:
                yield f"{interface.kind} interface {path} is not connected"

    def _clocks(self) -> Iterator[str]:
        for one, other in self.interface_nets.values():
            if other[1:] not in self.interface_ports and self.clock_of(one) != self.clock_of(other):
                yield f"{one} and {other} have different clocks"

    def _addresses(self) -> Iterator[str]:
        slaves = [s for _, s in self.interface_nets.values() if s.count("/") == 2]
        windows = [w for name, w in WINDOWS.items() for p, _ in self.interface_pins() if p.endswith(name)]
        placed: list[tuple[int, int, str]] = []
        for path in slaves:
            cell, name = path[1:].split("/")
            if self.cells[cell].component.interfaces[name].kind == AXILITE:
                segment = self.segments.get(f"{cell}/{name}/Reg0")
                if segment is None or segment.offset is None:
                    yield f"{path} has no address"
                elif segment.size < 1 << self.cells[cell].component.interfaces[name].address_width:
                    yield f"{path} decodes more addresses than its {segment.size:#x} bytes"
                else:
                    placed.append((segment.offset, segment.size, path))
        for offset, size, path in placed:
            if size < 4096 or size & (size - 1) or offset % size:
                yield f"{path} has {size:#x} bytes at {offset:#x}: no aligned power of two of 4 KiB or more"
            if not any(b <= offset and offset + size <= b + s for w in windows for b, s in w):
                yield f"{path} at {offset:#x} is out of the processor's reach"
        placed.sort()
        for (offset, size, path), (after, _, other) in zip(placed, placed[1:], strict=False):
            if offset + size > after:
                yield f"{path} and {other} overlap at {after:#x}"
