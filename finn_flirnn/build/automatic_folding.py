# SPDX-License-Identifier: BSD-3-Clause
"""A model, a board and a request become the "lanes" and "folding" of a configuration."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from finn_flirnn.build.boards import MULTIPLIERS, Board
from finn_flirnn.build.folding_request import FoldingRequest
from finn_flirnn.build.sources import network_of
from finn_flirnn.codegen.folding_search import choose_folding


def folding_for(model: str, board: Board, clock_mhz: float, request: FoldingRequest) -> dict[str, Any]:
    """Choose the folding of a model (checkpoint or .onnx file) for a board.

    Raises ValueError if the request cannot be met, naming the best that can; OSError for an unreadable model.
    """
    network = network_of(model)
    limits, max_cycles = request.limits(board), request.max_cycles(clock_mhz)
    choice = choose_folding(network, MULTIPLIERS[board.family], limits, max_cycles)
    layers = {name: asdict(folding) for name, folding in choice.recurrent.items()}
    for name, folding in layers.items():
        del folding["lanes"]
        if not network.recurrent[name].inputs:
            del folding["input_simd"]
    layers["head"] = asdict(choice.head)
    return {"lanes": choice.lanes, "folding": layers}
