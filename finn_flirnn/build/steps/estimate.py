# SPDX-License-Identifier: BSD-3-Clause
"""Step estimate: FINN's estimates of our layers, and how far they are from simulation and synthesis."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from finn_flirnn.build.boards import RESOURCES
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.context import BuildContext
from finn_flirnn.common.files import read_json_file
from finn_flirnn.driver.order import GATES


def run(context: BuildContext) -> None:
    """Write report/estimate.json."""
    config = context.config
    found = read_json_file(context.output / PARTS / "finn.json")
    streams = read_json_file(context.output / PARTS / "streams.json")
    layers = [
        {
            "name": layer["name"],
            "op": layer["op"],
            "cycles_per_pixel": layer["group_cycles"] / config.group_pixels,
            **{key: layer["resources"][key] for key in RESOURCES},
        }
        for layer in found["layers"]
    ]
    total: dict[str, Any] = {key: sum(layer[key] for layer in layers) + streams[key] for key in RESOURCES}
    paces = [layer["cycles_per_pixel"] for layer in layers]
    # the layers work side by side: the slowest sets the pace; but a frame is not encoded while the states
    # of the one before wait in the encoder (ADR 8)
    pace = paces[0] + max(paces[1:]) if config.order == GATES else max(paces)
    total = {"cycles_per_pixel": pace, **total}
    synthesised, simulated = context.read_report("synthesis"), context.read_report("rtlsim")
    context.report(
        "estimate",
        {
            "layers": layers,
            "streams": {key: streams[key] for key in RESOURCES},
            "copies": config.copies,
            "unroll": asdict(config.unroll),
            "total": total,
            "board": config.board,
            "board_share": config.target.share(total),
            "pixels_per_s": config.clock_mhz * 1e6 / total["cycles_per_pixel"],
            "latency_us": found["path_cycles"] / config.clock_mhz,
            "error": {key: _error(total[key], synthesised[key]) for key in RESOURCES},
            "cycles_error": _error(total["cycles_per_pixel"], simulated["cycles_per_pixel"]),
        },
    )


def _error(estimated: float, measured: float) -> float | None:
    """Relative error of an estimate; None where nothing was found of what is estimated."""
    return estimated / measured - 1 if measured else None
