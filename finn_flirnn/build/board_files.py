# SPDX-License-Identifier: BSD-3-Clause
"""The folder board/ of a build for an open board: its top module, pin constraints and link."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from finn_flirnn.build.deploy import build_identifier
from finn_flirnn.build.rtl_files import collect_sources, load_module
from finn_flirnn.codegen.link import LinkSettings, emit_link_system
from finn_flirnn.codegen.types import RtlModule
from finn_flirnn.codegen.ulx3s import TOP, emit_ulx3s
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import read_json_file, write_json
from finn_flirnn.driver.frames import Identity
from finn_flirnn.driver.packing import Stream
from finn_flirnn.numerics import Seq2SeqNetwork

SYSTEM = "flirnn_system"
LINK_FILE = "link.json"
CONSTRAINTS = f"{TOP}.lpf"
NETLIST = f"{TOP}.json"
CONFIGURATION = f"{TOP}.config"
ROUTED = f"{TOP}.routed.json.gz"
HZ_PER_MHZ = 1e6


def emit_board(
    core: RtlModule, network: Seq2SeqNetwork, lanes: int, settings: LinkSettings, folder: Path
) -> RtlModule:
    """Write a ULX3S with the core behind its link: sources, file list, constraints, link.json.

    Raises ValueError if a group does not fit the link, or the PLL cannot make the clock.
    """
    source, sink = (Stream(port.elements, port.format) for port in (*core.inputs, *core.outputs))
    frame = source.bytes_of(network.steps * lanes * network.inputs)
    result = sink.bytes_of(network.output_steps * lanes * network.head.outputs)
    identity = Identity(
        window=settings.window(frame),
        group_input_bytes=frame,
        group_output_bytes=result,
        clock_hz=settings.clock_hz,
        build_id=build_identifier(core),
        steps=network.steps,
        lanes=lanes,
    )
    folder.mkdir(parents=True, exist_ok=True)
    system = emit_link_system(core, folder, SYSTEM, settings, frame, result, identity.encode())
    top, _ = emit_ulx3s(system, folder, settings.clock_hz / HZ_PER_MHZ)
    write_json(folder / LINK_FILE, asdict(settings))
    return collect_sources(top, folder)


def load_board(folder: Path) -> tuple[RtlModule, LinkSettings]:
    """The board's top module that lies in a folder, and its link. Raises BuildError if there is none."""
    try:
        settings = LinkSettings(**read_json_file(folder / LINK_FILE))
    except (OSError, ValueError, TypeError) as error:
        raise BuildError(f"{folder} must hold a board's files, but: {error}; build for the ULX3S") from error
    return load_module(folder), settings
