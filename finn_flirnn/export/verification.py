# SPDX-License-Identifier: BSD-3-Clause
"""Equality of executed QONNX models with the integer oracle, code by code."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto

from finn_flirnn.export.execution import CHUNK, QonnxExecutor
from finn_flirnn.numerics import Codes, Format, GruLayer, Seq2SeqNetwork


@dataclass(frozen=True)
class Verification:
    """How many sequences and output codes were compared, and how many codes differed."""

    sequences: int
    codes: int
    mismatches: int


def verify_qonnx(
    model: ModelProto | Path | str,
    oracle: Seq2SeqNetwork | GruLayer,
    sequences: int,
    seed: int,
    *,
    steps: int | None = None,
    threads: int = 2,
) -> Verification:
    """Run random sequences through a model and its oracle and compare every output code by ``==``.

    Half of the sequences are independent uniform codes, half are slow random walks, which drive the
    state into saturation. steps: for a GRU alone. A model of a fixed batch runs the next multiple.
    threads: blocks of sequences at a time; the sequences do not depend on it.
    """
    executor = QonnxExecutor(model, threads=1)
    block = executor.batch or CHUNK
    sizes = [executor.batch or min(CHUNK, sequences - start) for start in range(0, sequences, block)]

    def compare(index: int) -> Verification:
        return _compare(executor, oracle, sizes[index], np.random.default_rng([seed, index]), steps)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(compare, range(len(sizes))))
    return Verification(
        sequences=sum(part.sequences for part in parts),
        codes=sum(part.codes for part in parts),
        mismatches=sum(part.mismatches for part in parts),
    )


def _compare(
    executor: QonnxExecutor,
    oracle: Seq2SeqNetwork | GruLayer,
    pixels: int,
    rng: np.random.Generator,
    steps: int | None,
) -> Verification:
    """One block of sequences."""
    inputs = random_inputs(rng, oracle, pixels, steps)
    expected = _expected(oracle, inputs, pixels, steps)
    reals = [fmt.dequantise(codes) for codes, fmt in zip(inputs, _input_formats(oracle), strict=True)]
    # a value off the grid can equal no code, so it counts as a mismatch here, too
    found = executor.run(*reals).astype(np.float64) * 2.0 ** _output_format(oracle).frac
    if found.shape != expected.shape:
        raise ValueError(f"the model gives shape {found.shape}, its oracle {expected.shape}")
    return Verification(pixels, expected.size, int(np.count_nonzero(found != expected)))


def random_inputs(
    rng: np.random.Generator, oracle: Seq2SeqNetwork | GruLayer, pixels: int, steps: int | None = None
) -> list[Codes]:
    """Random codes for each input of an oracle: x (pixels, T, I), then h0 (pixels, H), if it has them."""
    layer = oracle.encoders[0] if isinstance(oracle, Seq2SeqNetwork) else oracle
    length = oracle.steps if isinstance(oracle, Seq2SeqNetwork) else steps
    inputs = []
    if layer.formats.input is not None:
        inputs.append(_random_codes(rng, layer.formats.input, (pixels, length or 1, layer.inputs)))
    if layer.initial_state:
        state = layer.formats.state
        inputs.append(rng.integers(state.min_code, state.max_code, (pixels, layer.hidden), endpoint=True))
    return inputs


def _random_codes(rng: np.random.Generator, fmt: Format, shape: tuple[int, int, int]) -> Codes:
    codes = rng.integers(fmt.min_code, fmt.max_code, shape, endpoint=True)
    half = shape[0] // 2
    span = max((fmt.max_code - fmt.min_code) // 8, 1)
    walks = np.cumsum(rng.integers(-span, span, codes[:half].shape, endpoint=True), axis=1)
    codes[:half] = fmt.saturate(codes[:half, :1] + walks)
    return codes


def _expected(
    oracle: Seq2SeqNetwork | GruLayer, inputs: list[Codes], pixels: int, steps: int | None
) -> Codes:
    if isinstance(oracle, Seq2SeqNetwork):
        return oracle.run(inputs[0])
    if steps is None:
        raise ValueError("steps must be given for a GRU alone")
    rest = list(inputs)
    x = rest.pop(0) if oracle.inputs else None
    h0 = rest.pop(0) if oracle.initial_state else None
    return oracle.run(x, steps, h0, batch=pixels)


def _input_formats(oracle: Seq2SeqNetwork | GruLayer) -> list[Format]:
    layer = oracle.encoders[0] if isinstance(oracle, Seq2SeqNetwork) else oracle
    formats = [layer.formats.input] if layer.formats.input is not None else []
    return [*formats, layer.formats.state] if layer.initial_state else formats


def _output_format(oracle: Seq2SeqNetwork | GruLayer) -> Format:
    return oracle.output_format if isinstance(oracle, Seq2SeqNetwork) else oracle.formats.state
