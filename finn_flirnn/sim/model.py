# SPDX-License-Identifier: BSD-3-Clause
"""A generated module as a compiled, cycle-accurate model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.sim.library import Instance
from finn_flirnn.sim.tools import ToolError
from finn_flirnn.sim.verilator import Library, verilate

CLOCK, RESET = "ap_clk", "ap_rst_n"


@dataclass(frozen=True)
class VerilatedModel:
    """A compiled module. Memory files are read anew at the start of each simulation."""

    module: RtlModule
    library: Library

    def port(self, name: str) -> int:
        """Number of a port in the library. Raises ToolError if there is none of this name."""
        for number, port in enumerate(self.library.ports):
            if port.name == name:
                return number
        there = ", ".join(port.name for port in self.library.ports)
        raise ToolError(f"module {self.module.top} has no port {name}; it has {there}")

    def rest(self, instance: Instance) -> None:
        """Hold the inputs beside the streams at 0."""
        streams = {f"{port.name}_{part}" for port in self.module.inputs for part in port.signals}
        for name in self.module.idle:
            if name not in streams:
                instance.write(self.port(name), 0)


def build_model(
    module: RtlModule,
    *,
    cache_dir: Path | None = None,
    lint: bool = True,
    parameters: Mapping[str, int] | None = None,
    optimisation: int = 2,
) -> VerilatedModel:
    """Compile a module with Verilator, or find it compiled in the cache.

    The cache knows a model by its sources, not by its memory files: other weights of the same shape
    need no new compilation.

    lint: refuse sources that Verilator's -Wall warns about. parameters: of the top module.
    optimisation: of the C++ compiler; 0 compiles a large netlist fastest, 2 simulates fastest.
    Raises LintError; ToolError if a tool is missing or the ports are not those that ``module`` states.
    """
    for path in module.data:
        if not (module.directory / path).is_file():
            raise ToolError(f"memory file {module.directory / path} does not exist; generate it first")
    sources = [module.directory / source for source in module.sources]
    library = verilate(
        module.top,
        sources,
        parameters=parameters,
        lint=lint,
        optimisation=optimisation,
        cache_dir=cache_dir,
    )
    model = VerilatedModel(module, library)
    _check_ports(model)
    return model


def _check_ports(model: VerilatedModel) -> None:
    module = model.module
    expected = {CLOCK: (1, True), RESET: (1, True)}
    for stream, is_input in _streams(module):
        expected[f"{stream.name}_TDATA"] = (stream.padded_bits, is_input)
        expected[f"{stream.name}_TVALID"] = (1, is_input)
        expected[f"{stream.name}_TREADY"] = (1, not is_input)
        if stream.last:
            expected[f"{stream.name}_TLAST"] = (1, is_input)
    for name, (bits, is_input) in expected.items():
        port = model.library.ports[model.port(name)]
        if (port.bits, port.input) != (bits, is_input):
            raise ToolError(
                f"port {name} of {module.top} must be an {_direction(is_input)} of {bits} bits, "
                f"but is an {_direction(port.input)} of {port.bits}; correct the wrapper or the StreamPort"
            )
    for port in model.library.ports:
        known = {*expected, *module.idle}
        if port.input and port.name not in known and not port.name.endswith("_TLAST"):
            raise ToolError(f"input {port.name} of {module.top} belongs to no stream; nothing would drive it")


def _streams(module: RtlModule) -> list[tuple[StreamPort, bool]]:
    return [(port, True) for port in module.inputs] + [(port, False) for port in module.outputs]


def _direction(is_input: bool) -> str:
    return "input" if is_input else "output"
