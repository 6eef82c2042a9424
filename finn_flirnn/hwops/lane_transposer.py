# SPDX-License-Identifier: BSD-3-Clause
"""The abstract FINN op LaneTransposer: pixels one after the other <-> groups of C lanes step by step.

Direction "gather": (groups, C, T, F) -> (groups, T, C, F); "scatter": the reverse. Integer codes.
"""

from __future__ import annotations

import numpy as np

from finn_flirnn.codegen import Direction, Resources, Transposer, transposer_resources
from finn_flirnn.codegen.transposer import LIVE_DEPTH
from finn_flirnn.hwops.attributes import format_from_text, format_to_text
from finn_flirnn.hwops.stream_op import AttributeTypes, Stream, StreamOp
from finn_flirnn.numerics import Codes

__all__ = ["LIVE_DEPTH", "LaneTransposer", "transposer_attributes"]


def transposer_attributes(transposer: Transposer) -> dict[str, str | int]:
    """The attributes of a node."""
    return {
        "direction": str(transposer.direction),
        "steps": transposer.steps,
        "lanes": transposer.lanes,
        "features": transposer.features,
        "PE": transposer.elements,
        "fmt": format_to_text(transposer.format),
    }


class LaneTransposer(StreamOp):
    """A change of order at the accelerator's border.

    With ``partial`` a transfer of pixels may end within a group (TLAST): then the node has one more
    output (gather) or input (scatter), the live lanes of each group.
    """

    def get_nodeattr_types(self) -> AttributeTypes:
        """What the transposer is, and FINN's own attributes.

        PE: features a transfer. groups: in the tensors.
        """
        ours = {
            "direction": ("s", True, "", {str(d) for d in Direction}),
            "steps": ("i", True, 0),
            "lanes": ("i", True, 0),
            "features": ("i", True, 0),
            "fmt": ("s", True, ""),
            "PE": ("i", False, 1),
            "partial": ("i", False, 0, {0, 1}),
            "groups": ("i", False, 1),
        }
        return {**super().get_nodeattr_types(), **ours}

    @property
    def folding(self) -> None:
        """A transposer has no folding of its own: it follows the layer beside it."""
        return None

    @property
    def transposer(self) -> Transposer:
        """The transposer of this node. Raises ValueError if its attributes contradict each other."""
        return Transposer(
            Direction(self.get_nodeattr("direction")),
            self.int_attribute("steps"),
            self.int_attribute("lanes"),
            self.int_attribute("features"),
            self.int_attribute("PE"),
            format_from_text(self.get_nodeattr("fmt")),
            bool(self.get_nodeattr("partial")),
        )

    def input_streams(self) -> list[Stream]:
        """The codes; of a partial scatterer also the live lanes."""
        t = self.transposer
        gather = t.direction is Direction.GATHER
        return [self._stream(pixels=gather), *(self._live() if t.partial and not gather else [])]

    def output_streams(self) -> list[Stream]:
        """The codes in the other order; of a partial gatherer also the live lanes."""
        t = self.transposer
        gather = t.direction is Direction.GATHER
        return [self._stream(pixels=not gather), *(self._live() if t.partial and gather else [])]

    def _stream(self, pixels: bool) -> Stream:
        t = self.transposer
        order = (t.lanes, t.steps) if pixels else (t.steps, t.lanes)
        return Stream((self.int_attribute("groups"), *order, t.features), t.elements, t.format)

    def _live(self) -> list[Stream]:
        return [Stream((self.int_attribute("groups"), 1), 1, self.transposer.live_format)]

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The codes in the other order. Groups are whole here: all lanes are live."""
        result = [inputs[0].swapaxes(1, 2)]
        if len(self.output_streams()) > 1:
            result.append(np.full((len(inputs[0]), 1), self.transposer.lanes - 1))
        return result

    def resources(self) -> Resources:
        """Estimated resources."""
        return transposer_resources(self.transposer)

    def get_exp_cycles(self) -> int:
        """Cycles for the groups of the tensors in steady state."""
        return self.int_attribute("groups") * self.transposer.cycles

    def get_op_and_param_counts(self) -> dict[str, int]:
        """It neither multiplies nor has parameters."""
        return {}
