# SPDX-License-Identifier: BSD-3-Clause
"""Simulated hardware against the oracle: what goes in, what must come out, how many codes differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from finn_flirnn.driver.order import StreamOrder
from finn_flirnn.driver.packing import to_groups
from finn_flirnn.numerics import Codes, Format, Seq2SeqNetwork
from finn_flirnn.sim import VerilatedModel, simulate

if TYPE_CHECKING:  # it imports FINN
    from finn_flirnn.hwops.stream_op import StreamOp

STALLS = 0.3
"""Probability that a stream pauses in a cycle, for the runs with pauses."""

STEADY_GROUPS = 2
"""What a steady rate is measured on, at least, after the groups that fill the pipeline."""


@dataclass(frozen=True)
class Trial:
    """A module's inputs and the output it must give, features innermost, in stream order.

    sequences: number of pixels that they stand for; groups: of lanes. given: in the order of the inputs.
    expected: of each output, in order. filling: groups that fill the pipeline.
    """

    sequences: int
    groups: int
    given: tuple[Codes, ...]
    expected: tuple[Codes, ...]
    filling: int = 2


@dataclass(frozen=True)
class Outcome:
    """A trial's result.

    outputs: as ``Trial.expected``. group_cycles: per group, on the first output, in steady
    state; 0 with pauses. answer_cycles: from the last value of the first group on the first input to the
    first output.
    """

    codes: int
    mismatches: int
    outputs: tuple[Codes, ...]
    group_cycles: float
    first_output_cycles: int
    answer_cycles: int


def run_trial(model: VerilatedModel, trial: Trial, pauses: bool, seed: int) -> Outcome:
    """Run a module, without pauses on at least STEADY_GROUPS beside those that fill it.

    Raises SimulationError if it breaks the protocol, ValueError for too few groups.
    """
    inputs, outputs = model.module.inputs, model.module.outputs
    transfers = {p.name: e.size // p.elements for p, e in zip(outputs, trial.expected, strict=True)}
    sent = {p.name: g.reshape(-1, p.elements) for p, g in zip(inputs, trial.given, strict=True)}
    result = simulate(
        model,
        sent,
        transfers,
        ends={p.name: np.arange(len(sent[p.name])) == len(sent[p.name]) - 1 for p in inputs if p.last},
        stalls=STALLS if pauses else 0.0,
        seed=seed,
    )
    given = tuple(
        result.outputs[p.name].reshape(e.shape) for p, e in zip(outputs, trial.expected, strict=True)
    )
    first = outputs[0].name
    steady = (
        0.0 if pauses else result.steady_cycles(first, transfers[first] // trial.groups, skip=trial.filling)
    )
    mismatches = sum(int(np.count_nonzero(g != e)) for g, e in zip(given, trial.expected, strict=True))
    for ends in result.ends.values():  # TLAST belongs to the last transfer alone
        mismatches += int(np.count_nonzero(ends[:-1])) + int(not ends[-1])
    codes = sum(g.size for g in given)
    begun = result.first_cycle(first)
    last_value = int(result.stamps[inputs[0].name][len(sent[inputs[0].name]) // trial.groups - 1])
    return Outcome(codes, mismatches, given, steady, begun + 1, begun - last_value)


def network_trial(network: Seq2SeqNetwork, codes: Codes, order: StreamOrder, filling: int = 2) -> Trial:
    """The stitched design on pixels (pixels, T, I), as they travel."""
    missing = np.zeros((order.travelling(len(codes)) - len(codes), *codes.shape[1:]), dtype=codes.dtype)
    expected = order.answer(network.answers(np.concatenate([codes, missing])))
    groups = -(-len(codes) // order.lanes)
    return Trial(len(codes), groups, (order.send(codes),), (expected,), filling)


def layer_trial(op: StreamOp, codes: Codes, fmt: Format, seed: int = 1) -> Trial:
    """One layer alone: on pixels (pixels, T, I) of format ``fmt`` if it takes such, else on random codes."""
    groups = to_groups(codes, op.lanes * op.input_streams()[0].shape[0])
    rng = np.random.default_rng(seed)
    given = tuple(
        groups
        if (stream.shape[1:], stream.format) == (groups.shape[1:], fmt)
        else rng.integers(
            stream.format.min_code,
            stream.format.max_code,
            (len(groups) * stream.shape[0], *stream.shape[1:]),
            endpoint=True,
        )
        for stream in op.input_streams()
    )
    return Trial(len(codes), len(groups), given, tuple(op.run_oracle(list(given))))


def first_difference(outcome: Outcome, trial: Trial) -> str:
    """Where output and expectation first differ, for a message."""
    for index, (output, expected) in enumerate(zip(outcome.outputs, trial.expected, strict=True)):
        for where in np.argwhere(output != expected):
            place = tuple(int(i) for i in where)
            return f"first at {place} of output {index}: expected {expected[place]}, got {output[place]}"
    raise ValueError("the outcome equals its trial; ask for a difference only where there is one")
