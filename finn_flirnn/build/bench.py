# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn bench``: configurations built up to their estimates, and one table of what the tools said.

Each configuration goes through the steps of a build that depend on the hardware; software verification and
accuracy do not and are left out. Steps whose inputs are unchanged are kept, so an interrupted bench goes on
where it was.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from finn_flirnn.build.automatic_folding import folding_for
from finn_flirnn.build.bench_row import BUDGETS, BenchRow, bench_row
from finn_flirnn.build.bench_table import render_bench
from finn_flirnn.build.command import build_into
from finn_flirnn.build.config import BuildConfig, find_config, load_config
from finn_flirnn.build.decays import judged_decays, simulated_pixels
from finn_flirnn.build.hardware_check import network_trial, run_trial
from finn_flirnn.build.manifest import commit_of_source
from finn_flirnn.build.network_file import FILE_NAME, load_network
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.sources import model_source, sizes_of
from finn_flirnn.build.steps import STEPS
from finn_flirnn.build.toolchain import find_tools
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import write_atomically, write_json
from finn_flirnn.numerics import Seq2SeqNetwork
from finn_flirnn.sim import build_model

BENCHED = (*BUDGETS, "zcu104_8bit_state9", "zcu104_lifetime_8bit", "zcu104_gates", "ulx3s_8bit")
"""The configurations that are measured if none is named."""
MEASURING = ("model", "convert", "rtl", "verify_rtl", "synthesis", "estimate")
LEAST_PIXELS = 64


def bench(names: Sequence[str], output: Path, pixels: int) -> None:
    """Measure configurations and write bench.json and bench.md into ``output``.

    names: configurations; BENCHED if empty. pixels: simulated for each, at least LEAST_PIXELS.
    Raises UsageError or ConfigError for a wrong request before anything runs, BuildError if a step fails,
    or, when all is written, if a configuration is over its budget.
    """
    configs = [_config(name, max(pixels, LEAST_PIXELS)) for name in names or BENCHED]
    progress, rows = Progress(), []
    for config in configs:
        rows.append(_measure(config, output.resolve() / config.name))
        results = {"commit": commit_of_source(), "rows": [row.to_dict() for row in rows]}
        write_json(output / "bench.json", results)
        write_atomically(output / "bench.md", render_bench(results) + "\n")
    progress.say(f"{len(rows)} configurations: {output / 'bench.md'}")
    missed = [f"{row.name}: {'; '.join(row.missed)}" for row in rows if row.missed]
    if missed:
        raise BuildError("over budget: " + "\n".join(missed))


def _config(name: str, pixels: int) -> BuildConfig:
    config = load_config(find_config(name), sizes_of, choose=folding_for)
    # the decays are drawn for the accuracy too, which is not judged here
    return replace(
        config,
        verification=replace(config.verification, rtl_pixels=pixels),
        accuracy=replace(config.accuracy, pixels=pixels),
    )


def _measure(config: BuildConfig, folder: Path) -> BenchRow:
    steps = tuple(step for step in STEPS if step.name in MEASURING)
    build_into(folder, config, model_source(config, None), find_tools(), steps, None, resume=True)
    network, _ = load_network(folder / "model" / FILE_NAME)
    return bench_row(config, network, folder, _simulation_speed(config, network, folder))


def _simulation_speed(config: BuildConfig, network: Seq2SeqNetwork, folder: Path) -> float | None:
    """Pixels that the stitched design takes a second in Verilator, the model being compiled.

    None if the design is too large to be simulated as it is (a camera's whole frame).
    """
    if config.simulated_lanes != config.group_pixels:
        return None
    codes = judged_decays(config, network.input_format).codes[: simulated_pixels(config)]
    model = build_model(load_module(folder / "rtl"))
    trial = network_trial(network, codes, config.stream_order(), config.groups_in_flight)
    begun = time.perf_counter()
    run_trial(model, trial, pauses=False, seed=config.verification.seed)
    return len(codes) / (time.perf_counter() - begun)
