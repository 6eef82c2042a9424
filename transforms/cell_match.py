# SPDX-License-Identifier: BSD-3-Clause
"""A body whose values are known as polynomials -> the GruLayer that it computes.

h'_k = Quant(n_k - z_k n_k + z_k h_k)          z_k, n_k: activations
z_k  = table[Quant(W_iz x + W_hz h + b)]       r_k likewise
n_k  = table[Quant(W_in x + b + r_k v_k)]      reset after; v_k = Quant(W_hn h + b_hn)
n_k  = table[Quant(W_in x + b + W_hn (r h))]   reset before; r h = Quant(r_k h_k)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np
from onnx import GraphProto, NodeProto

from finn_flirnn.numerics import Codes, Format, GruFormats, GruLayer, Reset
from finn_flirnn.numerics.magnitude import FLOAT32_EXACT, FLOAT64_EXACT, gru_magnitude
from finn_flirnn.transforms.cell_interpreter import CellInterpreter
from finn_flirnn.transforms.cell_symbols import Kind, Polynomial, Symbol, without_zeros
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.onnx_values import Array, producers_of
from finn_flirnn.transforms.quantiser import is_quant, quant_format


@dataclass
class Row:
    """One unit's pre-activation: W_ih row, W_hh row, the two biases (real), the factor of r v, if any."""

    input: dict[int, float] = field(default_factory=dict)
    state: dict[int, float] = field(default_factory=dict)
    bias_ih: float = 0.0
    bias_hh: float = 0.0
    resets: dict[int, Symbol] = field(default_factory=dict)


def match_gru(
    scan: NodeProto,
    body: GraphProto,
    opset: int,
    outer: dict[str, Array],
    input_format: Format | None,
    *,
    sequence: bool,
    initial_state: bool,
) -> GruLayer:
    """The layer of a Scan with one state and one scanned tensor.

    outer: constants of the graph around it. input_format: of the scanned tensor, None if it has none
    (then the body must not use it). Raises ConversionError if the body is no GRU cell.
    """
    cell = CellInterpreter(scan, body, opset, outer)
    cell.declare(body.input[0].name, Kind.STATE, _state_format(cell, scan, body))
    if input_format is not None:
        cell.declare(body.input[1].name, Kind.INPUT, input_format)
    cell.run()
    states = cell.symbols_of(body.output[0].name)
    for output in body.output[1:]:
        if cell.symbols_of(output.name) != states:
            raise ConversionError(label(scan), f"{output.name} of its body must be the next state")
    return _Matcher(cell, states).layer(sequence, initial_state, input_format)


def _state_format(cell: CellInterpreter, scan: NodeProto, body: GraphProto) -> Format:
    producers = producers_of(body)
    node = producers.get(body.output[0].name)
    while node is not None and node.op_type in ("Identity", "Cast"):
        node = producers.get(node.input[0])
    if node is None or not is_quant(node):
        raise ConversionError(
            label(scan), "the next state of its body must come from a Quant node; quantise it"
        )
    return quant_format(node, cell.constant_array)


