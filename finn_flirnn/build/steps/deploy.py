# SPDX-License-Identifier: BSD-3-Clause
"""Step deploy: the package that is copied to the board, tried on the simulated design."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from finn_flirnn.build.collect import PARTS, stage
from finn_flirnn.build.config import BuildConfig
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import judged_decays
from finn_flirnn.build.deploy import DeploymentSpec, assemble_deployment
from finn_flirnn.build.errors import MismatchError
from finn_flirnn.build.hardware import emit_hardware
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.build.simulated_board import SimulatedBoard
from finn_flirnn.common.files import write_json
from finn_flirnn.driver.accelerator import Accelerator
from finn_flirnn.driver.frames import OVERHEAD
from finn_flirnn.driver.metadata import AcceleratorMetadata, SerialLink
from finn_flirnn.driver.packing import Stream
from finn_flirnn.driver.simulated_device import SimulatedDevice
from finn_flirnn.driver.uart_device import open_simulated_uart
from finn_flirnn.driver.validate import validate

EXAMPLES = 64
BOARD_PIXELS = 16
BITS_A_BYTE = 10
TIMEOUT_S = 60.0
OUTPUT_NAMES = ("full", "short", "long")


def run(context: BuildContext) -> None:
    """Write deploy/, deploy.zip and the driver's part of verification.json.

    Raises MismatchError, with all written, if the driver's codes differ on the simulated design.
    """
    config, network = context.config, context.network
    judged = judged_decays(config, network.input_format)
    preset = judged.decays.preset
    bitfile = context.output / "bitfile" / f"{config.name}.bit"
    spec = DeploymentSpec(
        name=config.name,
        board=config.board,
        clock_mhz=config.clock_mhz,
        lanes=config.group_pixels,
        model_sha256=str(context.manifest.model_sha256),
        pixels_per_s=min(context.read_report("rtlsim")["pixels_per_s"], _link_pixels_per_s(context)),
        output_names=OUTPUT_NAMES,
        gate_step_ns=preset.gate_step_ns,
        conditions=context.source.conditions(preset),
        order=config.order,
        output_lanes=config.decoder_lanes,
        link=_link(config),
    )
    counts = judged.decays.counts[:EXAMPLES]
    top, bits = load_module(context.output / "rtl"), bitfile if bitfile.exists() else None
    package = assemble_deployment(context.staging, spec, network, top, counts, bits)
    what = "the deployed driver and example on the simulated design"
    if config.simulated_lanes != config.group_pixels:
        frame = config.simulated_lanes
        scratch = context.output / STAGING / "frame"
        top = emit_hardware(context, scratch, frame=frame).top
        package = assemble_deployment(scratch, replace(spec, lanes=frame), network, top, counts)
        what += f" with frames of {frame} pixels"
    with Accelerator.open(package, SimulatedDevice(SimulatedBoard(top))) as accelerator:
        result = validate(accelerator, package, "sim", EXAMPLES)
    stages = [stage("driver", result.pixels, result.codes, result.mismatches, what=what)]
    if config.target.is_open and not result.mismatches:
        meta = AcceleratorMetadata.read(package)
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


def _link_pixels_per_s(context: BuildContext) -> float:
    """What the serial port lets through: results take longest. Infinite for a board without one."""
    config, network = context.config, context.network
    if not config.target.is_open:
        return inf
    (sink,) = load_module(context.output / "rtl").outputs
    codes = network.steps * config.lanes * network.head.outputs
    result = Stream(sink.elements, sink.format).bytes_of(codes)
    return config.lanes * config.link.baud / BITS_A_BYTE / (result + OVERHEAD)
