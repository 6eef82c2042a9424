# SPDX-License-Identifier: BSD-3-Clause
"""Codes in words: every width, every position in a word."""

import doctest
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn_flirnn.numerics import Format
from finn_flirnn.sim import cache, pack, packing, unpack, verilator


def word_by_word(codes: np.ndarray, bits: int) -> list[int]:
    """Transfers as Python integers, straight from the definition."""
    mask = (1 << bits) - 1
    return [sum((int(c) & mask) << (i * bits) for i, c in enumerate(row)) for row in codes]


@given(bits=st.integers(2, 32), signed=st.booleans(), elements=st.integers(1, 70), seed=st.integers(0, 99))
def test_words_are_the_codes_side_by_side_and_come_back(
    bits: int, signed: bool, elements: int, seed: int
) -> None:
    fmt = Format(bits, 0, signed=signed)
    codes = np.random.default_rng(seed).integers(fmt.min_code, fmt.max_code + 1, (3, elements))
    codes[0, 0], codes[-1, -1] = fmt.min_code, fmt.max_code
    words = pack(codes, fmt)
    assert words.shape == (3, -(-bits * elements // 32)) and words.dtype == np.uint32
    assert [int.from_bytes(row.astype("<u4").tobytes(), "little") for row in words] == word_by_word(
        codes, bits
    )
    assert np.array_equal(unpack(words, elements, fmt), codes)


def test_one_bit_codes_pack_32_to_a_word() -> None:
    fmt = Format(1, 0, signed=False)
    codes = np.random.default_rng(0).integers(0, 2, (5, 33))
    words = pack(codes, fmt)
    assert words.shape == (5, 2)
    assert np.array_equal(unpack(words, 33, fmt), codes)


def test_bits_above_the_last_element_do_not_matter() -> None:
    fmt = Format(5, 0)
    codes = np.array([[-16, 15, -1]])
    assert np.array_equal(unpack(pack(codes, fmt) | np.uint32(0xFFFF8000), 3, fmt), codes)


def test_codes_outside_the_format_are_refused() -> None:
    with pytest.raises(ValueError, match=r"span -128\.\.0, but .* holds -127\.\.127"):
        pack(np.array([[-128, 0]]), Format(8, 0, narrow=True))


def test_codes_need_a_transfer_and_an_element_axis() -> None:
    with pytest.raises(ValueError, match=r"shape \(transfers, elements\), not \(3,\)"):
        pack(np.zeros(3, dtype=np.int64), Format(8, 0))


def test_too_few_words_are_refused() -> None:
    with pytest.raises(ValueError, match="2 or more"):
        unpack(np.zeros((1, 1), dtype=np.uint32), 5, Format(8, 0))


@pytest.mark.parametrize("module", [packing, cache, verilator])
def test_examples_in_docstrings_hold(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0
