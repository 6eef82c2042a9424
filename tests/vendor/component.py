# SPDX-License-Identifier: BSD-3-Clause
"""An IP: its ports, the bus interfaces that they form, and its IP-XACT file."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.vendor import LABEL
from tests.vendor.rtl_ports import Port
from tests.vendor.tcl import ScriptError

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
Q = f"{{{SPIRIT}}}"
ET.register_namespace("spirit", SPIRIT)

AXIS, AXIMM, AXILITE = "axis", "aximm", "axilite"
AXIS_SIGNALS = ("TDATA", "TVALID", "TREADY")
CLOCK, RESET, DATA = "clk", "rst", "data"


@dataclass(frozen=True)
class Interface:
    """A bus interface. width: of its data in bits; address_width: of a memory-mapped one."""

    name: str
    kind: str
    mode: str
    width: int
    address_width: int = 0
    clock: str = ""


@dataclass(frozen=True)
class Pin:
    """A port that belongs to no bus interface. optional: an input that may stay open."""

    name: str
    direction: str
    kind: str
    width: int = 1
    optional: bool = False


@dataclass
class Component:
    """An IP or a module as a block design sees it. ranges: of the register maps of its AXI-Lite slaves."""

    vlnv: str
    interfaces: dict[str, Interface]
    pins: dict[str, Pin]
    parameters: set[str] = field(default_factory=set)
    ranges: dict[str, int] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The IP's name."""
        return self.vlnv.split(":")[2]


def of_ports(vlnv: str, ports: Iterable[Port], parameters: Iterable[str] = ()) -> Component:
    """Find the bus interfaces among a module's ports, as Vivado does by their names.

    Raises ScriptError for an interface that lacks a signal.
    """
    ports = list(ports)
    by_name = {port.name: port for port in ports}
    interfaces: dict[str, Interface] = {}
    used: set[str] = set()
    for port in ports:
        head, _, tail = port.name.rpartition("_")
        if tail.upper() == "TVALID":
            interfaces[head] = _stream(head, by_name, tail.islower())
        elif tail.upper() == "AWADDR":
            interfaces[head] = _memory_mapped(head, by_name, tail.islower())
    for name in interfaces:
        used |= {port.name for port in ports if port.name.startswith(f"{name}_")}
    pins = {p.name: Pin(p.name, p.direction, kind_of(p.name), p.width) for p in ports if p.name not in used}
    clocks = [pin.name for pin in pins.values() if pin.kind == CLOCK]
    if len(clocks) == 1:
        interfaces = {
            n: Interface(i.name, i.kind, i.mode, i.width, i.address_width, clocks[0])
            for n, i in interfaces.items()
        }
    for stray in (p for p in pins if p.rpartition("_")[2].upper() in AXIS_SIGNALS):
        raise ScriptError(f"port {stray} of {vlnv} belongs to a stream without TVALID")
    return Component(vlnv, interfaces, pins, set(parameters))


def kind_of(name: str) -> str:
    """Clock, reset or data, by the name of a port."""
    if name.endswith(("clk", "CLK", "clk2x")):
        return CLOCK
    return RESET if name.endswith(("rst_n", "resetn", "RESETN")) else DATA


def _stream(head: str, ports: dict[str, Port], lower: bool) -> Interface:
    names = {s: f"{head}_{s.lower() if lower else s}" for s in AXIS_SIGNALS}
    missing = [name for name in names.values() if name not in ports]
    if missing:
        raise ScriptError(f"stream {head} lacks {', '.join(missing)}")
    master = ports[names["TVALID"]].direction == "out"
    directions = {s: ports[name].direction for s, name in names.items()}
    wanted = {"TDATA": "out", "TVALID": "out", "TREADY": "in"}
    if not master:
        wanted = {s: "in" if d == "out" else "out" for s, d in wanted.items()}
    if directions != wanted:
        raise ScriptError(f"stream {head} has signals in wrong directions: {directions}")
    width = ports[names["TDATA"]].width
    if width % 8:
        raise ScriptError(f"stream {head} is {width} bits wide, which is no whole number of bytes")
    return Interface(head, AXIS, "Master" if master else "Slave", width)


