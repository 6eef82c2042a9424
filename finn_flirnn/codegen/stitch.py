# SPDX-License-Identifier: BSD-3-Clause
"""Stitch modules into one: every link a FIFO, with a width converter where the two sides differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path

from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.codegen.wrapper import LOAD_DONE, LOAD_INPUTS, load_ports, stream_ports
from finn_flirnn.common.files import write_atomically

_TOP = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $description
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports
);
$body
endmodule
"""

_INSTANCE = """  $module u_$instance (
      .ap_clk(ap_clk), .ap_rst_n(ap_rst_n),
$connections
  );"""

_STAGE = """  logic [$high:0] ${label}_dat;
  logic ${label}_vld, ${label}_rdy;
  $module #($parameters) u_${label} (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .idat($idat), .ivld($ivld), .irdy($irdy),
      .odat(${label}_dat), .ovld(${label}_vld), .ordy(${label}_rdy)
  );"""


@dataclass(frozen=True)
class Instance:
    """A module in the design, under a name of its own."""

    name: str
    module: RtlModule


@dataclass(frozen=True)
class Link:
    """A stream from an output port to an input port, through a FIFO of ``depth`` transfers of the wider one.

    source, target: (instance name, port name).
    """

    source: tuple[str, str]
    target: tuple[str, str]
    depth: int = 4


End = tuple[str, str]
"""An end of a stream: (instance name, port name)."""


def stitch(
    directory: Path,
    name: str,
    instances: Sequence[Instance],
    links: Sequence[Link],
    *,
    inputs: Sequence[End] | None = None,
    outputs: Sequence[End] | None = None,
) -> RtlModule:
    """Write the top module ``name`` that joins the instances by the links.

    Ports without a link become the top's, inputs as in0_V, in1_V, ... and outputs as out0_V, ..., in
    the order of ``inputs`` and ``outputs``, or of the instances. With a module of writable memories it
    has load ports too (codegen/wrapper.py); instances of one module take the same words.
    Raises ValueError if a port is unknown or linked twice, if two formats differ, or if ``inputs`` or
    ``outputs`` are not exactly the ports without a link.
    """
    by_name = {instance.name: instance.module for instance in instances}
    if len(by_name) != len(instances):
        raise ValueError(f"instance names must differ, got {[i.name for i in instances]}")
    sources = {(i.name, p.name): p for i in instances for p in i.module.outputs}
    targets = {(i.name, p.name): p for i in instances for p in i.module.inputs}
    _check_links(links, sources, targets)

    body = [_declare(key, port) for key, port in (*sources.items(), *targets.items())]
    for link in links:
        body += _link(link, sources[link.source], targets[link.target])
    into = _open_ends("inputs", targets, [link.target for link in links], inputs)
    out_of = _open_ends("outputs", sources, [link.source for link in links], outputs)
    given = [replace(targets[key], name=f"in{i}_V") for i, key in enumerate(into)]
    made = [replace(sources[key], name=f"out{i}_V") for i, key in enumerate(out_of)]
    body += [_external_input(port, _signal(key)) for port, key in zip(given, into, strict=True)]
    body += [_external_output(port, _signal(key)) for port, key in zip(made, out_of, strict=True)]
    loads = _load_connections(instances)
    body += [_instantiate(instance, loads.get(instance.name, "")) for instance in instances]
    if loads:
        signals = [f"{i.name}_{LOAD_DONE}" for i in instances if i.name in loads]
        last = [f"{module}_{LOAD_DONE}" for module in _first_of_kind(instances)][-1]
        body = [f"  logic {', '.join(signals)}, load_unused;", *body]
        body.append(f"  assign {LOAD_DONE} = {last};")
        body.append(f"  assign load_unused = &{{1'b0, {', '.join(signals)}}};")

    text = render(
        _TOP,
        description=" and ".join(i.name for i in instances) + ", stitched",
        name=name,
        ports=",\n".join(
            [stream_ports(p, "input") for p in given]
            + [stream_ports(p, "output") for p in made]
            + (load_ports() if loads else [])
        ),
        body="\n".join(body),
    )
    top = write_atomically(directory / f"{name}.sv", text)
    files = dict.fromkeys(s for i in instances for s in i.module.sources)
    data = dict.fromkeys(d for i in instances for d in i.module.data)
    idle = tuple(LOAD_INPUTS) if loads else ()
    return RtlModule(name, directory, (*files, top), tuple(data), tuple(given), tuple(made), idle)


def _check_links(
    links: Sequence[Link],
    sources: dict[tuple[str, str], StreamPort],
    targets: dict[tuple[str, str], StreamPort],
) -> None:
    for side, ports in (("source", sources), ("target", targets)):
        ends = [getattr(link, side) for link in links]
        for end in ends:
            if end not in ports:
                raise ValueError(f"link {side} {end} is not a port of the design; choose from {list(ports)}")
            if ends.count(end) > 1:
                raise ValueError(f"link {side} {end} is linked {ends.count(end)} times; link it once")
    for link in links:
        if sources[link.source].last or targets[link.target].last:
            raise ValueError(f"link {link.source} -> {link.target} has TLAST; a FIFO does not carry it on")
        given, wanted = sources[link.source].format, targets[link.target].format
        if given != wanted:
            raise ValueError(
                f"link {link.source} -> {link.target} joins {given} to {wanted}; make them equal"
            )


