# SPDX-License-Identifier: BSD-3-Clause
"""Reading a Scan's body: what each value is, as polynomials of quantised symbols.

Names and order of nodes do not matter, nor how a product is split over gates: Gemm, MatMul, Split,
Slice, Concat, Gather of columns, sums and products are followed algebraically. Anything else is
accepted if it is a pointwise function between two quantisers; it becomes a table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import GraphProto, NodeProto, helper

from finn_flirnn.numerics import Format
from finn_flirnn.transforms.cell_symbols import (
    Constant,
    Expression,
    Function,
    Kind,
    Polynomial,
    Signals,
    Symbol,
    Value,
    add,
    linear_map,
    multiply,
    of_symbols,
)
from finn_flirnn.transforms.cell_tables import compose, function_table
from finn_flirnn.transforms.conversion_error import ConversionError, label
from finn_flirnn.transforms.onnx_values import Array, attributes_of, compute, initialisers_of
from finn_flirnn.transforms.quantiser import is_quant, quant_format

LAYOUT_OPS = (
    "Identity",
    "Cast",
    "Transpose",
    "Split",
    "Slice",
    "Concat",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Gather",
)
"""Operators that leave a constant's values on its quantiser's grid."""
FLOAT32_BITS = 24


class CellInterpreter:
    """The symbols and values of one body, filled by ``run``.

    weight_formats: for the input and for the state, the formats of the weights that multiply them.
    """

    def __init__(self, scan: NodeProto, body: GraphProto, opset: int, outer: dict[str, Array]) -> None:
        self.scan = label(scan)
        self.body = body
        self.opset = opset
        self.symbols: list[Symbol] = []
        self.values: dict[str, Value] = {name: Constant(array) for name, array in outer.items()}
        self.values |= {name: Constant(array) for name, array in initialisers_of(body).items()}
        self.weight_formats: dict[Kind, set[Format]] = {Kind.INPUT: set(), Kind.STATE: set()}
        self._reals: set[np.dtype[Any]] = {np.dtype(np.float64)}

    def declare(self, name: str, kind: Kind, fmt: Format | None) -> None:
        """Make symbols for an input of the body, (batch, features)."""
        info = next(value for value in self.body.input if value.name == name)
        tensor = info.type.tensor_type
        shape = [dim.dim_value for dim in tensor.shape.dim]
        if len(shape) != 2 or shape[1] < 1:
            raise ConversionError(
                self.scan,
                f"{name} of its body must have shape (batch, features) with known features, got {shape}",
            )
        real = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        self.values[name] = of_symbols(
            [self._symbol(Symbol(kind, fmt, self.scan, index=i)) for i in range(shape[1])], real
        )

    def run(self) -> None:
        """Interpret every node. Raises ConversionError at the first that fits no GRU cell."""
        for node in self.body.node:
            inputs = [self._value(node, name) if name else None for name in node.input]
            results = self._interpret(node, inputs)
            self.values |= dict(zip(node.output, results, strict=True))

    def symbols_of(self, name: str) -> list[int]:
        """The symbols that a value consists of. Raises ConversionError if it is anything else."""
        value = self.values.get(name)
        numbers = value and _pure_symbols(value)
        if not numbers:
            raise ConversionError(self.scan, f"{name} of its body must come from a Quant node; quantise it")
        return numbers

    def _value(self, node: NodeProto, name: str) -> Value:
        if name not in self.values:
            raise ConversionError(
                label(node),
                f"reads {name}, which is neither in the body of {self.scan} nor a constant around it",
            )
        return self.values[name]

    def _symbol(self, symbol: Symbol) -> int:
        self.symbols.append(symbol)
        return len(self.symbols) - 1

    def _interpret(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        if is_quant(node):
            return [self._quant(node, inputs[0])]
        if all(value is None or isinstance(value, Constant) for value in inputs):
            return self._fold(node, inputs)
        handler = _HANDLERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        results = handler(self, node, inputs) if handler else None
        if results is not None:
            return list(results)
        return [self._pointwise(node, inputs, None)]

    def _fold(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        """All inputs are constants: compute it now, and keep the format where values only move."""
        constants = [value for value in inputs if isinstance(value, Constant)]
        feeds = {n: v.array for n, v in zip(node.input, inputs, strict=True) if isinstance(v, Constant)}
        data = constants if node.op_type == "Concat" else constants[:1]
        formats = {value.format for value in data}
        kept = formats.pop() if node.op_type in LAYOUT_OPS and len(formats) == 1 else None
        return [Constant(array, kept) for array in compute([node], feeds, list(node.output), self.opset)]

    def _quant(self, node: NodeProto, value: Value | None) -> Value:
        fmt = quant_format(node, self.constant_array)
        if isinstance(value, Constant):
            return Constant(fmt.dequantise(fmt.quantise(value.array)).astype(value.array.dtype), fmt)
        if value is None:
            raise ConversionError(label(node), "it has no input")
        numbers = _pure_symbols(value)
        if numbers and all(self.symbols[number].format == fmt for number in numbers):
            return value
        if value.function and self._is_quantised(value.function):
            return self._look_up(node, value.function, fmt, value.real)
        if value.polynomials is None:
            raise ConversionError(
                label(node), "quantises a function of something that is not quantised; put a Quant before it"
            )
        name = label(node)
        made = [self._symbol(Symbol(Kind.QUANTISED, fmt, name, argument=p)) for p in value.polynomials]
        return of_symbols(made, value.real)

    def _is_quantised(self, function: Function) -> bool:
        return all(self.symbols[source].kind is Kind.QUANTISED for source in function.sources)

    def _look_up(self, node: NodeProto, function: Function, fmt: Format, real: np.dtype[Any]) -> Signals:
        """A pointwise function between two quantisers: symbols with its table."""
        formats = {self.symbols[source].format for source in function.sources}
        if len(formats) != 1:
            raise ConversionError(label(node), f"its inputs have different formats {formats}; use one")
        table = function_table(node, function, formats.pop(), fmt, self.opset)
        symbols = [
            Symbol(Kind.TABLE, fmt, label(node), table=table, source=source) for source in function.sources
        ]
        return of_symbols([self._symbol(symbol) for symbol in symbols], real)

    def _pointwise(
        self, node: NodeProto, inputs: list[Value | None], polynomials: tuple[Polynomial, ...] | None
    ) -> Signals:
        """A node applied element by element: polynomial, or a function of one value; else refused."""
        signals = [value for value in inputs if isinstance(value, Signals)]
        function = compose(node, inputs)
        if polynomials is None and function is None:
            raise ConversionError(
                label(node),
                f"{node.op_type} is not part of a GRU cell that can be converted; between two Quant nodes "
                "any function of one value is, elsewhere sums, products and quantised matrices",
            )
        real = signals[0].real
        if polynomials is not None:
            self._reals.add(real)
        if node.op_type == "Cast":
            real = helper.tensor_dtype_to_np_dtype(attributes_of(node)["to"])
        return Signals(max(value.size for value in signals), real, polynomials, function)

    def _sum(self, node: NodeProto, inputs: list[Value | None], sign: float) -> list[Signals]:
        left, right = (self._broadcast(node, value, inputs) for value in inputs)
        polynomials = (
            tuple(add(a, b, sign) for a, b in zip(left, right, strict=True)) if left and right else None
        )
        return [self._pointwise(node, inputs, polynomials)]

    def _product(self, node: NodeProto, inputs: list[Value | None]) -> list[Signals]:
        left, right = (self._broadcast(node, value, inputs) for value in inputs)
        polynomials = (
            tuple(multiply(a, b) for a, b in zip(left, right, strict=True)) if left and right else None
        )
        return [self._pointwise(node, inputs, polynomials)]

    def _broadcast(
        self, node: NodeProto, value: Value | None, inputs: list[Value | None]
    ) -> tuple[Polynomial, ...] | None:
        """The polynomials of an operand, as many as the result has elements; None if it has none."""
        size = max(v.size if isinstance(v, Signals) else v.array.size for v in inputs if v is not None)
        if isinstance(value, Constant):
            numbers = np.asarray(value.array, dtype=np.float64).ravel().tolist()
            if value.array.ndim > 2 or len(numbers) not in (1, size):
                raise ConversionError(
                    label(node), f"a constant of shape {value.array.shape} does not fit {size}"
                )
            elements: tuple[Polynomial, ...] = tuple({(): number} for number in numbers)
        else:
            assert value is not None
            if value.polynomials is None:
                return None
            elements = value.polynomials
        if len(elements) not in (1, size):
            raise ConversionError(label(node), f"{len(elements)} and {size} elements cannot be combined")
        return elements if len(elements) == size else elements * size

    def _negative(self, node: NodeProto, inputs: list[Value | None]) -> list[Signals]:
        (value,) = inputs
        assert isinstance(value, Signals)
        negative = value.polynomials and tuple(add({}, p, -1.0) for p in value.polynomials)
        return [self._pointwise(node, inputs, negative)]

    def _cast(self, node: NodeProto, inputs: list[Value | None]) -> list[Signals]:
        (value,) = inputs
        assert isinstance(value, Signals)
        real = helper.tensor_dtype_to_np_dtype(attributes_of(node)["to"])
        if real not in (np.float32, np.float64):
            return [self._pointwise(node, inputs, None)]
        if real == np.float32 and value.real == np.float64 and not self._fits_float32(value):
            raise ConversionError(
                label(node), "rounds a sum to float32 before it is quantised; quantise it first"
            )
        return [Signals(value.size, real, value.polynomials, compose(node, inputs))]

    def _fits_float32(self, value: Signals) -> bool:
        formats = [self.symbols[number].format for number in _pure_symbols(value) or []]
        return bool(formats) and all(fmt is not None and fmt.bits <= FLOAT32_BITS for fmt in formats)

    def _matmul(self, node: NodeProto, inputs: list[Value | None]) -> list[Signals]:
        """MatMul or Gemm of a value and a quantised constant matrix, plus a bias."""
        attributes = attributes_of(node)
        value, matrix, *bias = inputs
        plain = attributes.get("alpha", 1.0) == 1.0 and attributes.get("beta", 1.0) == 1.0
        if not isinstance(value, Signals) or not isinstance(matrix, Constant) or attributes.get("transA", 0):
            raise ConversionError(label(node), "must multiply a value by a constant matrix from the right")
        if not plain or value.polynomials is None or matrix.array.ndim != 2:
            raise ConversionError(label(node), "must be a plain product with a matrix (alpha = beta = 1)")
        if matrix.format is None:
            raise ConversionError(label(node), "its weights must come from a Quant node; quantise them")
        kinds = {self.symbols[s].kind for p in value.polynomials for monomial in p for s in monomial}
        self.weight_formats[Kind.INPUT if kinds == {Kind.INPUT} else Kind.STATE].add(matrix.format)
        rows = matrix.array if attributes.get("transB", 0) else matrix.array.T
        if rows.shape[1] != value.size:
            raise ConversionError(
                label(node), f"a matrix of {rows.shape[1]} columns does not fit {value.size}"
            )
        self._reals.add(value.real)
        product = Signals(len(rows), value.real, linear_map(rows, value.polynomials))
        if not bias or bias[0] is None:
            return [product]
        return self._sum(node, [product, bias[0]], 1.0)

    def _split(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        value = self._along_features(node, inputs, attributes_of(node).get("axis", 0))
        sizes = inputs[1].array.tolist() if len(inputs) > 1 and isinstance(inputs[1], Constant) else None
        if sizes is None:
            parts = len(node.output)
            if value.size % parts:
                raise ConversionError(
                    label(node), f"{value.size} elements do not split in {parts} equal parts"
                )
            sizes = [value.size // parts] * parts
        ends = np.cumsum(sizes).tolist()
        return [value.select(list(range(end - size, end))) for size, end in zip(sizes, ends, strict=True)]

    def _slice(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        bounds = [value.array.ravel().tolist() for value in inputs[1:] if isinstance(value, Constant)]
        if len(bounds) < 3 or any(len(bound) != 1 for bound in bounds):
            raise ConversionError(label(node), "must slice one axis at constant positions")
        (start,), (end,), (axis,), *rest = bounds
        value = self._along_features(node, inputs, axis)
        step = rest[0][0] if rest else 1
        return [value.select(list(range(value.size))[slice(start, end, step)])]

    def _concat(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        signals = [value for value in inputs if isinstance(value, Signals)]
        if len(signals) != len(inputs) or any(value.polynomials is None for value in signals):
            raise ConversionError(label(node), "must join sums, products and quantised values only")
        self._along_features(node, inputs, attributes_of(node)["axis"])
        joined = tuple(p for value in signals for p in value.polynomials or ())
        size = sum(value.size for value in signals)
        function = None
        expressions = [value.function.expression if value.function else None for value in signals]
        if all(expression is not None and expression.node is None for expression in expressions):
            sources = tuple(s for value in signals if value.function for s in value.function.sources)
            function = Function(sources, signals[0].real, Expression(None))
        return [Signals(size, signals[0].real, joined, function)]

    def _gather(self, node: NodeProto, inputs: list[Value | None]) -> list[Value]:
        data, indices = inputs
        axis = attributes_of(node).get("axis", 0)
        if isinstance(data, Signals):
            if not isinstance(indices, Constant) or indices.array.ndim != 1:
                raise ConversionError(
                    label(node), "must take constant columns of a value, or look up a table"
                )
            columns = [int(i) % data.size for i in indices.array]
            return [self._along_features(node, inputs, axis).select(columns)]
        assert isinstance(data, Constant) and isinstance(indices, Signals)
        if data.array.ndim != 1:
            raise ConversionError(label(node), f"its table must have one dimension, got {data.array.shape}")
        found = self._pointwise(node, inputs, None)
        if data.format is None or found.function is None or not self._is_quantised(found.function):
            return [found]
        return [self._look_up(node, found.function, data.format, data.array.dtype)]

    def _along_features(self, node: NodeProto, inputs: list[Value | None], axis: int) -> Signals:
        value = inputs[0]
        if not isinstance(value, Signals) or axis not in (1, -1):
            raise ConversionError(label(node), f"must act along the features (axis 1), got axis {axis}")
        return value

    @property
    def narrowest_real(self) -> np.dtype[Any]:
        """The narrowest floating-point type that the body computes products in."""
        return min(self._reals, key=lambda real: real.itemsize)

    def constant_array(self, name: str) -> Array | None:
        """The value of a constant, None if the tensor is no constant (yet)."""
        value = self.values.get(name)
        return value.array if isinstance(value, Constant) else None


Handler = Callable[[CellInterpreter, NodeProto, "list[Value | None]"], Any]
_HANDLERS: dict[str, Handler] = {
    "Add": lambda cell, node, inputs: cell._sum(node, inputs, 1.0),
    "Sub": lambda cell, node, inputs: cell._sum(node, inputs, -1.0),
    "Mul": CellInterpreter._product,
    "Neg": CellInterpreter._negative,
    "Identity": lambda cell, node, inputs: inputs,
    "Cast": CellInterpreter._cast,
    "Gemm": CellInterpreter._matmul,
    "MatMul": CellInterpreter._matmul,
    "Split": CellInterpreter._split,
    "Slice": CellInterpreter._slice,
    "Concat": CellInterpreter._concat,
    "Gather": CellInterpreter._gather,
}


def _pure_symbols(value: Value) -> list[int] | None:
    """The symbols if every element is exactly one symbol."""
    if isinstance(value, Constant) or value.polynomials is None:
        return None
    numbers = []
    for polynomial in value.polynomials:
        if len(polynomial) != 1:
            return None
        ((monomial, coefficient),) = polynomial.items()
        if len(monomial) != 1 or coefficient != 1.0:
            return None
        numbers.append(monomial[0])
    return numbers
