# SPDX-License-Identifier: BSD-3-Clause
"""Pixels travel in one of three orders, and come back as the pixels that went in."""

from __future__ import annotations

import numpy as np
import pytest

from finn_flirnn.driver.order import GATES, GROUPS, ORDERS, PIXELS, StreamOrder

STEPS, FEATURES = 3, 2


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("pixels", [0, 1, 5, 6, 7, 12])
def test_what_comes_back_is_what_went_in(kind: str, pixels: int) -> None:
    order = StreamOrder(kind, 6, 2 if kind == GATES else 6)
    codes = np.arange(pixels * STEPS * FEATURES).reshape(pixels, STEPS, FEATURES)
    assert order.send(codes).size == order.travelling(pixels) * STEPS * FEATURES
    assert (order.receive(order.answer(codes), pixels, STEPS, FEATURES) == codes).all()


def test_gates_are_sent_for_all_pixels_of_a_frame_before_the_next_gate() -> None:
    codes = np.arange(4 * STEPS).reshape(4, STEPS, 1)
    sent = StreamOrder(GATES, 4, 2).send(codes)
    assert sent.ravel().tolist() == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]
    answered = StreamOrder(GATES, 4, 2).answer(codes)
    assert answered.ravel().tolist() == [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]


def test_only_pixels_may_end_within_a_group() -> None:
    codes = np.ones((5, STEPS, 1), dtype=np.int64)
    order = StreamOrder(PIXELS, 4, 4, partial=True)
    assert order.travelling(5) == 5
    assert order.send(codes).shape == (5, STEPS, 1)
    assert StreamOrder(PIXELS, 4, 4).send(codes).shape == (8, STEPS, 1)
    with pytest.raises(ValueError, match="partial=True needs order='pixels'"):
        StreamOrder(GROUPS, 4, 4, partial=True)
    with pytest.raises(ValueError, match="choose from pixels, groups, gates"):
        StreamOrder("columns", 4, 4)
    with pytest.raises(ValueError, match="multiple of output_lanes=3"):
        StreamOrder(GATES, 4, 3)
