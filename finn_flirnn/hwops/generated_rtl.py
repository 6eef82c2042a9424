# SPDX-License-Identifier: BSD-3-Clause
"""The RTL side of our hardware ops: SystemVerilog from codegen, in the form FINN expects."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend

from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.hwops.stream_op import AttributeTypes, Stream, StreamOp
from finn_flirnn.hwops.verilog_shim import wrap_in_verilog


class GeneratedRtl(StreamOp, RTLBackend):  # type: ignore[misc]
    """A stream op whose hardware codegen writes."""

    @abstractmethod
    def emit(self, directory: Path, name: str) -> RtlModule:
        """Write the hardware of this node into ``directory``, the top module called ``name``."""

    def emit_verilog(self, directory: Path, name: str) -> RtlModule:
        """The same with a top module in plain Verilog, which Vivado places by reference."""
        return wrap_in_verilog(self.emit(directory, f"{name}_engine"), name)

    def get_nodeattr_types(self) -> AttributeTypes:
        """The op's attributes, FINN's, and the files of the generated module.

        rtl_sources, rtl_data: absolute paths, in order of compilation.
        """
        files = {"rtl_sources": ("strings", False, []), "rtl_data": ("strings", False, [])}
        return {**super().get_nodeattr_types(), **files}

    def generate_hdl(self, model: Any, fpgapart: str, clk: float) -> None:
        """Write wrapper and memory files into the node's folder and note them in the node."""
        directory = Path(self.get_nodeattr("code_gen_dir_ipgen")).resolve()
        module = self.emit_verilog(directory, str(self.onnx_node.name))
        self.set_nodeattr("rtl_sources", [str(path.resolve()) for path in module.sources])
        if module.data:  # ONNX cannot store an empty list
            self.set_nodeattr("rtl_data", [str(path.resolve()) for path in module.data])
        self.set_nodeattr("gen_top_module", module.top)
        # FINN takes these two as the sign that there is an IP
        self.set_nodeattr("ipgen_path", str(directory))
        self.set_nodeattr("ip_path", str(directory))

    def rtl_module(self) -> RtlModule:
        """The generated module. Raises ValueError before code generation."""
        if not self.get_nodeattr("gen_top_module"):
            raise ValueError(f"{self.onnx_node.name} has no hardware yet; run FINN's PrepareIP first")
        return RtlModule(
            top=self.get_nodeattr("gen_top_module"),
            directory=Path(self.get_nodeattr("code_gen_dir_ipgen")),
            sources=tuple(Path(path) for path in self.get_nodeattr("rtl_sources")),
            data=tuple(Path(path) for path in self.get_nodeattr("rtl_data")),
            inputs=_ports("in", self.input_streams()),
            outputs=_ports("out", self.output_streams()),
        )

    def get_verilog_top_module_name(self) -> str:
        """The generated top module; it keeps its name when FINN renames the node later."""
        return self.get_nodeattr("gen_top_module") or str(self.onnx_node.name)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Sources in order of compilation."""
        return [path if abspath else Path(path).name for path in self.get_nodeattr("rtl_sources")]

    def code_generation_ipi(self) -> list[str]:
        """Tcl that adds sources and memory files to a Vivado project and places the module."""
        files = [*self.get_nodeattr("rtl_sources"), *self.get_nodeattr("rtl_data")]
        top = self.get_nodeattr("gen_top_module")
        return [
            *(f"add_files -norecurse {path}" for path in files),
            f"create_bd_cell -type module -reference {top} {self.onnx_node.name}",
        ]

    def execute_node(self, context: dict[str, Any], graph: Any) -> None:
        """Run the simulated hardware if exec_mode says "rtlsim", else the integer oracle."""
        if self.get_nodeattr("exec_mode") == "rtlsim":
            RTLBackend.execute_node(self, context, graph)
        else:
            StreamOp.execute_node(self, context, graph)


def _ports(direction: str, streams: list[Stream]) -> tuple[StreamPort, ...]:
    return tuple(StreamPort(f"{direction}{i}_V", s.elements, s.format) for i, s in enumerate(streams))
