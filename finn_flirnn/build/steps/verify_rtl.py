# SPDX-License-Identifier: BSD-3-Clause
"""Step verify_rtl: each layer and the stitched design in Verilator, code by code against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from finn_flirnn.build.collect import PARTS, stage
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import corner_codes, judged_decays, simulated_pixels
from finn_flirnn.build.errors import MismatchError
from finn_flirnn.build.hardware import emit_hardware, mac_efficiency
from finn_flirnn.build.hardware_check import Trial, first_difference, layer_trial, network_trial, run_trial
from finn_flirnn.build.pipeline import STAGING
from finn_flirnn.build.rtl_files import load_module
from finn_flirnn.codegen import RtlModule
from finn_flirnn.common.files import write_json
from finn_flirnn.numerics import Codes
from finn_flirnn.sim import build_model

PAUSED_GROUPS = 16
"""Groups of lanes, besides the corners, that also run with pauses on every stream."""


@dataclass(frozen=True)
class Checked:
    """A module's runs together. outputs: of the run without pauses, in stream order."""

    name: str
    sequences: int
    codes: int
    mismatches: int
    problem: str
    group_cycles: float
    first_output_cycles: int
    answer_cycles: int
    outputs: tuple[Codes, ...]

    def counts(self) -> dict[str, Any]:
        """The part that goes into verification.json."""
        return {key: getattr(self, key) for key in ("name", "sequences", "codes", "mismatches")}


def run(context: BuildContext) -> None:
    """Write report/rtlsim.json, the RTL's part of verification.json, and its output codes to a part.

    Raises MismatchError, with the reports written, if a code differs.
    """
    config, network = context.config, context.network
    pixels = simulated_pixels(config)
    judged = judged_decays(config, network.input_format).codes[:pixels]
    lanes = config.simulated_lanes
    design = emit_hardware(context, context.output / STAGING / "layers", frame=lanes)
    of_layer = partial(layer_trial, fmt=network.input_format)
    layers = [
        _check(context, layer.name, layer.module, partial(of_layer, layer.op), judged)
        for layer in design.distinct_layers
    ]
    top = load_module(context.output / "rtl") if lanes == config.group_pixels else design.top
    order, paused_order = config.stream_order(), config.stream_order(partial=top.inputs[0].last)
    whole = _check(
        context,
        "design",
        top,
        partial(network_trial, network, order=order, filling=config.groups_in_flight),
        judged,
        partial(network_trial, network, order=paused_order),
    )
    stages = [
        stage(
            "layer_rtl",
            min(layer.sequences for layer in layers),
            sum(layer.codes for layer in layers),
            sum(layer.mismatches for layer in layers),
            what="each layer's hardware by itself, with and without pauses",
            layers=[layer.counts() for layer in layers],
        ),
        stage(
            "stitched_rtl",
            whole.sequences,
            whole.codes,
            whole.mismatches,
            what="the whole design's hardware, with and without pauses"
            + (f", with frames of {lanes} pixels" if lanes != config.group_pixels else ""),
        ),
    ]
    write_json(context.make(f"{PARTS}/verified_rtl.json"), {"stages": stages})
    found = order.receive(whole.outputs[0], pixels, network.output_steps, network.head.outputs)
    np.savez_compressed(context.make(f"{PARTS}/rtl_codes.npz"), codes=found)
    cycles = whole.group_cycles / lanes
    rtlsim = {
        "pixels": pixels,
        "cycles_per_pixel": cycles,
        "first_output_cycles": whole.first_output_cycles,
        "answer_cycles": whole.answer_cycles,
        "mac_efficiency": mac_efficiency(design, whole.group_cycles),
        "clock_mhz": config.clock_mhz,
        "pixels_per_s": config.clock_mhz * 1e6 / cycles,
        "layers": [{"name": layer.name, "cycles_per_pixel": layer.group_cycles / lanes} for layer in layers],
    }
    context.report("rtlsim", rtlsim)
    problems = [checked.problem for checked in (*layers, whole) if checked.problem]
    if problems:
        raise MismatchError("the hardware differs from the oracle: " + "; ".join(problems))


def _check(
    context: BuildContext,
    name: str,
    module: RtlModule,
    trial_of: Callable[[Codes], Trial],
    judged: Codes,
    paused_trial_of: Callable[[Codes], Trial] | None = None,
) -> Checked:
    """Run a module on the judged pixels without pauses, then on a few of them and on corners with pauses.

    Those few end within a group, if the module takes that.
    """
    config, fmt = context.config, context.network.input_format
    seed = config.verification.seed
    context.tell(f"{name}: compiling for simulation")
    model = build_model(module)
    context.tell(f"{name}: {len(judged)} pixels")
    corners = corner_codes(fmt, judged.shape[1], judged.shape[2], seed)
    paused = np.concatenate([corners, judged[: PAUSED_GROUPS * (config.decoder_lanes or config.lanes) + 1]])
    trials = trial_of(judged), (paused_trial_of or trial_of)(paused)
    outcomes = [run_trial(model, t, pauses, seed) for t, pauses in zip(trials, (False, True), strict=True)]
    differing = [(o, t) for o, t in zip(outcomes, trials, strict=True) if o.mismatches]
    mismatches = sum(o.mismatches for o in outcomes)
    return Checked(
        name=name,
        sequences=sum(t.sequences for t in trials),
        codes=sum(o.codes for o in outcomes),
        mismatches=mismatches,
        problem=f"{name}: {mismatches} codes, {first_difference(*differing[0])}" if differing else "",
        group_cycles=outcomes[0].group_cycles,
        first_output_cycles=outcomes[0].first_output_cycles,
        answer_cycles=outcomes[0].answer_cycles,
        outputs=outcomes[0].outputs,
    )
