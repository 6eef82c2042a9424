# SPDX-License-Identifier: BSD-3-Clause
"""The library's source list, in levels: a module uses modules of earlier levels only."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent

VARIANTS = ("dsp48e2", "dsp48e1", "plain")
"""Folders with a ``dsp_mac`` each: the multiply-accumulate cell, by what the device has."""

PRIMITIVES = HERE / "primitives"
"""Models of the vendor's cells that the library instantiates, ``<cell>.sv``: behaviour for simulation,
ports for synthesis, which takes each as a black box."""

LEVELS: tuple[tuple[str, ...], ...] = (
    ("successor", "round_counter"),
    (
        "delay",
        "credits",
        "stream_fifo",
        "stream_widen",
        "stream_narrow",
        "round_saturate",
        "adder_tree",
        "lut_mac",
        "transpose_buffer",
        "memory_bank",
        "bank_select",
        "stream_turns",
    ),
    (
        "mac_chain",
        "pipeline_out",
        "gru_join",
        "gru_hold",
        "multiply",
        "stream_deal",
        "stream_collect",
        "stream_fork",
        "stream_last",
    ),
    ("mac_rows", "banked_fifo", "gru_blend"),
    ("matrix_vector", "gru_source", "gru_park", "gru_unit_after", "gru_unit_reset", "gru_unit_candidate"),
    ("state_fifo",),
    ("gru_input", "gru_sink", "dense", "lane_gather", "lane_scatter"),
    ("gru_ring",),
    ("gru_after", "gru_before"),
)
"""Module names; the file of a module is ``<name>.sv`` beside this one."""

LINK = ("crc32", "uart_receive", "uart_transmit", "link_buffer", "link_load", "link_receive", "link_transmit")
LINK += ("link",)
"""The host link of a board without a processor; ``link`` also uses the library's stream modules."""

REGISTERS = ("control_registers",)
"""The registers of a board with a processor."""

LOADER = ("crc32", "weight_port", "weight_gate", "weight_loader")
"""What loads weights at run time (docs/weights.md)."""

SHELL = ("round_counter", "stream_widen", "stream_narrow", "dma_read", "dma_write")
"""Models of the DMAs of FINN's shell, for simulation, and what they and the registers use of the library."""


def library_sources(variant: str = VARIANTS[0]) -> tuple[Path, ...]:
    """Paths of all library sources in order of compilation, with one variant of ``dsp_mac``.

    Raises ValueError for an unknown variant.
    """
    if variant not in VARIANTS:
        raise ValueError(f"variant={variant} must be one of {', '.join(VARIANTS)}")
    library = (HERE / f"{name}.sv" for level in LEVELS for name in level)
    return (HERE / variant / "dsp_mac.sv", *library)


def primitive_models() -> tuple[Path, ...]:
    """Paths of the models of vendor cells."""
    return tuple(sorted(PRIMITIVES.glob("*.sv")))


def link_sources() -> tuple[Path, ...]:
    """Paths of the host link's sources, to be compiled after the library's."""
    return tuple(HERE / f"{name}.sv" for name in LINK)


def register_sources() -> tuple[Path, ...]:
    """Paths of the control registers' sources, to be compiled after the library's."""
    return tuple(HERE / f"{name}.sv" for name in REGISTERS)


def loader_sources() -> tuple[Path, ...]:
    """Paths of the sources that load weights at run time."""
    return tuple(HERE / f"{name}.sv" for name in LOADER)


def shell_sources() -> tuple[Path, ...]:
    """Paths of the models of FINN's DMAs, and of the library's modules around an accelerator."""
    return tuple(HERE / f"{name}.sv" for name in SHELL)
