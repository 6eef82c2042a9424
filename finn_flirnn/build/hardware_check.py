# SPDX-License-Identifier: BSD-3-Clause
"""Simulated hardware against the oracle: what goes in, what must come out, how many codes differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from finn_flirnn.driver.packing import from_groups, to_groups
from finn_flirnn.numerics import Codes, Format, Seq2SeqNetwork
from finn_flirnn.sim import VerilatedModel, simulate

STALLS = 0.3
"""Probability that a stream pauses in a cycle, for the runs with pauses."""

FEWEST_GROUPS = 4
"""Two groups fill the pipeline, and a steady rate needs two more."""


@dataclass(frozen=True)
class Trial:
    """A module's input and the output it must give, features innermost, in stream order.

    sequences: number of pixels that they stand for; groups: of lanes.
    """

    sequences: int
    groups: int
    given: Codes
    expected: Codes


@dataclass(frozen=True)
class Outcome:
    """A trial's result.

    output: as ``Trial.expected``. group_cycles: per group in steady state; 0 with pauses.
    """

    codes: int
    mismatches: int
    output: Codes
    group_cycles: float
    first_output_cycles: int


def run_trial(model: VerilatedModel, trial: Trial, pauses: bool, seed: int) -> Outcome:
    """Run a module of one input and one output stream, without pauses on at least FEWEST_GROUPS groups.

    Raises SimulationError if it breaks the protocol, ValueError for too few groups.
    """
    (source,), (sink,) = model.module.inputs, model.module.outputs
    transfers = trial.expected.size // sink.elements
    result = simulate(
        model,
        {source.name: trial.given.reshape(-1, source.elements)},
        {sink.name: transfers},
        stalls=STALLS if pauses else 0.0,
        seed=seed,
    )
    output = result.outputs[sink.name].reshape(trial.expected.shape)
    steady = 0.0 if pauses else result.steady_cycles(sink.name, transfers // trial.groups, skip=2)
    mismatches = int(np.count_nonzero(output != trial.expected))
    return Outcome(output.size, mismatches, output, steady, result.first_cycle(sink.name) + 1)


def network_trial(network: Seq2SeqNetwork, codes: Codes, lanes: int) -> Trial:
    """The stitched design on pixels (pixels, T, I)."""
    groups = to_groups(codes, lanes)
    pixels = from_groups(groups, groups.shape[0] * lanes)  # a last group is filled up with zeros
    return Trial(len(codes), len(groups), groups, to_groups(network.run(pixels), lanes))


def layer_trial(network: Seq2SeqNetwork, layer: str, codes: Codes, lanes: int, seed: int = 1) -> Trial:
    """One layer alone: the encoder on pixels (pixels, T, I), the others on as many random states."""
    groups = to_groups(codes, lanes)
    pixels = groups.shape[0] * lanes
    if layer == "encoder":
        states = network.encoder.run(from_groups(groups, pixels), network.steps)
        return Trial(len(codes), len(groups), groups, states)
    rng = np.random.default_rng(seed)
    fmt, hidden = network.decoder.formats.state, network.decoder.hidden
    if layer == "decoder":
        start = _random(rng, fmt, pixels, hidden)
        states = network.decoder.run(None, network.steps, h0=start)
        return Trial(len(codes), len(groups), start, to_groups(states, lanes))
    states = _random(rng, fmt, pixels * network.steps, hidden)
    return Trial(len(codes), len(groups), states, network.head.run(states))


def _random(rng: np.random.Generator, fmt: Format, *shape: int) -> Codes:
    return rng.integers(fmt.min_code, fmt.max_code, shape, endpoint=True)


def first_difference(outcome: Outcome, trial: Trial) -> str:
    """Where output and expectation first differ, for a message."""
    where = tuple(int(i) for i in np.argwhere(outcome.output != trial.expected)[0])
    return f"first at {where}: expected {trial.expected[where]}, got {outcome.output[where]}"
