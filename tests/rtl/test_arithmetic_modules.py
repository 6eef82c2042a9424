# SPDX-License-Identifier: BSD-3-Clause
"""Arithmetic modules equal the integer oracle."""

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import StreamPort
from finn_flirnn.codegen.rom import rounding_half
from finn_flirnn.numerics import (
    Activation,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    activation_table,
    requantise,
)
from tests.rtl.harness import fields, pipeline_model, run


@pytest.mark.parametrize(
    ("bits", "shift", "target"),
    [
        (12, 4, Format(6, 0)),
        (12, 1, Format(6, 0, narrow=True)),
        (12, 6, Format(6, 0, signed=False)),
        (12, 0, Format(8, 0)),
        (9, -2, Format(12, 0)),
        (9, -3, Format(9, 0, narrow=True)),
        (6, 9, Format(4, 0)),
        (12, 11, Format(2, 0)),
        (8, 3, Format(16, 0)),
    ],
)
def test_requant_rounds_half_to_even_and_saturates(
    tmp_path: Path, bits: int, shift: int, target: Format
) -> None:
    codes = np.arange(-(1 << (bits - 1)), 1 << (bits - 1))
    width = max(bits, shift) + 1
    parameters = {
        "IN_BITS": width,
        "SHIFT": shift,
        "OUT_BITS": target.bits,
        "OUT_SIGNED": int(target.signed),
        "OUT_NARROW": int(target.narrow),
    }
    out = StreamPort("out0_V", 1, target)
    model = pipeline_model(tmp_path, "round_saturate", parameters, [("idat", width)], out, latency=1)
    given = run(model, fields([(codes + rounding_half(shift), width)]), len(codes), stalls=0.3)
    assert (given[:, 0] == requantise(codes, shift, target)).all()


@pytest.mark.parametrize("dsp", [0, 1])
@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 8), (10, 5), (3, 1), (9, 9), (16, 4), (12, 2)])
def test_multiply_equals_the_product(tmp_path: Path, dsp: int, a_bits: int, b_bits: int) -> None:
    rng = np.random.default_rng(2)
    a = rng.integers(-(1 << (a_bits - 1)), 1 << (a_bits - 1), 3000)
    b = rng.integers(0, 1 << b_bits, 3000)
    a[:100], b[:200:2] = -(1 << (a_bits - 1)), (1 << b_bits) - 1
    start = 1 << (a_bits + b_bits - 3)
    parameters = {"A_BITS": a_bits, "B_BITS": b_bits, "START": start, "DSP": dsp}
    ports = [("a", a_bits), ("b", b_bits)]
    target = StreamPort("out0_V", 1, Format(a_bits + b_bits + 1, 0))
    model = pipeline_model(tmp_path, "multiply", parameters, ports, target, latency=3)
    given = run(model, fields([(a, a_bits), (b, b_bits)]), len(a), stalls=0.2)
    assert (given[:, 0] == a * b + start).all()


@pytest.mark.parametrize("dsp", [0, 1])
@pytest.mark.parametrize(
    ("state", "candidate"),
    [
        (Format(8, 7, narrow=True), Format(8, 7, narrow=True)),
        (Format(16, 15, narrow=True), Format(9, 8, narrow=True)),
        (Format(4, 3), Format(10, 9, narrow=True)),
    ],
)
def test_blend_equals_the_oracle(tmp_path: Path, state: Format, candidate: Format, dsp: int) -> None:
    gate, pre = Format(8, 7, signed=False), Format(4, 1)
    layer = GruLayer(
        GruFormats(Format(2, 0), state, gate, candidate, pre),
        Reset.BEFORE,
        None,
        np.zeros((3, 1), dtype=np.int64),
        np.zeros(3, dtype=np.int64),
        None,
        activation_table(Activation.SIGMOID, pre, gate),
        activation_table(Activation.TANH, pre, candidate),
    )
    rng = np.random.default_rng(4)
    z = rng.integers(0, 129, 5000)
    n = rng.integers(candidate.min_code, candidate.max_code + 1, 5000)
    h = rng.integers(state.min_code, state.max_code + 1, 5000)
    common = max(state.frac, candidate.frac)
    parameters = {
        "HBITS": state.bits, "CBITS": candidate.bits, "GBITS": 8, "GFRAC": 7,
        "HSHIFT": common - state.frac, "NSHIFT": common - candidate.frac,
        "STATE_SHIFT": common + 7 - state.frac, "STATE_NARROW": int(state.narrow),
        "DSP": dsp,
    }  # fmt: skip
    ports = [("z", 8), ("n", candidate.bits), ("h", state.bits)]
    model = pipeline_model(
        tmp_path, "gru_blend", parameters, ports, StreamPort("out0_V", 1, state), latency=6
    )
    given = run(model, fields([(z, 8), (n, candidate.bits), (h, state.bits)]), len(z), stalls=0.2)
    assert (given[:, 0] == layer.blend(z, n, h)).all()
