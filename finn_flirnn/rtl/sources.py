# SPDX-License-Identifier: BSD-3-Clause
"""The library's source list, in levels: a module uses modules of earlier levels only."""

from __future__ import annotations

from pathlib import Path

LEVELS: tuple[tuple[str, ...], ...] = (
    ("delay", "credits", "stream_fifo", "stream_widen", "stream_narrow", "round_saturate", "adder_tree"),
    ("dot", "dot_pair", "pipeline_out", "gru_join", "gru_hold", "gru_blend"),
    ("matrix_vector", "gru_source", "gru_sink", "gru_unit_after", "gru_unit_reset", "gru_unit_candidate"),
    ("gru_input", "dense"),
    ("gru_ring",),
    ("gru_after", "gru_before"),
)
"""Module names; the file of a module is ``<name>.sv`` beside this one."""


def library_sources() -> tuple[Path, ...]:
    """Paths of all library sources in order of compilation."""
    here = Path(__file__).resolve().parent
    return tuple(here / f"{name}.sv" for level in LEVELS for name in level)