def _memory_mapped(head: str, ports: dict[str, Port], lower: bool) -> Interface:
    def port(signal: str) -> Port:
        name = f"{head}_{signal.lower() if lower else signal}"
        if name not in ports:
            raise ScriptError(f"interface {head} lacks {name}")
        return ports[name]

    address, data = port("AWADDR"), port("WDATA")
    full = f"{head}_{'awlen' if lower else 'AWLEN'}" in ports
    mode = "Master" if address.direction == "out" else "Slave"
    from_slave = {"AWREADY", "WREADY", "BVALID", "BRESP", "ARREADY", "RVALID", "RDATA", "RRESP"}
    from_master = {"AWADDR", "AWVALID", "WDATA", "WSTRB", "WVALID", "BREADY", "ARADDR", "ARVALID", "RREADY"}
    outputs = from_master if mode == "Master" else from_slave
    wrong = [s for s in from_slave | from_master if port(s).direction != ("out" if s in outputs else "in")]
    if wrong:
        raise ScriptError(f"interface {head} has signals in wrong directions: {sorted(wrong)}")
    widths = {"RDATA": data.width, "WSTRB": data.width // 8, "ARADDR": address.width, "BRESP": 2, "RRESP": 2}
    for signal, bits in widths.items():
        if port(signal).width != bits:
            raise ScriptError(f"interface {head} has {signal} of {port(signal).width} bits, not {bits}")
    if not full and data.width not in (32, 64):
        raise ScriptError(f"interface {head} has {data.width} bits; AXI4-Lite has 32 or 64")
    return Interface(head, AXIMM if full else AXILITE, mode, port("WDATA").width, address.width)


def write_component(component: Component, path: Path) -> None:
    """Write the IP-XACT file that ``read_component`` and a person can read."""
    vendor, library, name, version = component.vlnv.split(":")
    root = ET.Element(f"{Q}component")
    for tag, text in (("vendor", vendor), ("library", library), ("name", name), ("version", version)):
        ET.SubElement(root, Q + tag).text = text
    buses = ET.SubElement(root, f"{Q}busInterfaces")
    for i in component.interfaces.values():
        fields = {"kind": i.kind, "mode": i.mode, "width": i.width, "address_width": i.address_width}
        values = {**fields, "clock": i.clock, "range": component.ranges.get(i.name, 0)}
        bus = ET.SubElement(buses, f"{Q}busInterface", {k: str(v) for k, v in values.items()})
        ET.SubElement(bus, f"{Q}name").text = i.name
    ports = ET.SubElement(root, f"{Q}ports")
    for pin in component.pins.values():
        fields = {"direction": pin.direction, "kind": pin.kind, "width": str(pin.width)}
        ET.SubElement(ET.SubElement(ports, f"{Q}port", fields), f"{Q}name").text = pin.name
    files = ET.SubElement(ET.SubElement(root, f"{Q}fileSets"), f"{Q}fileSet")
    for file in component.files:
        ET.SubElement(ET.SubElement(files, f"{Q}file"), f"{Q}name").text = str(file)
    ET.SubElement(root, f"{Q}description").text = LABEL
    ET.indent(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(root).write(path, xml_declaration=True, encoding="unicode")


def vlnv_of(path: Path) -> str:
    """The VLNV of an IP-XACT file."""
    root = ET.parse(path).getroot()
    return ":".join(root.findtext(Q + tag, "") for tag in ("vendor", "library", "name", "version"))


def read_component(path: Path) -> Component:
    """Read what ``write_component`` wrote. Raises ScriptError if a file of the IP is not there."""
    root = ET.parse(path).getroot()
    component = Component(vlnv_of(path), {}, {})
    for bus in root.iter(f"{Q}busInterface"):
        name, get = bus.findtext(f"{Q}name", ""), bus.attrib
        component.interfaces[name] = Interface(
            name, get["kind"], get["mode"], int(get["width"]), int(get["address_width"]), get["clock"]
        )
        if int(get["range"]):
            component.ranges[name] = int(get["range"])
    for port in root.iter(f"{Q}port"):
        name, get = port.findtext(f"{Q}name", ""), port.attrib
        component.pins[name] = Pin(name, get["direction"], get["kind"], int(get["width"]))
    for file in root.iter(f"{Q}file"):
        component.files.append(path.parent / file.findtext(f"{Q}name", ""))
    missing = [str(file) for file in component.files if not file.is_file()]
    if missing:
        raise ScriptError(f"{path} names files that do not exist: {', '.join(missing)}")
    return component
