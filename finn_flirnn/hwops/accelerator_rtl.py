# SPDX-License-Identifier: BSD-3-Clause
"""The FINN op Accelerator_rtl: a whole stitched design with its control registers as one node.

It takes the place of a finished graph for FINN's shell, so that the bitstream holds the very files that were
simulated, hashed and compared with the oracle, and an AXI4-Lite slave beside the streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from finn_flirnn.codegen import Resources, RtlModule, StreamPort, emit_accelerator
from finn_flirnn.codegen.accelerator import AXI_LITE
from finn_flirnn.hwops.attributes import format_from_text, format_to_text
from finn_flirnn.hwops.generated_rtl import GeneratedRtl
from finn_flirnn.hwops.stream_op import AttributeTypes, Stream
from finn_flirnn.numerics import Codes

EDGE_FIFO_DEPTH = 32
"""Transfers buffered at the accelerator's borders: what one shift register per bit holds."""


def accelerator_attributes(
    core: RtlModule,
    build_id: str,
    shapes: tuple[Sequence[int], Sequence[int]],
    cycles: int,
    resources: Resources,
) -> dict[str, Any]:
    """The attributes of a node.

    shapes: of the tensors in and out, one group. cycles: of a group, in steady state. resources: estimated.
    Raises ValueError for a core with other streams than one in and one out.
    """
    if len(core.inputs) != 1 or len(core.outputs) != 1:
        raise ValueError(f"{core.top} must have one input and one output stream; stitch the whole network")
    ports = (("in", core.inputs[0], shapes[0]), ("out", core.outputs[0], shapes[1]))
    streams = {
        f"{side}_{key}": value
        for side, port, shape in ports
        for key, value in (
            ("shape", [int(size) for size in shape]),
            ("elements", port.elements),
            ("fmt", format_to_text(port.format)),
            ("last", int(port.last)),
        )
    }
    files = {
        "core_sources": [str((core.directory / path).resolve()) for path in core.sources],
        "core_data": [str((core.directory / path).resolve()) for path in core.data],
        "core_idle": list(core.idle),
    }
    return {
        **streams,
        **{key: value for key, value in files.items() if value},  # ONNX cannot store an empty list
        "core_top": core.top,
        "build_id": build_id,
        "cycles_estimate": cycles,
        "estimate": [float(value) for value in astuple(resources)],
        "inFIFODepths": [EDGE_FIFO_DEPTH],
        "outFIFODepths": [EDGE_FIFO_DEPTH],
    }


class Accelerator_rtl(GeneratedRtl):
    """A finished design; what computes it layer by layer is the graph that it was made of."""

    def get_nodeattr_types(self) -> AttributeTypes:
        """The core's files and streams, and FINN's own attributes.

        estimate: of the layers together, in the order of ``Resources``; cycles_estimate is FINN's.
        """
        sides = {
            f"{side}_{key}": kind
            for side in ("in", "out")
            for key, kind in (
                ("shape", ("ints", True, [])),
                ("elements", ("i", True, 0)),
                ("fmt", ("s", True, "")),
                ("last", ("i", False, 0, {0, 1})),
            )
        }
        ours = {
            "core_top": ("s", True, ""),
            "core_sources": ("strings", True, []),
            "core_data": ("strings", False, []),
            "core_idle": ("strings", False, []),
            "build_id": ("s", True, ""),
            "estimate": ("floats", True, []),
        }
        return {**super().get_nodeattr_types(), **sides, **ours}

    @property
    def core(self) -> RtlModule:
        """The design without registers."""
        sources = tuple(Path(path) for path in self.get_nodeattr("core_sources"))
        return RtlModule(
            top=self.get_nodeattr("core_top"),
            directory=sources[-1].parent,
            sources=sources,
            data=tuple(Path(path) for path in self.get_nodeattr("core_data")),
            inputs=(self._port("in"),),
            outputs=(self._port("out"),),
            idle=tuple(self.get_nodeattr("core_idle")),
        )

    def input_streams(self) -> list[Stream]:
        """The network's input."""
        return [self._stream("in")]

    def output_streams(self) -> list[Stream]:
        """The network's output."""
        return [self._stream("out")]

    def _port(self, side: str) -> StreamPort:
        fmt = format_from_text(self.get_nodeattr(f"{side}_fmt"))
        last = bool(self.get_nodeattr(f"{side}_last"))
        return StreamPort(f"{side}0_V", self.int_attribute(f"{side}_elements"), fmt, last)

    def _stream(self, side: str) -> Stream:
        port = self._port(side)
        return Stream(tuple(self.get_nodeattr(f"{side}_shape")), port.elements, port.format)

    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the top module around the core's files."""
        (source,), (sink,) = self.input_streams(), self.output_streams()
        transfers = (source.transfers, sink.transfers)
        return emit_accelerator(self.core, directory, name, self.get_nodeattr("build_id"), transfers)

    def emit_verilog(self, directory: Path, name: str) -> RtlModule:
        """The same: it is plain Verilog already."""
        return self.emit(directory, name)

    def get_verilog_top_module_intf_names(self) -> dict[str, Any]:
        """FINN's streams, clock and reset, and the registers, which its shell then connects."""
        return {**super().get_verilog_top_module_intf_names(), "axilite": [AXI_LITE]}

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """Not here. Raises RuntimeError."""
        raise RuntimeError(f"{self.onnx_node.name} is hardware only; execute the graph that it was made of")

    def resources(self) -> Resources:
        """Estimated resources of the layers."""
        lut, ff, dsp, bram36, uram = self.get_nodeattr("estimate")
        return Resources(int(lut), int(ff), int(dsp), bram36, int(uram))

    def get_exp_cycles(self) -> int:
        """Cycles of a group in steady state."""
        return self.int_attribute("cycles_estimate")

    def get_op_and_param_counts(self) -> dict[str, int]:
        """Counted in the graph of its layers."""
        return {}
