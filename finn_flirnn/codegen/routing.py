# SPDX-License-Identifier: BSD-3-Clause
"""Modules that route streams without changing a code: deal, collect, fork, last step."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen.estimate import clog2, fifo_resources
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.template import render
from finn_flirnn.codegen.types import RtlModule, StreamPort
from finn_flirnn.codegen.wrapper import stream_ports
from finn_flirnn.common.files import write_atomically
from finn_flirnn.rtl import library_sources

_WRAPPER = """// SPDX-License-Identifier: BSD-3-Clause
// Generated: $description
module $name (
    input  logic ap_clk,
    input  logic ap_rst_n,
$ports
);
  logic [$high:0] bits;
  $router #($parameters) u_router (
      .clk(ap_clk), .rst_n(ap_rst_n),
      .idat({$idat}),
      .ivld({$ivld}),
      .irdy({$irdy}),
      .odat(bits),
      .ovld({$ovld}),
      .ordy({$ordy})
  );
$assignments
endmodule
"""
DEPTH = 2
"""Words that a router holds, besides the one at its output: enough for a word a cycle."""


@dataclass(frozen=True)
class Router:
    """A routing module of the library: rtl/stream_<kind>.sv with streams of one width.

    parts: inputs of collect, outputs of deal and fork; 1 for last. count: transfers in a row to or from
    one of them; for last: those that are handed on of ``total``; 0 for fork.
    """

    kind: str
    port: StreamPort
    parts: int
    count: int = 0
    total: int = 0

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of the library's module."""
        named = {"collect": {"INPUTS": self.parts}, "last": {"TOTAL": self.total}}
        counts = {} if self.kind == "fork" else {"COUNT": self.count}
        return {
            "WIDTH": self.port.bits,
            **named.get(self.kind, {"OUTPUTS": self.parts}),
            **counts,
            "DEPTH": DEPTH,
        }

    @property
    def inputs(self) -> int:
        """Number of input streams."""
        return self.parts if self.kind == "collect" else 1

    @property
    def outputs(self) -> int:
        """Number of output streams."""
        return 1 if self.kind == "collect" else self.parts

    def emit(self, directory: Path, name: str, multiplier: Multiplier = Multiplier.DSP48E2) -> RtlModule:
        """Write the wrapper as module ``name``; every stream is as wide as ``port``.

        multiplier: of the device; a router has none, but one design has one variant of the library.
        """
        inputs = [self._port(f"in{i}_V") for i in range(self.inputs)]
        outputs = [self._port(f"out{i}_V") for i in range(self.outputs)]
        high, padding = self.port.bits - 1, self.port.padded_bits - self.port.bits
        data = f"{{{padding}'h0, bits}}" if padding else "bits"
        assignments = [f"  assign {port.name}_TDATA = {data};" for port in outputs]
        if padding:
            unused = ", ".join(f"{p.name}_TDATA[{p.padded_bits - 1}:{p.bits}]" for p in inputs)
            assignments += ["  logic unused;", f"  assign unused = &{{1'b0, {unused}}};"]
        text = render(
            _WRAPPER,
            description=f"stream_{self.kind}, {self.inputs} to {self.outputs} streams",
            name=name,
            router=f"stream_{self.kind}",
            ports=",\n".join(
                [stream_ports(p, "input") for p in inputs] + [stream_ports(p, "output") for p in outputs]
            ),
            high=high,
            parameters=", ".join(f".{key}({value})" for key, value in self.parameters.items()),
            idat=_together(inputs, f"TDATA[{high}:0]"),
            ivld=_together(inputs, "TVALID"),
            irdy=_together(inputs, "TREADY"),
            ovld=_together(outputs, "TVALID"),
            ordy=_together(outputs, "TREADY"),
            assignments="\n".join(assignments),
        )
        wrapper = write_atomically(directory / f"{name}.sv", text)
        return RtlModule(
            name,
            directory,
            (*library_sources(multiplier.variant), wrapper),
            (),
            tuple(inputs),
            tuple(outputs),
        )

    def resources(self) -> Resources:
        """Estimated resources: the FIFO, the counter, the turns, and the choice between inputs."""
        places = clog2(self.total or self.count or 1)
        control = Resources(lut=2 * places + self.parts + 4, ff=places + self.parts)
        chosen = Resources(lut=self.port.bits * -(-self.inputs // 3) if self.inputs > 1 else 0)
        return fifo_resources(self.port.bits, DEPTH) + control + chosen

    def _port(self, name: str) -> StreamPort:
        return StreamPort(name, self.port.elements, self.port.format)


def _together(ports: list[StreamPort], signal: str) -> str:
    """A signal of all ports, the first in the least significant place."""
    return ", ".join(f"{port.name}_{signal}" for port in reversed(ports))
