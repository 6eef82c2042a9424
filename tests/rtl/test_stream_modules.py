# SPDX-License-Identifier: BSD-3-Clause
"""Stream utilities lose, duplicate and reorder nothing under any stalls."""

from pathlib import Path

import numpy as np
import pytest

from finn_flirnn.codegen import StreamPort
from tests.rtl.harness import STALLS, raw, run, stream_model

WORDS = 500


def _words(elements: int, bits: int, count: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 1 << bits, (count, elements))


@pytest.mark.parametrize("depth", [1, 2, 3, 16, 33, 100])
def test_fifo_keeps_order(tmp_path: Path, depth: int) -> None:
    port = StreamPort("in0_V", 1, raw(13))
    model = stream_model(
        tmp_path, "stream_fifo", {"WIDTH": 13, "DEPTH": depth}, port, StreamPort("out0_V", 1, raw(13))
    )
    words = _words(1, 13, WORDS)
    for stalls in STALLS:
        assert (run(model, words, WORDS, stalls) == words).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_widen_puts_the_first_word_lowest(tmp_path: Path, factor: int) -> None:
    model = stream_model(
        tmp_path,
        "stream_widen",
        {"WIDTH": 5, "FACTOR": factor},
        StreamPort("in0_V", 1, raw(5)),
        StreamPort("out0_V", factor, raw(5)),
    )
    words = _words(1, 5, 64 * factor)
    for stalls in STALLS:
        assert (run(model, words, 64, stalls) == words.reshape(64, factor)).all()


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_narrow_gives_the_lowest_word_first(tmp_path: Path, factor: int) -> None:
    model = stream_model(
        tmp_path,
        "stream_narrow",
        {"WIDTH": 5, "FACTOR": factor},
        StreamPort("in0_V", factor, raw(5)),
        StreamPort("out0_V", 1, raw(5)),
    )
    words = _words(factor, 5, 64)
    for stalls in STALLS:
        assert (run(model, words, 64 * factor, stalls) == words.reshape(-1, 1)).all()
