# SPDX-License-Identifier: BSD-3-Clause
"""Step deploy: the package that is copied to the board, tried on the simulated design."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from finn_flirnn.build.collect import PARTS, stage
from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import judged_decays
from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment
from finn_flirnn.build.errors import MismatchError
from finn_flirnn.build.hardware import emit_hardware, write_built_in_weights
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.simulated_board import simulated_board
from finn_flirnn.common.files import write_json
from finn_flirnn.driver.accelerator import LIFETIME_OUTPUTS, Accelerator
from finn_flirnn.driver.frames import OVERHEAD
from finn_flirnn.driver.metadata import AcceleratorMetadata, SerialLink
from finn_flirnn.driver.packing import Stream
from finn_flirnn.driver.simulated_device import SimulatedDevice
from finn_flirnn.driver.uart_device import open_simulated_uart
from finn_flirnn.driver.validation import validate
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS, Lifetimes

EXAMPLES = 1000
"""Pixels of the package's test set."""
SIMULATED_PIXELS = 64
"""Those of them that the build itself sends through the simulated system."""
BOARD_PIXELS = 16
BITS_A_BYTE = 10
TIMEOUT_S = 60.0


def run(context: BuildContext) -> None:
    """Write deploy/, deploy.zip and the driver's part of verification.json.

    Raises MismatchError, with all written, if the driver's codes differ on the simulated design.
    """
    config, network = context.config, context.network
    judged = judged_decays(config, network.input_format)
    preset = judged.decays.preset
    bitfile = context.output / "bitfile" / f"{config.name}.bit"
    rtlsim = context.read_report("rtlsim")
    _, answer = _link_seconds(context)  # results take longest on the line
    spec = DeploymentSpec(
        name=config.name,
        board=config.board,
        clock_mhz=config.clock_mhz,
        lanes=config.group_pixels,
        model_sha256=str(context.manifest.model_sha256),
        pixels_per_s=min(rtlsim["pixels_per_s"], config.lanes / answer if answer else inf),
        output_names=LIFETIME_OUTPUTS if network.decoders else DIRECT_OUTPUTS,
        gate_step_ns=preset.gate_step_ns,
        conditions=context.source.conditions(preset),
        order=config.order,
        output_lanes=config.decoder_lanes,
        link=_link(config),
        latency_s=_latency_s(context, rtlsim),
    )
    decays = judged.decays
    counts = decays.counts[:EXAMPLES]
    truth = Lifetimes.from_components(
        decays.tau1_ns[:EXAMPLES], decays.tau2_ns[:EXAMPLES], decays.amplitude_fraction[:EXAMPLES]
    )
    top, bits = load_module(context.output / "rtl"), bitfile if bitfile.exists() else None
    package = assemble_deployment(
        context.staging, spec, network, top, counts, bits, truth, context.manifest.origin()
    )
    what = "the deployed driver and example on the simulated system of design, registers and DMAs"
    if config.simulated_lanes != config.group_pixels:
        frame = config.simulated_lanes
        scratch = context.output / STAGING / "frame"
        design = emit_hardware(context, scratch, frame=frame)
        write_built_in_weights(design, scratch)
        top = design.top
        package = assemble_deployment(scratch, replace(spec, lanes=frame), network, top, counts)
        what += f" with frames of {frame} pixels"
    meta = AcceleratorMetadata.read(package)
    sizes = meta.group_input_bytes, meta.group_output_bytes
    board = simulated_board(top, sizes, parts=meta.lanes if meta.partial_groups else None)
    with Accelerator.open(package, SimulatedDevice(board)) as accelerator:
        result = validate(accelerator, package, "sim", SIMULATED_PIXELS)
    stages = [stage("driver", result.pixels, result.codes, result.mismatches, what=what)]
    if config.target.is_open and not result.mismatches:
        with Accelerator.open(package, open_simulated_uart(context.output, meta, TIMEOUT_S)) as accelerator:
            result = validate(accelerator, package, "uart:sim", BOARD_PIXELS)
        what = "the same over the pins of the simulated board's UART"
        stages.append(stage("board", result.pixels, result.codes, result.mismatches, what=what))
    write_json(context.make(f"{PARTS}/verified_driver.json"), {"stages": stages})
    if result.mismatches:
        raise MismatchError(f"the driver's output differs: {result.first_mismatch}; see verification.json")


def _link(config: BuildConfig) -> SerialLink | None:
    if not config.target.is_open:
        return None
    return SerialLink(config.link.baud, config.link_settings.idle_s)


def _link_seconds(context: BuildContext) -> tuple[float, float]:
    """Time that a group's request and its answer take on the serial port; 0 for a board without one."""
    config, network = context.config, context.network
    if not config.target.is_open:
        return 0.0, 0.0
    top = load_module(context.output / "rtl")
    sizes = (
        Stream(port.elements, port.format).bytes_of(config.lanes * codes)
        for port, codes in (
            (top.inputs[0], network.steps * network.inputs),
            (top.outputs[0], network.output_steps * network.head.outputs),
        )
    )
    request, answer = ((size + OVERHEAD) * BITS_A_BYTE / config.link.baud for size in sizes)
    return request, answer


def _latency_s(context: BuildContext, rtlsim: dict[str, Any]) -> float:
    """One group alone: its way in, the time to its first code, then whatever takes longer, group or answer.

    0, not known, for frames too large to be simulated.
    """
    config = context.config
    if config.simulated_lanes != config.group_pixels:
        return 0.0
    request, answer = _link_seconds(context)
    hz = config.clock_mhz * 1e6
    first = float(rtlsim["first_output_cycles"]) / hz
    group = float(rtlsim["cycles_per_pixel"]) * config.group_pixels / hz
    return request + first + max(answer, group)
