# SPDX-License-Identifier: BSD-3-Clause
"""The values of a recurrent cell's body, element by element: polynomials of symbols.

A symbol is an input, a state, or the output of a quantiser. A polynomial maps a monomial (a sorted
tuple of symbol numbers) to its coefficient; a coefficient of 0 that comes from a weight is kept, so
that the structure does not depend on the weights' values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from onnx import NodeProto

from finn_flirnn.numerics import Codes, Format
from finn_flirnn.transforms.onnx_values import Array

Monomial = tuple[int, ...]
Polynomial = dict[Monomial, float]


class Kind(Enum):
    """Where a symbol comes from."""

    INPUT = "the input"
    STATE = "the state"
    QUANTISED = "a quantiser"
    TABLE = "an activation"


@dataclass(frozen=True, eq=False)
class Symbol:
    """One element of a value on a grid.

    index: the element of the input or state. argument: what is quantised. table, source: the
    activation's table and the symbol that is looked up in it. node: the name of the node.
    """

    kind: Kind
    format: Format | None
    node: str
    index: int = 0
    argument: Polynomial | None = None
    table: Codes | None = None
    source: int = -1


@dataclass(frozen=True)
class Expression:
    """A pointwise function of one value: a node with its arguments, None for the value itself."""

    node: NodeProto | None
    arguments: tuple[Expression | Array, ...] = ()


@dataclass(frozen=True)
class Function:
    """``expression`` applied to one symbol per element, in the floating-point type ``real``."""

    sources: tuple[int, ...]
    real: np.dtype[Any]
    expression: Expression


@dataclass(frozen=True)
class Constant:
    """A tensor known now. format: of the quantiser it came from, if any."""

    array: Array
    format: Format | None = None


@dataclass(frozen=True)
class Signals:
    """A tensor (batch, n) of values that change.

    polynomials: one an element, None if an operator is not polynomial. function: set if every element
    is the same function of one symbol.
    """

    size: int
    real: np.dtype[Any]
    polynomials: tuple[Polynomial, ...] | None
    function: Function | None = None

    def select(self, indices: list[int]) -> Signals:
        """Some of the elements."""
        polynomials = self.polynomials and tuple(self.polynomials[i] for i in indices)
        function = self.function and Function(
            tuple(self.function.sources[i] for i in indices), self.function.real, self.function.expression
        )
        return Signals(len(indices), self.real, polynomials, function)


Value = Constant | Signals


def of_symbols(numbers: list[int], real: np.dtype[Any]) -> Signals:
    """A value whose elements are symbols."""
    return Signals(
        len(numbers),
        real,
        tuple({(number,): 1.0} for number in numbers),
        Function(tuple(numbers), real, Expression(None)),
    )


def add(a: Polynomial, b: Polynomial, factor: float = 1.0) -> Polynomial:
    """a + factor * b.

    >>> add({(0,): 1.0}, {(0,): 2.0, (): 1.0}, -1.0)
    {(0,): -1.0, (): -1.0}
    """
    total = dict(a)
    for monomial, coefficient in b.items():
        total[monomial] = total.get(monomial, 0.0) + factor * coefficient
    return total


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """a * b.

    >>> multiply({(1,): 2.0}, {(0,): 3.0, (): 1.0})
    {(0, 1): 6.0, (1,): 2.0}
    """
    product: Polynomial = {}
    for left, p in a.items():
        for right, q in b.items():
            monomial = tuple(sorted(left + right))
            product[monomial] = product.get(monomial, 0.0) + p * q
    return product


def linear_map(matrix: Array, elements: tuple[Polynomial, ...]) -> tuple[Polynomial, ...]:
    """The polynomials of ``matrix`` (rows, n) times ``elements`` (n); zeros of the matrix are kept."""
    rows = []
    for row in np.asarray(matrix, dtype=np.float64).tolist():
        total: Polynomial = {}
        for weight, element in zip(row, elements, strict=True):
            for monomial, coefficient in element.items():
                total[monomial] = total.get(monomial, 0.0) + weight * coefficient
        rows.append(total)
    return tuple(rows)


def without_zeros(polynomial: Polynomial) -> Polynomial:
    """The terms that count."""
    return {monomial: coefficient for monomial, coefficient in polynomial.items() if coefficient}
