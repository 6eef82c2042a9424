# SPDX-License-Identifier: BSD-3-Clause
"""Simulations that go on: a few cycles at a time, or transfer after transfer, with what has come."""

from __future__ import annotations

from collections.abc import Mapping
from ctypes import POINTER, c_uint64

import numpy as np

from finn_flirnn.numerics import Codes
from finn_flirnn.sim.library import Instance, RunStruct, SimulationError, StreamStruct, pointer_to
from finn_flirnn.sim.model import CLOCK, RESET, VerilatedModel
from finn_flirnn.sim.packing import pack, unpack, words_of
from finn_flirnn.sim.transfers import NEVER, RESET_CYCLES, SimulationResult, Status, simulate

GOES_ON = (Status.DONE, Status.MAX_CYCLES)


class Session:
    """A running module of one input and one output stream, neither of them ever paused by the simulator."""

    def __init__(self, model: VerilatedModel, seed: int = 1) -> None:
        """Start the module and reset it. Raises ValueError for other streams."""
        module = model.module
        ports = (*module.inputs, *module.outputs)
        if len(module.inputs) != 1 or len(module.outputs) != 1 or any(port.last for port in ports):
            raise ValueError(
                f"{module.top} must have one input and one output stream without TLAST; use simulate()"
            )
        self._model = model
        self._instance = Instance(model.library, module.directory, seed)
        model.rest(self._instance)
        self._reset_cycles = RESET_CYCLES

    @property
    def instance(self) -> Instance:
        """The running module, to look at and to set its other ports between two calls of ``advance``."""
        return self._instance

    def advance(self, codes: Codes, cycles: int) -> tuple[int, Codes]:
        """Run for so many cycles, offering ``codes`` (transfers, elements).

        Returns how many of them were taken, and the codes that came out. Raises SimulationError.
        """
        module = self._model.module
        (source,), (sink,) = module.inputs, module.outputs
        given = pack(codes, source.format)
        taken = np.zeros((cycles, words_of(sink.padded_bits)), dtype=np.uint32)
        stamps = [np.zeros(max(len(words), 1), dtype=np.uint64) for words in (given, taken)]
        streams = (StreamStruct * 2)()
        for i, (port, words) in enumerate(((source, given), (sink, taken))):
            streams[i] = StreamStruct(
                data_port=self._model.port(f"{port.name}_TDATA"),
                valid_port=self._model.port(f"{port.name}_TVALID"),
                ready_port=self._model.port(f"{port.name}_TREADY"),
                last_port=NEVER,
                input=port is source,
                words=pointer_to(words),
                stamps=stamps[i].ctypes.data_as(POINTER(c_uint64)),
                count=len(words),
            )
        run = RunStruct(
            clock_port=self._model.port(CLOCK),
            reset_port=self._model.port(RESET),
            streams=2,
            exact=False,
            max_cycles=cycles,
            patience=cycles,
            reset_at=NEVER,
            reset_cycles=self._reset_cycles,
        )
        status = Status(self._instance.run_streams(streams, run))
        if status not in GOES_ON:
            raise SimulationError(f"{module.top}: {status.name.lower()} {self._instance.message}".strip())
        self._reset_cycles = 0
        return streams[0].done, unpack(taken[: streams[1].done], sink.elements, sink.format)

    def close(self) -> None:
        """Free the model."""
        self._instance.close()


class Running:
    """A module that keeps its state from one batch of transfers to the next."""

    def __init__(self, model: VerilatedModel, seed: int = 1) -> None:
        """Start the module and reset it."""
        self._model, self._seed = model, seed
        self._instance = Instance(model.library, model.module.directory, seed)
        model.rest(self._instance)
        clock, reset = model.port(CLOCK), model.port(RESET)
        for _ in range(RESET_CYCLES):
            for level in (0, 1):
                self._instance.write(clock, level)
                self._instance.evaluate()
        self._instance.write(clock, 0)
        self._instance.write(reset, 1)

    @property
    def instance(self) -> Instance:
        """The running module, to look at and to set its other ports between two batches."""
        return self._instance

    def simulate(
        self, inputs: Mapping[str, Codes], outputs: Mapping[str, int], *, stalls: float = 0.0
    ) -> SimulationResult:
        """Batches of transfers; arguments, result and errors as ``finn_flirnn.sim.simulate``."""
        self._seed += 1  # other pauses every time
        return simulate(self._model, inputs, outputs, stalls=stalls, seed=self._seed, running=self._instance)

    def close(self) -> None:
        """Free the model. May be called again."""
        self._instance.close()