class _Matcher:
    def __init__(self, cell: CellInterpreter, states: list[int]) -> None:
        self.cell = cell
        self.name = cell.scan
        self.symbols = cell.symbols
        self.next = [self.symbols[number] for number in states]

    def layer(self, sequence: bool, initial_state: bool, input_format: Format | None) -> GruLayer:
        """The layer, or the reason why there is none."""
        gates = [self._blend(k, symbol) for k, symbol in enumerate(self.next)]
        updates, candidates = [z for z, _ in gates], [n for _, n in gates]
        rows_z = [self._row(self._source(z)) for z in updates]
        rows_n = [self._row(self._source(n)) for n in candidates]
        reset, resets = self._resets(rows_n)
        rows = [*(self._row(self._source(r)) for r in resets), *rows_z, *rows_n]
        if any(row.resets for row in rows[: 2 * len(gates)]):
            self._refuse("the gates r and z must not depend on the reset gate")
        activations = [*resets, *updates, *candidates]
        sources = [self._source(symbol) for symbol in activations]
        recurrent = [r for row in rows_n for r in row.resets.values()] if reset is Reset.AFTER else []
        preactivation = self._one(
            [symbol.format for symbol in (*sources, *recurrent)], "pre-activations need one format"
        )
        uses_input = any(row.input for row in rows)
        if input_format is not None and not uses_input:
            self._refuse("its input is scanned, but no gate depends on it; leave it out")
        try:
            formats = GruFormats(
                weight_hh=self._one(
                    self.cell.weight_formats[Kind.STATE], "recurrent weights need one format"
                ),
                state=self._one([symbol.format for symbol in self.next], "the state needs one format"),
                gate=self._one([s.format for s in (*resets, *updates)], "the gates r and z need one format"),
                candidate=self._one([s.format for s in candidates], "the candidate needs one format"),
                preactivation=preactivation,
                input=input_format,
                weight_ih=self._one(self.cell.weight_formats[Kind.INPUT], "input weights need one format")
                if input_format
                else None,
            )
            layer = GruLayer(
                formats=formats,
                reset=reset,
                weight_ih=self._weights([row.input for row in rows], formats.weight_ih),
                weight_hh=_required(self._weights([row.state for row in rows], formats.weight_hh)),
                bias_ih=self._biases([row.bias_ih for row in rows], formats.product_frac),
                bias_hh=self._biases([row.bias_hh for row in rows], formats.product_frac)
                if reset is Reset.AFTER
                else None,
                gate_table=self._table([*resets, *updates], "the gates r and z need one activation"),
                candidate_table=self._table(candidates, "the candidate needs one activation"),
                sequence=sequence,
                initial_state=initial_state,
            )
        except ConversionError:
            raise
        except ValueError as error:
            raise ConversionError(self.name, str(error)) from error
        self._check_exact(layer)
        return layer

    def _blend(self, unit: int, symbol: Symbol) -> tuple[Symbol, Symbol]:
        """z and n of h' = n - z n + z h."""
        terms = without_zeros(symbol.argument or {})
        h = next(i for i, s in enumerate(self.symbols) if s.kind is Kind.STATE and s.index == unit)
        linear = {m[0]: c for m, c in terms.items() if len(m) == 1}
        products: Polynomial = {m: c for m, c in terms.items() if len(m) == 2}
        if len(terms) == len(linear) + len(products) and len(linear) == 1 and len(products) == 2:
            ((n, _),) = linear.items()
            if n == h:
                self._refuse(
                    "its update gate weighs the candidate, h + z (n - h); export it the other way round"
                )
            for z in {number for m in products for number in m} - {n, h}:
                kept, left = (min(z, h), max(z, h)), (min(z, n), max(z, n))
                if linear[n] == 1 and products.get(kept) == 1 and products.get(left) == -1:
                    return self._activation(z, symbol), self._activation(n, symbol)
        raise ConversionError(
            symbol.node or self.name,
            f"state {unit} is not n + z (h - n) of one candidate, one gate and the state itself: no GRU cell",
        )

    def _resets(self, rows: list[Row]) -> tuple[Reset, list[Symbol]]:
        """Where the reset gate acts, and the reset gates by unit; moves their terms into the rows."""
        if all(len(row.resets) == 1 for row in rows):
            pairs = [next(iter(row.resets.items())) for row in rows]
            for row, (_, product) in zip(rows, pairs, strict=True):
                inner = self._row(product)
                if inner.input or inner.resets or row.state:
                    self._refuse("r must multiply the recurrent product alone: r * Quant(W_hn h + b_hn)")
                row.state, row.bias_hh = inner.state, inner.bias_ih
            return Reset.AFTER, [self._activation(r, product) for r, product in pairs]
        if any(row.resets for row in rows):
            self._refuse("the reset gate must act once in every unit of the candidate")
        gates: dict[int, Symbol] = {}
        for row in rows:
            columns: dict[int, float] = {}
            for number, weight in row.state.items():
                symbol = self.symbols[number]
                unit, gate = self._reset_state(symbol)
                columns[unit] = weight
                gates.setdefault(unit, gate)
                if gates[unit] is not gate:
                    self._refuse(f"state {unit} must meet the same reset gate in every unit of the candidate")
            row.state = columns
        if sorted(gates) != list(range(len(rows))):
            self._refuse(f"{len(gates)} reset gates found for {len(rows)} units: no GRU cell")
        return Reset.BEFORE, [gates[unit] for unit in range(len(rows))]

    def _reset_state(self, symbol: Symbol) -> tuple[int, Symbol]:
        """The unit and the gate of Quant(r * h)."""
        terms = without_zeros(symbol.argument or {})
        if symbol.kind is Kind.QUANTISED and len(terms) == 1:
            ((monomial, coefficient),) = terms.items()
            states = [s for s in monomial if self.symbols[s].kind is Kind.STATE]
            gates = [s for s in monomial if self.symbols[s].kind is Kind.TABLE]
            if coefficient == 1 and len(states) == len(gates) == 1 and len(monomial) == 2:
                h = self.symbols[states[0]]
                if symbol.format != h.format:
                    self._refuse(f"Quant(r h) must have the state's format {h.format}, got {symbol.format}")
                return h.index, self.symbols[gates[0]]
        raise ConversionError(
            symbol.node,
            "the candidate must see the state through the reset gate: Quant(r * h), or r * Quant(W h)",
        )

    def _row(self, symbol: Symbol) -> Row:
        """The linear form that a quantiser takes, by where its symbols come from."""
        row = Row()
        for monomial, coefficient in (symbol.argument or {}).items():
            factors = [self.symbols[number] for number in monomial]
            if not factors:
                row.bias_ih = coefficient
            elif len(factors) == 2:
                gates = [n for n in monomial if self.symbols[n].kind is Kind.TABLE]
                products = [s for s in factors if s.kind is Kind.QUANTISED]
                if coefficient != 1 or len(gates) != 1 or len(products) != 1:
                    raise ConversionError(
                        symbol.node, "quantises a product other than r * Quant(W_hn h + b_hn)"
                    )
                row.resets[gates[0]] = products[0]
            elif len(factors) == 1 and factors[0].kind is Kind.INPUT:
                row.input[factors[0].index] = coefficient
            elif len(factors) == 1 and factors[0].kind is Kind.STATE:
                row.state[factors[0].index] = coefficient
            elif len(factors) == 1 and factors[0].kind is Kind.QUANTISED:
                row.state[monomial[0]] = coefficient
            else:
                raise ConversionError(symbol.node, "quantises a sum that is no pre-activation of a GRU")
        return row

    def _activation(self, number: int, where: Symbol) -> Symbol:
        symbol = self.symbols[number]
        if symbol.kind is not Kind.TABLE:
            raise ConversionError(
                where.node, f"a gate or candidate must be an activation, found {symbol.kind.value}"
            )
        return symbol

    def _source(self, symbol: Symbol) -> Symbol:
        return self.symbols[symbol.source]

    def _one(self, formats: Iterable[Format | None], requirement: str) -> Format:
        found = {fmt for fmt in formats if fmt is not None}
        if len(found) != 1:
            self._refuse(f"{requirement}, found {sorted(map(str, found)) or 'none'}")
        return found.pop()

    def _table(self, symbols: list[Symbol], requirement: str) -> Codes:
        first = symbols[0].table
        assert first is not None
        if any(not np.array_equal(first, symbol.table) for symbol in symbols if symbol.table is not None):
            self._refuse(f"{requirement}, found several")
        return first

    def _weights(self, rows: list[dict[int, float]], fmt: Format | None) -> Codes | None:
        if fmt is None:
            return None
        columns = sorted({column for row in rows for column in row})
        if columns != list(range(len(columns))) or any(len(row) != len(columns) for row in rows):
            self._refuse("every gate of every unit must see every feature; pad the weights with zeros")
        return self._codes([[row[column] for column in columns] for row in rows], fmt.frac, "weights")

    def _biases(self, biases: list[float], frac: int) -> Codes:
        return self._codes(biases, frac, "biases")

    def _codes(self, values: list[float] | list[list[float]], frac: int, what: str) -> Codes:
        scaled = np.asarray(values, dtype=np.float64) * 2.0**frac
        if not np.array_equal(scaled, np.rint(scaled)) or np.abs(scaled).max() > FLOAT64_EXACT:
            self._refuse(
                f"its {what} must be multiples of 2^{-frac}, the scale of the products; quantise them"
            )
        return scaled.astype(np.int64)

    def _check_exact(self, layer: GruLayer) -> None:
        """Refuse a float32 body whose sums float32 rounds: the hardware would not equal it."""
        real = self.cell.narrowest_real
        limit = FLOAT32_EXACT if real == np.float32 else FLOAT64_EXACT
        magnitude = gru_magnitude(layer)
        if magnitude > limit:
            self._refuse(
                f"its sums reach 2^{magnitude.bit_length()} units, which {real} rounds; export the body "
                "in double or use fewer bits"
            )

    def _refuse(self, reason: str) -> NoReturn:
        raise ConversionError(self.name, reason)


def _required(codes: Codes | None) -> Codes:
    assert codes is not None
    return codes