def _open_ends(
    what: str, ports: dict[End, StreamPort], linked: list[End], order: Sequence[End] | None
) -> list[End]:
    """The ports without a link, in the order wished for."""
    free = [key for key in ports if key not in linked]
    if order is not None and sorted(order) != sorted(free):
        raise ValueError(f"{what}={list(order)} must be the ports without a link, which are {free}")
    return free if order is None else list(order)


def _signal(key: tuple[str, str]) -> str:
    return f"{key[0]}_{key[1]}"


def _declare(key: tuple[str, str], port: StreamPort) -> str:
    signal = _signal(key)
    last = f", {signal}_TLAST" if port.last else ""
    data = f"  logic [{port.padded_bits - 1}:0] {signal}_TDATA;\n"
    return f"{data}  logic {signal}_TVALID, {signal}_TREADY{last};"


def _stage(module: str, label: str, width: int, parameters: str, before: tuple[str, str, str]) -> str:
    return render(
        _STAGE,
        module=module,
        label=label,
        high=width - 1,
        parameters=parameters,
        idat=before[0],
        ivld=before[1],
        irdy=before[2],
    )


def _link(link: Link, source: StreamPort, target: StreamPort) -> list[str]:
    """A FIFO on the wider side, which it can fill or empty at that side's pace; beside it the conversion.

    The conversion narrows to the greatest common width, then widens.
    """
    start, end = _signal(link.source), _signal(link.target)
    label = f"{start}_to_{end}"
    bits, common = source.format.bits, gcd(source.elements, target.elements)
    wider = max(source.bits, target.bits)
    conversion = [
        ("narrow", common * bits, f".WIDTH({common * bits}), .FACTOR({source.elements // common})"),
        ("widen", target.bits, f".WIDTH({common * bits}), .FACTOR({target.elements // common})"),
    ]
    converters = [c for c in conversion if not c[2].endswith(".FACTOR(1)")]
    fifo = ("fifo", wider, f".WIDTH({wider}), .DEPTH({link.depth})")
    stages = []
    before = (f"{start}_TDATA[{source.bits - 1}:0]", f"{start}_TVALID", f"{start}_TREADY")
    for kind, width, parameters in [fifo, *converters] if source.bits >= target.bits else [*converters, fifo]:
        last = f"{label}_{kind}"
        stages.append(_stage(f"stream_{kind}", last, width, parameters, before))
        before = (f"{last}_dat", f"{last}_vld", f"{last}_rdy")
    padding = target.padded_bits - target.bits
    data = f"{{{padding}'h0, {last}_dat}}" if padding else f"{last}_dat"
    stages.append(
        f"  assign {end}_TDATA = {data};\n  assign {end}_TVALID = {last}_vld;\n"
        f"  assign {last}_rdy = {end}_TREADY;"
    )
    if source.padded_bits > source.bits:
        stages.append(
            f"  logic {label}_unused;\n"
            f"  assign {label}_unused = &{{1'b0, {start}_TDATA[{source.padded_bits - 1}:{source.bits}]}};"
        )
    return stages


def _external_input(port: StreamPort, signal: str) -> str:
    last = f"  assign {signal}_TLAST = {port.name}_TLAST;\n" if port.last else ""
    return last + (
        f"  assign {signal}_TDATA = {port.name}_TDATA;\n  assign {signal}_TVALID = {port.name}_TVALID;\n"
        f"  assign {port.name}_TREADY = {signal}_TREADY;"
    )


def _external_output(port: StreamPort, signal: str) -> str:
    last = f"  assign {port.name}_TLAST = {signal}_TLAST;\n" if port.last else ""
    return last + (
        f"  assign {port.name}_TDATA = {signal}_TDATA;\n  assign {port.name}_TVALID = {signal}_TVALID;\n"
        f"  assign {signal}_TREADY = {port.name}_TREADY;"
    )


def _first_of_kind(instances: Sequence[Instance]) -> list[str]:
    """The first instance of every module with writable memories: it says when all of them are written."""
    first = {i.module.top: i.name for i in reversed(instances) if i.module.idle}
    return [i.name for i in instances if first.get(i.module.top) == i.name]


def _load_connections(instances: Sequence[Instance]) -> dict[str, str]:
    """The load ports of each instance that has them: the modules take their words one after the other."""
    connections, turns = {}, {}
    turn = "load_turn"
    for name in _first_of_kind(instances):
        module = next(i.module.top for i in instances if i.name == name)
        turns[module], turn = turn, f"{name}_{LOAD_DONE}"
    for instance in instances:
        if instance.module.idle:
            given = {port: port for port in LOAD_INPUTS} | {"load_turn": turns[instance.module.top]}
            ports = ", ".join(f".{port}({signal})" for port, signal in given.items())
            connections[instance.name] = f",\n      {ports}, .{LOAD_DONE}({instance.name}_{LOAD_DONE})"
    return connections


def _instantiate(instance: Instance, loads: str) -> str:
    connections = ",\n".join(
        f"      .{port.name}_{part}({instance.name}_{port.name}_{part})"
        for port in (*instance.module.inputs, *instance.module.outputs)
        for part in port.signals
    )
    return render(
        _INSTANCE, module=instance.module.top, instance=instance.name, connections=connections + loads
    )
