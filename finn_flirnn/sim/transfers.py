# SPDX-License-Identifier: BSD-3-Clause
"""Transfers through a compiled module, with stalls on every stream and a check of the protocol."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import nullcontext
from ctypes import POINTER, c_uint8, c_uint64
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from finn_flirnn.codegen import StreamPort
from finn_flirnn.numerics import Codes
from finn_flirnn.sim.library import Instance, RunStruct, SimulationError, StreamStruct, pointer_to
from finn_flirnn.sim.model import CLOCK, RESET, VerilatedModel
from finn_flirnn.sim.packing import WORD, Words, pack, unpack, words_of

Stamps = npt.NDArray[np.uint64]
Ends = npt.NDArray[np.bool_]

RESET_CYCLES = 16
QUIET_CYCLES = 256
PATIENCE = 1_000_000
NEVER = -1
STALL_SCALE = 1 << 32


class Status(IntEnum):
    """Status of shim.cpp."""

    DONE = 0
    NO_TRANSFER = 1
    MAX_CYCLES = 2
    SURPLUS = 3
    UNSTABLE = 4
    FAILED = 5
    FINISHED = 6
    DONE_BEFORE_RESET = 7


class DeadlockError(SimulationError):
    """The design stopped taking or giving before all was done."""


class ProtocolError(SimulationError):
    """The design broke the rules of AXI-Stream, or gave more than it should."""


@dataclass(frozen=True)
class SimulationResult:
    """What a simulation gave.

    outputs: codes (transfers, elements) by stream. cycles: from the first cycle after reset to the one
    of the last transfer, both counted. stamps: the cycle of every transfer, by stream, inputs too; the
    first cycle after reset is 0. ends: TLAST of every transfer of an output that has it, by stream.
    """

    outputs: dict[str, Codes]
    cycles: int
    stamps: dict[str, Stamps]
    ends: dict[str, Ends] = field(default_factory=dict)

    def first_cycle(self, stream: str) -> int:
        """Cycle of the first transfer."""
        return int(self.stamps[stream][0])

    def last_cycle(self, stream: str) -> int:
        """Cycle of the last transfer."""
        return int(self.stamps[stream][-1])

    def steady_cycles(self, stream: str, transfers: int, skip: int = 0) -> float:
        """Mean cycles per ``transfers`` transfers of a stream, without the first ``skip`` such groups.

        Measured between the last transfers of groups, so neither filling nor draining counts. Raises
        ValueError unless two groups at least remain.
        """
        ends = self.stamps[stream][transfers - 1 :: transfers][skip:]
        if len(ends) < 2:
            raise ValueError(
                f"{len(self.stamps[stream])} transfers on {stream} hold {len(ends)} groups of {transfers} "
                f"after the first {skip}; a rate needs two: simulate longer"
            )
        return float(ends[-1] - ends[0]) / (len(ends) - 1)


def simulate(
    model: VerilatedModel,
    inputs: Mapping[str, Codes],
    outputs: Mapping[str, int],
    *,
    ends: Mapping[str, Ends] | None = None,
    stalls: float | Mapping[str, float] = 0.0,
    pause: int = 1,
    seed: int = 1,
    reset_at: int | None = None,
    max_cycles: int | None = None,
    patience: int = PATIENCE,
    exact: bool = True,
    running: Instance | None = None,
) -> SimulationResult:
    """Send codes into a module's inputs and collect its outputs.

    inputs: codes (transfers, elements) by stream. outputs: number of transfers to collect by stream.
    ends: TLAST of every transfer, by input stream that has it (missing: never).
    stalls: probability, for each cycle, that an input offers nothing though it could and that an output
        is not taken; one number for all streams or one by stream (missing: 0), each in [0, 1).
    pause: such a pause lasts 1 to ``pause`` cycles, all equally likely.
    seed: of the stalls and of the start values of registers without reset.
    reset_at: at this cycle the design is reset once more and everything starts anew; the result is that
        of the second start.
    max_cycles: at most so many (default: no bound). patience: at most so many without any transfer.
    exact: the design must take every input and must give nothing more for 256 cycles after the last
        output; else the run ends with the last output.
    running: go on with this one, without a reset (default: a fresh one, which is reset).
    Raises DeadlockError, ProtocolError (TVALID or TDATA changed while stalled; more outputs than
    stated; padding bits of an output set) or SimulationError (an assertion failed, a memory file is missing).
    """
    if pause < 1:
        raise ValueError(f"pause={pause} must be at least 1 cycle; for no pauses leave stalls at 0")
    module = model.module
    _check_names(model, inputs, outputs, stalls, ends or {})
    ports = [*module.inputs, *module.outputs]
    rng = np.random.default_rng(seed)
    words: list[Words] = [_packed(port, inputs[port.name], rng) for port in module.inputs]
    for port in module.outputs:
        words.append(np.zeros((outputs[port.name], words_of(port.padded_bits)), dtype=np.uint32))
    stamps = [np.zeros(len(data), dtype=np.uint64) for data in words]
    last = [np.zeros(len(data), dtype=np.uint8) for data in words]
    for port, flags in zip(module.inputs, last, strict=False):
        flags[:] = (ends or {}).get(port.name, False)
    streams = (StreamStruct * len(ports))()
    for i, port in enumerate(ports):
        streams[i] = StreamStruct(
            data_port=model.port(f"{port.name}_TDATA"),
            valid_port=model.port(f"{port.name}_TVALID"),
            ready_port=model.port(f"{port.name}_TREADY"),
            last_port=model.port(f"{port.name}_TLAST") if port.last else NEVER,
            input=i < len(module.inputs),
            words=pointer_to(words[i]),
            last=last[i].ctypes.data_as(POINTER(c_uint8)),
            stamps=stamps[i].ctypes.data_as(POINTER(c_uint64)),
            count=len(words[i]),
            stall=_probability(stalls, port.name),
            pause=pause,
        )
    run = RunStruct(
        clock_port=model.port(CLOCK),
        reset_port=model.port(RESET),
        streams=len(ports),
        exact=exact,
        seed=seed,
        max_cycles=NEVER if max_cycles is None else max_cycles,
        patience=patience,
        reset_at=NEVER if reset_at is None else reset_at,
        reset_cycles=RESET_CYCLES if running is None else 0,
        quiet_cycles=QUIET_CYCLES,
    )
    fresh = Instance(model.library, module.directory, seed) if running is None else nullcontext(running)
    with fresh as instance:
        if running is None:
            model.rest(instance)
        status = Status(instance.run_streams(streams, run))
        _raise_on_failure(status, instance.message, module.top, ports, streams, run)
    collected = zip(module.outputs, words[len(module.inputs) :], strict=True)
    return SimulationResult(
        outputs={port.name: _unpacked(module.top, port, data) for port, data in collected},
        cycles=int(run.cycles),
        stamps={port.name: stamps[i][: streams[i].done] for i, port in enumerate(ports)},
        ends={
            port.name: last[len(module.inputs) + i].astype(bool)
            for i, port in enumerate(module.outputs)
            if port.last
        },
    )


def _check_names(
    model: VerilatedModel,
    inputs: Mapping[str, Codes],
    outputs: Mapping[str, int],
    stalls: float | Mapping[str, float],
    ends: Mapping[str, Ends],
) -> None:
    names = {
        "inputs": (set(inputs), {port.name for port in model.module.inputs}),
        "outputs": (set(outputs), {port.name for port in model.module.outputs}),
    }
    for what, (given, there) in names.items():
        if given != there:
            raise ValueError(f"{what} name {sorted(given)}; {model.module.top} has {sorted(there)}: name all")
    if isinstance(stalls, Mapping) and (unknown := set(stalls) - set(inputs) - set(outputs)):
        raise ValueError(f"stalls name {sorted(unknown)}; streams are {sorted({*inputs, *outputs})}")
    with_last = {port.name for port in model.module.inputs if port.last}
    if unknown := set(ends) - with_last:
        raise ValueError(f"ends name {sorted(unknown)}; inputs with TLAST are {sorted(with_last)}")


def _packed(port: StreamPort, codes: Codes, rng: np.random.Generator) -> Words:
    if codes.ndim != 2 or codes.shape[1] != port.elements:
        raise ValueError(
            f"codes of {port.name} must have shape (transfers, {port.elements}), not {codes.shape}; "
            "reshape them"
        )
    words = pack(codes, port.format)
    # anything may come in the padding of an input (docs/numerics.md, section 7), so anything does
    words[:, -1] |= _padding_mask(port) & rng.integers(0, 1 << WORD, len(words), dtype=np.uint32)
    return words


def _unpacked(top: str, port: StreamPort, words: Words) -> Codes:
    if (words[:, -1] & _padding_mask(port)).any():
        raise ProtocolError(
            f"{top}: the {port.padded_bits - port.bits} padding bits of {port.name} must be 0"
        )
    return unpack(words, port.elements, port.format)


def _padding_mask(port: StreamPort) -> np.uint32:
    """Padding bits in the last word of a transfer; they never begin a word of their own."""
    first = port.bits - WORD * (words_of(port.bits) - 1)
    return np.uint32(((1 << (port.padded_bits - port.bits)) - 1) << first)


def _probability(stalls: float | Mapping[str, float], name: str) -> int:
    value = stalls.get(name, 0.0) if isinstance(stalls, Mapping) else stalls
    if not 0 <= value < 1:
        raise ValueError(f"stalls={value} of {name} must lie in [0, 1); at 1 nothing would ever move")
    return int(value * STALL_SCALE)


def _raise_on_failure(
    status: Status,
    message: str,
    top: str,
    ports: list[StreamPort],
    streams: ctypes.Array[StreamStruct],
    run: RunStruct,
) -> None:
    if status is Status.DONE:
        return
    state = "".join(
        f"\n  {port.name}: {'waits' if s.done < s.count else 'complete'}, {s.done} of {s.count} transfers, "
        f"TVALID={s.valid} TREADY={s.ready}"
        for port, s in zip(ports, streams, strict=True)
    )
    culprit = ports[run.culprit].name
    if status is Status.NO_TRANSFER:
        raise DeadlockError(f"{top}: no transfer for {run.patience} cycles, at cycle {run.cycles}:{state}")
    if status is Status.MAX_CYCLES:
        raise DeadlockError(f"{top}: not done after max_cycles={run.max_cycles}:{state}")
    if status is Status.SURPLUS:
        raise ProtocolError(f"{top}: {culprit} gives more than it should, at cycle {run.cycles}:{state}")
    if status is Status.UNSTABLE:
        raise ProtocolError(
            f"{top}: {culprit} changed TVALID or TDATA before TREADY came, at cycle {run.cycles}:{state}"
        )
    if status is Status.DONE_BEFORE_RESET:
        raise ValueError(f"{top} was done after {run.cycles} cycles; reset_at={run.reset_at} must be less")
    if status is Status.FINISHED:
        raise SimulationError(f"{top}: the design called $finish at cycle {run.cycles}")
    raise SimulationError(f"{top}: at cycle {run.cycles}: {message}")
