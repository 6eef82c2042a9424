# SPDX-License-Identifier: BSD-3-Clause
"""The abstract FINN ops Deal, Collect, Fork and LastStep: streams go their ways, codes stay what they are.

All tensors are groups (1, T, C, features), or (1, C, features) where ``steps`` is 0. All streams of an op
have one width; where a neighbour's differs, the stream between them is converted.
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from finn_flirnn.codegen import Resources, Router, StreamPort
from finn_flirnn.hwops.attributes import format_from_text
from finn_flirnn.hwops.stream_op import LEAST_DEPTH, AttributeTypes, Stream, StreamOp
from finn_flirnn.numerics import Codes

STEPS, LANES = "steps", "lanes"
"""What Deal and Collect divide: time, for one part after the other; or pixels, side by side."""


class Routing(StreamOp):
    """A stream op that routes transfers of one tensor's size."""

    def get_nodeattr_types(self) -> AttributeTypes:
        """The tensor as a whole, its stream, and the parts, besides FINN's own attributes.

        steps, lanes, features: of the whole tensor. elements: codes a transfer. fmt: their format.
        parts: outputs of Deal and Fork, inputs of Collect. axis: what Deal and Collect divide.
        """
        ours = {
            "steps": ("i", True, 0),
            "lanes": ("i", True, 0),
            "features": ("i", True, 0),
            "elements": ("i", True, 0),
            "fmt": ("s", True, ""),
            "parts": ("i", False, 1),
            "axis": ("s", False, STEPS, {STEPS, LANES}),
        }
        return {**super().get_nodeattr_types(), **ours}

    @property
    def parts(self) -> int:
        """Streams on the divided side."""
        return self.int_attribute("parts")

    @property
    def axis(self) -> str:
        """STEPS or LANES."""
        return str(self.get_nodeattr("axis"))

    @property
    def whole(self) -> Stream:
        """The stream of the whole tensor."""
        return self._stream(self.int_attribute("steps"), self.lanes)

    @property
    def part(self) -> Stream:
        """The stream of one of equal parts. Raises ValueError if the tensor has no such parts."""
        size = self.int_attribute(self.axis)
        if size < 1 or size % self.parts:
            raise ValueError(
                f"{self.onnx_node.name}: {self.axis}={size} must be a multiple of parts={self.parts}"
            )
        sizes = {STEPS: self.int_attribute(STEPS), LANES: self.lanes, self.axis: size // self.parts}
        return self._stream(sizes[STEPS], sizes[LANES])

    @property
    def count(self) -> int:
        """Transfers that go to, or come from, one part in a row."""
        return self.part.transfers if self.axis == STEPS else self.part.transfers // self._times

    @property
    def tensor_axis(self) -> int:
        """The divided axis of the tensor."""
        return 1 if self.axis == STEPS or not self.int_attribute(STEPS) else 2

    @abstractmethod
    def router(self) -> Router:
        """The module of the library that does it."""

    def resources(self) -> Resources:
        """Estimated resources."""
        return self.router().resources()

    def get_exp_cycles(self) -> int:
        """Cycles for one group: a transfer of the whole tensor a cycle."""
        return self.whole.transfers

    def _stream(self, steps: int, lanes: int) -> Stream:
        times = (steps,) if self.int_attribute(STEPS) else ()
        shape = (1, *times, lanes, self.int_attribute("features"))
        return Stream(shape, self.int_attribute("elements"), format_from_text(self.get_nodeattr("fmt")))

    def _router(self, kind: str, count: int = 0, total: int = 0) -> Router:
        port = StreamPort("", self.whole.elements, self.whole.format)
        return Router(kind, port, self.parts, count, total)

    @property
    def _times(self) -> int:
        return self.int_attribute(STEPS) or 1


class Deal(Routing):
    """One stream to several: parts of the tensor in order, as ONNX Split."""

    def input_streams(self) -> list[Stream]:
        """The whole."""
        return [self.whole]

    def output_streams(self) -> list[Stream]:
        """The parts."""
        return [self.part] * self.parts

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The tensor, split."""
        return np.split(inputs[0], self.parts, axis=self.tensor_axis)

    def router(self) -> Router:
        """rtl/stream_deal.sv."""
        return self._router("deal", self.count)

    def stream_depths(self) -> tuple[list[int], list[int]]:
        """See ``parts_in_flight``: a part's reader is as many groups behind as there are parts before it."""
        return [LEAST_DEPTH], [self.count * waiting for waiting in parts_in_flight(self)]


class Collect(Routing):
    """Several streams to one: parts of the tensor in order, as ONNX Concat. The inverse of Deal."""

    def input_streams(self) -> list[Stream]:
        """The parts."""
        return [self.part] * self.parts

    def output_streams(self) -> list[Stream]:
        """The whole."""
        return [self.whole]

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The parts, put together."""
        return [np.concatenate(inputs, axis=self.tensor_axis)]

    def router(self) -> Router:
        """rtl/stream_collect.sv."""
        return self._router("collect", self.count)

    def stream_depths(self) -> tuple[list[int], list[int]]:
        """See ``parts_in_flight``: a part's writer is as many groups ahead as there are parts behind it."""
        return [self.count * waiting for waiting in parts_in_flight(self)[::-1]], [LEAST_DEPTH]


class Fork(Routing):
    """One stream to several readers, each of which gets the whole tensor."""

    def input_streams(self) -> list[Stream]:
        """The tensor."""
        return [self.whole]

    def output_streams(self) -> list[Stream]:
        """The tensor, as often as there are parts."""
        return [self.whole] * self.parts

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """Copies."""
        return inputs * self.parts

    def router(self) -> Router:
        """rtl/stream_fork.sv."""
        return self._router("fork")

    def stream_depths(self) -> tuple[list[int], list[int]]:
        """Its readers say how much they let wait."""
        return [LEAST_DEPTH], [LEAST_DEPTH] * self.parts


class LastStep(Routing):
    """The last step of a sequence: (1, T, C, features) -> (1, C, features)."""

    def input_streams(self) -> list[Stream]:
        """The sequence."""
        return [self.whole]

    def output_streams(self) -> list[Stream]:
        """Its last step."""
        *_, lanes, features = self.whole.shape
        return [Stream((1, lanes, features), self.whole.elements, self.whole.format)]

    def run_oracle(self, inputs: list[Codes]) -> list[Codes]:
        """The last step."""
        return [inputs[0][:, -1]]

    def router(self) -> Router:
        """rtl/stream_last.sv."""
        return self._router("last", self.output_streams()[0].transfers, self.whole.transfers)

    def stream_depths(self) -> tuple[list[int], list[int]]:
        """A whole state waits without holding up the sequence."""
        return [LEAST_DEPTH], [self.output_streams()[0].transfers]


def parts_in_flight(op: Routing) -> list[int]:
    """How many dealt parts must wait for the reader of each, so that no reader waits for another.

    Parts of time: the readers form a chain. While the first works on group p, reader k works on group
    p - k, so k parts wait for it beside the one that is being dealt. Parts of the lanes: all readers are
    in the same step; one part is read while the next arrives.
    """
    return [k + 1 if op.axis == STEPS else 2 for k in range(op.parts)]
