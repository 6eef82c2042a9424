# SPDX-License-Identifier: BSD-3-Clause
"""The folding of a whole network: the fastest within limits, or the cheapest that is fast enough.

Every folding is enumerated by its divisors; its cycles are those of ``cycles.py`` and its resources
those of ``estimate.py``. The result is the optimum over all of them, not a heuristic: what cannot be
part of it (dominated in every resource, or over the limit of DSPs by itself) is left out early.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from typing import TypeVar

from finn_flirnn.codegen.cycles import dense_cycles, gru_cycles, gru_lane_step_cycles, gru_step_cycles
from finn_flirnn.codegen.estimate import estimate_dense, estimate_gru, estimate_gru_states
from finn_flirnn.codegen.gru import gru_arrays
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.resources import Resources
from finn_flirnn.codegen.types import DenseFolding, GruFolding, divisors
from finn_flirnn.numerics import DenseLayer, GruLayer, Seq2SeqNetwork

Option = TypeVar("Option")


@dataclass(frozen=True)
class FoldingChoice:
    """The folding of each layer; all recurrent ones have the same lanes.

    recurrent: by name, as ``Seq2SeqNetwork.recurrent``.
    cycles_per_pixel: of the slowest layer, in steady state. resources: estimate, all layers together.
    """

    recurrent: dict[str, GruFolding]
    head: DenseFolding
    cycles_per_pixel: int
    resources: Resources

    @property
    def encoder(self) -> GruFolding:
        """Folding of the first encoder."""
        return self.recurrent["encoder"]

    @property
    def decoder(self) -> GruFolding:
        """Folding of the first decoder."""
        return self.recurrent["decoder"]

    @property
    def lanes(self) -> int:
        """Pixels that travel through the rings at once."""
        return self.encoder.lanes

    def __str__(self) -> str:
        return f"{self.cycles_per_pixel} cycles a pixel with {_text(self.resources)}"


@dataclass(frozen=True)
class _GruOption:
    """A folding with the least lanes that keep its multipliers busy; cycles a pixel, DSPs (for any lanes)."""

    folding: GruFolding
    cycles: int
    dsp: int


@dataclass(frozen=True)
class _HeadOption:
    folding: DenseFolding
    cycles: int
    resources: Resources


class _Gru:
    """A recurrent layer's foldings."""

    def __init__(self, layer: GruLayer, steps: int, multiplier: Multiplier) -> None:
        @cache
        def one_lane(folding: GruFolding) -> Resources:
            return estimate_gru(layer, steps, folding, multiplier)

        @cache
        def cost(folding: GruFolding) -> Resources:
            # lanes change one FIFO; an estimate of the whole, with its memories' contents, takes long
            one = replace(folding, lanes=1)
            states, state = (estimate_gru_states(layer, f, multiplier) for f in (folding, one))
            return one_lane(one) + states + state.times(-1)

        def option(folding: GruFolding) -> _GruOption:
            folding = replace(folding, lanes=least_lanes(layer, steps, folding, multiplier))
            cycles = gru_cycles(layer, steps, folding, multiplier) // folding.lanes
            return _GruOption(folding, cycles, gru_multipliers(layer, folding, multiplier))

        sizes = divisors(layer.hidden), divisors(layer.hidden), divisors(max(layer.inputs, 1))
        self.cost = cost
        self.options = tuple(option(GruFolding(*chosen)) for chosen in product(*sizes))


class _Network:
    """All foldings of all layers."""

    def __init__(self, network: Seq2SeqNetwork, multiplier: Multiplier) -> None:
        self.grus = {n: _Gru(layer, network.steps, multiplier) for n, layer in network.recurrent.items()}
        self.heads = _head_options(network.head, network.output_steps, multiplier)

    def cycles(self) -> list[int]:
        """What a layer can take for a pixel, ascending."""
        recurrent = {option.cycles for gru in self.grus.values() for option in gru.options}
        return sorted(recurrent | {option.cycles for option in self.heads})

    def cheapest(self, limits: Resources, max_cycles: int) -> FoldingChoice | None:
        """The least DSPs, then LUTs, that meet ``max_cycles`` within the limits; None if none do."""
        layers = [[o for o in gru.options if o.cycles <= max_cycles] for gru in self.grus.values()]
        heads = [h for h in self.heads if h.cycles <= max_cycles]
        if not (all(layers) and heads):
            return None
        least = [min(o.dsp for o in options) for options in layers]
        least_head = min(h.resources.dsp for h in heads)
        total = sum(least) + least_head
        if total > limits.dsp:
            return None
        # few foldings have the least DSPs; only if none of them fits by other resources, all are estimated
        for dsp in (total, limits.dsp):
            spare = dsp - total
            best = self._cheapest_of(
                [
                    [o for o in options if o.dsp <= fewest + spare]
                    for options, fewest in zip(layers, least, strict=True)
                ],
                [h for h in heads if h.resources.dsp <= least_head + spare],
                limits,
            )
            if best is not None:
                return best
        return None

    def _cheapest_of(
        self, layers: list[list[_GruOption]], heads: list[_HeadOption], limits: Resources
    ) -> FoldingChoice | None:
        front = _front((h, h.resources) for h in heads)
        best: FoldingChoice | None = None

        def search(
            chosen: tuple[_GruOption, ...], cost: Resources, left: list[list[tuple[_GruOption, Resources]]]
        ) -> None:
            nonlocal best
            for option, own in left[0] if left else ():
                total = cost + own
                # costs only add up, and those behind cost more: neither can be better any more
                if best and _order(best.resources) <= _order(total):
                    break
                if _fits(total, limits):
                    search((*chosen, option), total, left[1:])
            for head, own in front if not left else ():
                total = cost + own
                if best and _order(best.resources) <= _order(total):
                    break
                if _fits(total, limits):
                    cycles = max(head.cycles, *(o.cycles for o in chosen))
                    folded = (replace(o.folding, lanes=lanes) for o in chosen)
                    recurrent = dict(zip(self.grus, folded, strict=True))
                    best = FoldingChoice(recurrent, head.folding, cycles, total)

        for lanes in sorted({o.folding.lanes for options in layers for o in options}):
            priced = [_priced(g, o, lanes) for g, o in zip(self.grus.values(), layers, strict=True)]
            # at least one of the layers needs this many lanes: else they are not the least
            for needs in product((True, False), repeat=len(layers)):
                if any(needs):
                    fronts = [_front(some[need]) for some, need in zip(priced, needs, strict=True)]
                    search((), Resources(), fronts)
        return best

    def fastest(self, limits: Resources) -> FoldingChoice | None:
        """The fewest cycles a pixel within the limits, at the least cost; None if nothing fits."""
        cycles = self.cycles()
        best: FoldingChoice | None = None
        low, high = 0, len(cycles)
        while low < high:  # what fits a number of cycles also fits a greater one
            middle = (low + high) // 2
            found = self.cheapest(limits, cycles[middle])
            if found is None:
                low = middle + 1
            else:
                best, high = found, middle
        return best


