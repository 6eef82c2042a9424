# SPDX-License-Identifier: BSD-3-Clause
"""The random campaign: case i is a design and a treatment of its streams, drawn from (SEED, i) alone.

Work is bounded, so that a case takes seconds: at most MULTIPLIERS products a layer in parallel and about
CYCLES cycles without stalls. What a draw exceeds is drawn again; ``test_campaign`` asserts what must occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from finn_flirnn.codegen import DenseFolding, GruFolding, Multiplier
from finn_flirnn.codegen.types import RamStyle, divisors
from finn_flirnn.numerics import Activation, Format, GruFormats, Reset
from tests.rtl.designs import Design, GruDesign, HeadCase, NetworkCase
from tests.rtl.layers import GruCase

SEED = 20260
CASES = 240
GROUPS = (2, 3, 4)
MULTIPLIERS = 240
CYCLES = 100_000
RING = 64  # cycles that a state may take through a ring, about
MULTIPLIER = tuple(Multiplier)
PATTERNS = ("none", "light", "heavy", "bursts", "starved", "blocked")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Pressure:
    """How streams pause, and when the design is reset once more.

    stalls, pause, seed: as ``simulate`` takes them. reset: in [0, 1), the part of the undisturbed run
    after which the reset comes.
    """

    pattern: str
    stalls: dict[str, float]
    pause: int
    seed: int
    reset: float


@dataclass(frozen=True)
class Case:
    """A design, the number of groups that it computes back to back, and the treatment of its streams.

    missing: pixels that the last group lacks.
    """

    index: int
    design: Design
    groups: int
    missing: int
    pressure: Pressure


class _Draw:
    """Random choices of one case."""

    def __init__(self, index: int) -> None:
        self.rng = np.random.default_rng((SEED, index))

    def of(self, options: Sequence[Value]) -> Value:
        """One of the options, all equally likely."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def size(self, greatest: int) -> int:
        """1 to ``greatest``: often one of the ends, else as likely of each order of magnitude or any."""
        return self.of(
            (
                self.of((1, greatest)),
                round(greatest ** self.rng.random()),
                int(self.rng.integers(1, greatest + 1)),
            )
        )

    def format(self, least: int, greatest: int, whole: Sequence[int], signed: bool = True) -> Format:
        """A format of so many bits, with one of the given numbers of bits before the point."""
        bits = int(self.rng.integers(least, greatest + 1))
        return Format(bits, bits - self.of(whole), signed, narrow=signed and self.chance(0.5))


def draw(index: int) -> Case:
    """Case ``index`` of the campaign."""
    d = _Draw(index)
    design = d.of((_layer, _layer, _layer, _layer, _network, _network, _network, _head))(d)
    groups = 100 if isinstance(design, HeadCase) else d.of(GROUPS)
    missing = int(d.rng.integers(design.lanes)) if d.chance(0.5) else 0
    return Case(index, design, groups, missing, _pressure(d, design.streams))


def _pressure(d: _Draw, streams: Sequence[str]) -> Pressure:
    pattern = d.of(PATTERNS)
    probability, pause = {
        "none": (0.0, 1),
        "light": (0.1, 1),
        "heavy": (0.7, 3),
        "bursts": (0.02, 200),
        "starved": (0.9, 1),
        "blocked": (0.9, 1),
    }[pattern]
    if pattern == "starved":  # one input slow, all else ready; a source has an output only
        chosen: Sequence[str] = (d.of(streams[:-1] or streams),)
    elif pattern == "blocked":
        chosen = streams[-1:]
    else:
        chosen = streams
    stalls = {name: probability for name in chosen if probability}
    return Pressure(pattern, stalls, pause, int(d.rng.integers(1, 1 << 31)), float(d.rng.random()))


def _gru_formats(d: _Draw, state: Format, inputs: int) -> GruFormats:
    gate_bits = int(d.rng.integers(2, 11))
    candidate_bits = int(d.rng.integers(2, 13))
    pre_bits = int(d.rng.integers(4, 13))
    source = weight = None
    if inputs:
        signed = d.chance(0.5)
        source = d.format(2 if signed else 1, 12, (0, 1), signed)
        weight = d.format(2, 8, (0, 1, 2))
    return GruFormats(
        weight_hh=d.format(2, 8, (0, 1, 2)),
        state=state,
        gate=Format(gate_bits, gate_bits - 1, signed=False),
        candidate=Format(candidate_bits, candidate_bits - 1, narrow=d.chance(0.5)),
        preactivation=Format(pre_bits, pre_bits - d.of((2, 3, 4))),
        input=source,
        weight_ih=weight,
    )


