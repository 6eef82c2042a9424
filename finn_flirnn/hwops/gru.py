# SPDX-License-Identifier: BSD-3-Clause
"""The abstract FINN op GRU: T steps of a GRU layer for a group of C pixels (lanes).

Inputs: x (1, T, C, I) if the layer has an input, then h0 (1, C, H) if it takes an initial state.
Output: the states (1, T, C, H), or the last state (1, C, H). All tensors hold integer codes.
Where two layers have different lanes, the tensors hold several of the smaller groups on their first
axis: (groups, T, C, H), and last states for a layer of ``out_lanes`` lanes (C / out_lanes, out_lanes, H).
"""

from __future__ import annotations

from functools import cached_property

from finn_flirnn.codegen import GruFolding, Resources, estimate_gru, gru_cycles
from finn_flirnn.codegen.types import RamStyle, check_divides
from finn_flirnn.hwops.attributes import RUNTIME_WEIGHTS, gru_attribute_types, gru_layer_of
from finn_flirnn.hwops.stream_op import AttributeTypes, Stream, StreamOp
from finn_flirnn.numerics import Codes, GruLayer


class GRU(StreamOp):
    """A GRU layer; its function is the oracle's, its weights and tables are attributes of the node."""

    def get_nodeattr_types(self) -> AttributeTypes:
        """The layer (attributes.py), its folding, and FINN's own attributes.

        PE: units in parallel. SIMD: state columns in parallel. InputSIMD: input columns in parallel.
        ram_style, park: where the states lie, and whether the last ones wait there (GruFolding).
        CellDSP: whether the products of the cell take DSPs. runtime_writeable_weights: FINN's name for
        weights that can be loaded; here biases and tables too.
        groups: of ``lanes`` pixels in the tensors. out_lanes: of the layer that takes the last states
        (0: as many as here).
        """
        folding = {
            "PE": ("i", False, 1),
            "SIMD": ("i", False, 1),
            "InputSIMD": ("i", False, 1),
            "ram_style": ("s", False, str(RamStyle.AUTO), {str(style) for style in RamStyle}),
            "park": ("i", False, 0, {0, 1}),
            "CellDSP": ("i", False, 1, {0, 1}),
            RUNTIME_WEIGHTS: ("i", False, 0, {0, 1}),
            "groups": ("i", False, 1),
            "out_lanes": ("i", False, 0),
        }
        return {**super().get_nodeattr_types(), **gru_attribute_types(), **folding}

    @cached_property
    def layer(self) -> GruLayer:
        """The oracle of this node."""
        return gru_layer_of(self)

    @property
    def steps(self) -> int:
        """Time steps T."""
        return self.int_attribute("steps")

    @property
    def folding(self) -> GruFolding:
        """The folding. Raises ValueError if it does not fit the layer."""
        folding = GruFolding(
            pe=self.int_attribute("PE"),
            simd=self.int_attribute("SIMD"),
            input_simd=self.int_attribute("InputSIMD"),
            lanes=self.int_attribute("lanes"),
            ram_style=RamStyle(self.get_nodeattr("ram_style")),
            park=bool(self.get_nodeattr("park")),
            cell_dsp=bool(self.get_nodeattr("CellDSP")),
            runtime_weights=bool(self.get_nodeattr(RUNTIME_WEIGHTS)),
        )
        folding.check(self.layer.hidden, self.layer.inputs)
        return folding

    @property
    def groups(self) -> int:
        """Groups of lanes in the tensors."""
        return self.int_attribute("groups")

    @property
    def out_lanes(self) -> int:
        """Lanes of the groups in which the output leaves. Raises ValueError if they do not divide C."""
        lanes, out_lanes = self.folding.lanes, self.int_attribute("out_lanes")
        if out_lanes:
            if self.layer.sequence:
                raise ValueError("out_lanes is for a layer that gives its last state, not its sequence")
            check_divides(out_lanes, "out_lanes", lanes, "lanes")
        return out_lanes or lanes

    def input_streams(self) -> list[Stream]:
        """The input, if there is one, then the initial state, if there is one."""
        layer, folding, formats = self.layer, self.folding, self.layer.formats
        streams = []
        if formats.input is not None:
            shape = (self.groups, self.steps, folding.lanes, layer.inputs)
            streams.append(Stream(shape, folding.input_simd, formats.input))
        if layer.initial_state:
            streams.append(self._state_stream((self.groups, folding.lanes, layer.hidden)))
        return streams

    def output_streams(self) -> list[Stream]:
        """The states, or the last state."""
        steps = (self.steps,) if self.layer.sequence else ()
        groups = self.groups * self.folding.lanes // self.out_lanes
        return [self._state_stream((groups, *steps, self.out_lanes, self.layer.hidden))]

    def _state_stream(self, shape: tuple[int, ...]) -> Stream:
        return Stream(shape, self.folding.cell_pe(self.layer.hidden), self.layer.formats.state)

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The oracle's output; its batch is the lanes of all groups. Without any input: of one group."""
        layer, lanes, rest = self.layer, self.folding.lanes, list(inputs)
        pixels = len(rest[0]) * lanes if rest else self.groups * lanes
        x = rest.pop(0).swapaxes(1, 2).reshape(pixels, self.steps, layer.inputs) if layer.inputs else None
        h0 = rest.pop(0).reshape(pixels, layer.hidden) if layer.initial_state else None
        states = layer.run(x, self.steps, h0, batch=pixels)
        groups = states.reshape(-1, self.out_lanes, *states.shape[1:])
        return [groups.swapaxes(1, 2) if layer.sequence else groups]

    def resources(self) -> Resources:
        """Estimated resources."""
        return estimate_gru(self.layer, self.steps, self.folding, self.multiplier)

    def get_exp_cycles(self) -> int:
        """Cycles for the groups of the tensors in steady state."""
        return self.groups * gru_cycles(self.layer, self.steps, self.folding, self.multiplier)

    def get_op_and_param_counts(self) -> dict[str, int]:
        """Multiply-accumulates of the groups of the tensors, and parameters by kind and width."""
        layer, f = self.layer, self.layer.formats
        positions = self.groups * self.steps * self.folding.lanes
        products = [(f.state.bits, f.weight_hh.bits, layer.weight_hh.size)]
        if layer.weight_ih is not None and f.input is not None and f.weight_ih is not None:
            products.append((f.input.bits, f.weight_ih.bits, layer.weight_ih.size))
        counts: dict[str, int] = {}
        for data_bits, weight_bits, weights in products:
            # FINN's names: the narrower operand first
            narrow, wide = sorted((data_bits, weight_bits))
            for key, count in (
                (f"op_mac_{narrow}bx{wide}b", weights * positions),
                (f"param_weight_{weight_bits}b", weights),
            ):
                counts[key] = counts.get(key, 0) + count
        biases = layer.bias_ih.size + (0 if layer.bias_hh is None else layer.bias_hh.size)
        return {
            **counts,
            "param_bias": biases,
            "param_table": layer.gate_table.size + layer.candidate_table.size,
        }