def choose_folding(
    network: Seq2SeqNetwork, multiplier: Multiplier, limits: Resources, max_cycles: int | None = None
) -> FoldingChoice:
    """Choose pe, simd and input_simd of every layer, and the lanes.

    limits: what all layers together may take. max_cycles: cycles a pixel at most, for the
    cheapest folding (DSP, then LUT) that is fast enough; None: the fastest folding that fits. Lanes
    are the fewest that let no multiplier of the chosen folding wait for the ring.
    Raises ValueError if nothing fits, naming the smallest; or if the target is out of reach, naming
    the fastest that fits.
    """
    foldings = _Network(network, multiplier)
    choice = foldings.fastest(limits) if max_cycles is None else foldings.cheapest(limits, max_cycles)
    if choice is not None:
        return choice
    best = foldings.fastest(limits)
    if best is not None:
        raise ValueError(
            f"cycles a pixel must be at most {max_cycles} within {_text(limits)}, but the best that fits "
            f"takes {best}; ask for less speed or allow more resources"
        )
    cheapest = foldings.cheapest(Resources(*[1 << 62] * 5), foldings.cycles()[-1])
    raise ValueError(
        f"the network must fit {_text(limits)}, but even its smallest folding takes {cheapest}; "
        "allow more resources or take a smaller network"
    )


def least_lanes(layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier) -> int:
    """The fewest lanes for which ``gru_cycles`` is all lanes' work, without a wait for the ring."""
    if steps == 1:
        return 1
    one = replace(folding, lanes=1)
    return -(-gru_step_cycles(layer, one, multiplier) // gru_lane_step_cycles(layer, one))


def gru_multipliers(layer: GruLayer, folding: GruFolding, multiplier: Multiplier) -> int:
    """DSPs of a GRU engine, as ``estimate_gru`` has them: its products, and its cell's if they take DSPs."""
    arrays = gru_arrays(layer, folding, multiplier)
    products = sum(array.dsps for name, array in arrays.items() if layer.inputs or name != "wx")
    return products + (2 * folding.cell_pe(layer.hidden) if folding.cell_dsp else 0)


def _head_options(layer: DenseLayer, steps: int, multiplier: Multiplier) -> list[_HeadOption]:
    foldings = [DenseFolding(*sizes) for sizes in product(divisors(layer.outputs), divisors(layer.inputs))]
    return [
        _HeadOption(f, dense_cycles(layer, steps, f), estimate_dense(layer, f, multiplier)) for f in foldings
    ]


def _priced(
    gru: _Gru, options: Iterable[_GruOption], lanes: int
) -> dict[bool, list[tuple[_GruOption, Resources]]]:
    """Options that ``lanes`` keep busy, by whether they need them all."""
    priced: dict[bool, list[tuple[_GruOption, Resources]]] = {True: [], False: []}
    for option in options:
        if option.folding.lanes <= lanes:
            cost = gru.cost(replace(option.folding, lanes=lanes))
            priced[option.folding.lanes == lanes].append((option, cost))
    return priced


def _front(priced: Iterable[tuple[Option, Resources]]) -> list[tuple[Option, Resources]]:
    """Those of which no other takes at most as much of everything, by increasing cost."""
    front: list[tuple[Option, Resources]] = []
    for option, cost in sorted(priced, key=lambda pair: _order(pair[1])):
        if not any(_fits(kept, cost) for _, kept in front):
            front.append((option, cost))
    return front


def _fits(resources: Resources, limits: Resources) -> bool:
    return all(used <= limit for used, limit in zip(_order(resources), _order(limits), strict=True))


def _order(resources: Resources) -> tuple[float, ...]:
    return resources.dsp, resources.lut, resources.ff, resources.bram36, resources.uram


def _text(r: Resources) -> str:
    return f"{r.dsp} DSP, {r.lut} LUT, {r.ff} FF, {r.bram36:g} BRAM36, {r.uram} URAM"