def _gru(
    d: _Draw,
    hidden: int,
    steps: int,
    lanes: int,
    inputs: int,
    state: Format,
    sequence: bool,
    initial: bool,
    multiplier: Multiplier,
) -> GruCase:
    folding = GruFolding(
        d.of(divisors(hidden)),
        d.of(divisors(hidden)),
        d.of(divisors(max(inputs, 1))),
        lanes,
        d.of(list(RamStyle)),
        park=not sequence and d.chance(0.5),
        cell_dsp=d.chance(0.5),
    )
    return GruCase(
        hidden=hidden,
        folding=folding,
        inputs=inputs,
        steps=steps,
        reset=d.of(list(Reset)),
        gate=d.of((Activation.SIGMOID, Activation.HARD_SIGMOID, None)),
        candidate=d.of((Activation.TANH, Activation.HARD_TANH, None)),
        sequence=sequence,
        initial_state=initial,
        multiplier=multiplier,
        formats=_gru_formats(d, state, inputs),
        extreme=d.chance(0.2),
    )


def _state(d: _Draw) -> Format:
    return d.format(4, 16, (1, 1, 1, 0, 2))


def _steps_and_lanes(d: _Draw) -> Iterator[tuple[int, int]]:
    """Choices without end of which one part stays: else long sequences and many lanes would be rare."""
    steps, lanes, keep_steps = d.size(200), d.size(64), d.chance(0.5)
    while True:
        yield steps, lanes
        steps, lanes = (steps, d.size(64)) if keep_steps else (d.size(200), lanes)


def _layer(d: _Draw) -> GruDesign:
    hidden, inputs = d.size(64), d.of((0, 1, 1, 2, 3, 4, 6))
    for steps, lanes in _steps_and_lanes(d):
        gru = _gru(d, hidden, steps, lanes, inputs, _state(d), d.chance(0.5), d.chance(0.5), d.of(MULTIPLIER))
        if _affordable([gru]):
            return GruDesign(gru)
    raise AssertionError("the choices above do not end")


def _network(d: _Draw) -> NetworkCase:
    hidden, state, device = d.size(64), _state(d), d.of(MULTIPLIER)
    for steps, lanes in _steps_and_lanes(d):
        encoder = _gru(d, hidden, steps, lanes, d.of((1, 1, 2, 4)), state, False, False, device)
        transposed = d.chance(0.3)
        fewer = lanes if transposed else d.of((lanes, d.of(divisors(lanes))))
        decoder = _gru(d, hidden, steps, fewer, 0, state, True, True, device)
        head = _head_of(d, state, hidden, device)
        positions = steps * lanes * head.outputs * head.inputs // (head.folding.pe * head.folding.simd)
        if _affordable([encoder, decoder]) and positions < CYCLES:
            return NetworkCase(encoder, decoder, head, (d.size(64), d.size(64)), transposed)
    raise AssertionError("the choices above do not end")


def _head(d: _Draw) -> HeadCase:
    signed = d.chance(0.5)
    return _head_of(d, d.format(4, 16, (0, 1), signed), d.size(64), d.of(MULTIPLIER))


def _head_of(d: _Draw, source: Format, inputs: int, multiplier: Multiplier) -> HeadCase:
    outputs = d.of((1, 2, 3, 4, 5))
    folding = DenseFolding(d.of(divisors(outputs)), d.of(divisors(inputs)))
    while folding.pe * folding.simd > MULTIPLIERS // 3:
        folding = DenseFolding(d.of(divisors(outputs)), d.of(divisors(inputs)))
    target_signed = d.chance(0.8)
    return HeadCase(
        inputs,
        outputs,
        folding,
        source,
        weight=d.format(2, 8, (0, 1, 2)),
        target=d.format(4, 16, (1, 2), target_signed),
        multiplier=multiplier,
        extreme=d.chance(0.2),
    )


def _affordable(layers: Sequence[GruCase]) -> bool:
    return all(
        3 * (g.folding.pe * g.folding.simd + g.folding.cell_pe(g.hidden) * g.folding.input_simd)
        <= MULTIPLIERS
        and GROUPS[-1] * group_cycles(g) <= CYCLES
        for g in layers
    )


def group_cycles(gru: GruCase) -> int:
    """About the cycles of a group of lanes."""
    folding, hidden = gru.folding, gru.hidden
    recurrent = (hidden // folding.pe) * (hidden // folding.simd)
    given = hidden // folding.cell_pe(hidden) * (max(gru.inputs, 1) // folding.input_simd)
    return gru.steps * max(folding.lanes * max(recurrent, given), RING)


def traits(case: Case) -> set[str]:
    """What a case tries, in words; the campaign as a whole must hold them all."""
    design, pressure = case.design, case.pressure
    found = {
        f"design {type(design).__name__}",
        f"streams {pressure.pattern}",
        f"reset in tenth {int(pressure.reset * 10)}",
        f"last group {'partial' if case.missing else 'full'}",
        f"lanes {design.lanes}",
    }
    layers: tuple[GruCase, ...] = ()
    if isinstance(design, GruDesign):
        layers = (design.gru,)
        if len(design.streams) == 1:
            found.add("no input at all")
    elif isinstance(design, NetworkCase):
        layers = (design.encoder, design.decoder)
        found |= {f"depth {depth}" for depth in design.depths}
        found.add(f"order of {'pixels' if design.transposed else 'groups'}")
        if design.decoder.folding.lanes < design.lanes:
            found.add("fewer lanes in the decoder")
        if design.transposed and case.missing:
            found.add("last transfer within a group")
        for name in ("reset", "folding"):
            same = getattr(design.encoder, name) == getattr(design.decoder, name)
            found.add(f"{name} of both layers {'the same' if same else 'not the same'}")
    heads = [] if isinstance(design, GruDesign) else [design if isinstance(design, HeadCase) else design.head]
    for head in heads:
        found |= _bits("head input", head.source) | _bits("head weight", head.weight)
        found |= _bits("head output", head.target)
        found |= {f"head {_end('pe', head.folding.pe, head.outputs)}"}
        found |= {f"head {_end('simd', head.folding.simd, head.inputs)}"}
        found |= {f"head multiplier {head.multiplier.name}", f"head inputs {head.inputs}"}
    for gru in layers:
        found |= _gru_traits(gru)
    return found


def _gru_traits(gru: GruCase) -> set[str]:
    formats, folding, hidden = gru.formats, gru.folding, gru.hidden
    assert formats is not None
    found = {
        f"hidden {hidden}",
        f"inputs {gru.inputs}",
        f"steps {gru.steps}",
        f"reset {gru.reset}",
        f"multiplier {gru.multiplier.name}, {'extreme' if gru.extreme else 'random'} codes",
        f"gate {gru.gate}",
        f"candidate {gru.candidate}",
        f"states in {folding.ram_style}",
        f"cell in {'DSPs' if folding.cell_dsp else 'LUTs'}",
        f"last states {'parked' if folding.park else 'not parked'}",
        f"{'sequence' if gru.sequence else 'last state'}, {'given' if gru.initial_state else 'zero'} state",
        f"{_end('pe', folding.pe, hidden)}, {_end('simd', folding.simd, hidden)}",
    }
    for name in ("weight_hh", "state", "gate", "candidate", "preactivation", "input", "weight_ih"):
        if form := getattr(formats, name):
            found |= _bits(name, form)
    if gru.inputs:
        found.add(_end("input_simd", folding.input_simd, gru.inputs))
    return found


def _bits(name: str, form: Format) -> set[str]:
    kind = "narrow" if form.narrow else "signed" if form.signed else "unsigned"
    return {f"{name} {form.bits} bits", f"{name} {kind}"}


def _end(name: str, value: int, whole: int) -> str:
    if whole == 1:
        return f"{name} of 1"
    return f"{name} 1" if value == 1 else f"{name} all" if value == whole else f"{name} between"


def part(cases: Sequence[Case], count: int, wanted: set[str]) -> list[Case]:
    """So many cases that together try much at little cost: each the one that adds the most for its time.

    wanted: traits that count ten times.
    """
    chosen: list[Case] = []
    tried: set[str] = set()

    def gain(case: Case) -> float:
        new = traits(case) - tried
        return (len(new) + 9 * len(new & wanted)) / _effort(case)

    for _ in range(count):
        chosen.append(max(cases, key=gain))
        tried |= traits(chosen[-1])
    return chosen


def _effort(case: Case) -> float:
    """About the seconds of a case: models to compile, their size, cycles to simulate."""
    design = case.design
    if isinstance(design, HeadCase):
        return 3 + design.folding.pe * design.folding.simd / 40
    layers = (design.gru,) if isinstance(design, GruDesign) else (design.encoder, design.decoder)
    size = sum(gru.folding.pe * gru.folding.simd + 4 * gru.folding.cell_pe(gru.hidden) for gru in layers)
    return 3 + size / 15 + case.groups * max(map(group_cycles, layers)) / 20_000
