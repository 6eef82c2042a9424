# SPDX-License-Identifier: BSD-3-Clause
"""Step software: the executed QONNX model and the Brevitas model against the oracle, code by code."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from finn_flirnn.build.collect import PARTS, stage
from finn_flirnn.build.context import BuildContext
from finn_flirnn.build.decays import verification_decays
from finn_flirnn.build.errors import MismatchError
from finn_flirnn.build.sources import SOURCE_FILE, CheckpointSource
from finn_flirnn.common.files import write_json
from finn_flirnn.export import QonnxExecutor, random_inputs
from finn_flirnn.numerics import Codes, Reals

CHUNK = 4096
Model = Callable[[Codes], Reals]
"""Input codes (pixels, T, I) to outputs (pixels, T, O) in units of a code; a value off the grid stays so."""

WHAT = {
    "qonnx": "the exported QONNX model, executed by onnxruntime",
    "integer": "the Brevitas model in eval mode",
    "source": "the given ONNX file, executed by onnxruntime",
}


def run(context: BuildContext) -> None:
    """Write the software's part of verification.json. Raises MismatchError, with it written."""
    network = context.network
    models: dict[str, Model] = {"qonnx": _qonnx(context, context.qonnx)}
    if isinstance(context.source, CheckpointSource):
        models["integer"] = context.source.brevitas_output
    else:
        models["source"] = _qonnx(context, context.qonnx.with_name(SOURCE_FILE))
    sequences = context.config.verification.software_sequences
    mismatches = dict.fromkeys(models, 0)
    # the three spend their time outside of Python's lock, so they run side by side, on a thread each
    with context.source.one_thread(), ThreadPoolExecutor(max_workers=len(models) + 1) as pool:
        for part, first in enumerate(range(0, sequences, CHUNK)):
            context.tell(f"{first:,} of {sequences:,} sequences")
            codes = _sequences(context, part, min(CHUNK, sequences - first))
            expected = pool.submit(network.run, codes)
            outputs = {name: pool.submit(model, codes) for name, model in models.items()}
            for name, output in outputs.items():
                mismatches[name] += int(np.count_nonzero(output.result() != expected.result()))
    codes_compared = sequences * network.output_steps * network.head.outputs
    stages = [stage(n, sequences, codes_compared, wrong, what=WHAT[n]) for n, wrong in mismatches.items()]
    write_json(context.make(f"{PARTS}/verified_software.json"), {"stages": stages})
    if any(mismatches.values()):
        raise MismatchError(f"the models differ from the oracle in {mismatches} of {codes_compared} codes")


def _sequences(context: BuildContext, part: int, pixels: int) -> Codes:
    """Simulated decays and, every second sequence, random codes, which reach more states."""
    network, seed = context.network, context.config.verification.seed
    codes = verification_decays(context.config, part, pixels, network.input_format).codes
    (random,) = random_inputs(np.random.default_rng((seed, part)), network, pixels)
    codes[1::2] = random[1::2]
    return codes


def _qonnx(context: BuildContext, path: Path) -> Model:
    executor = QonnxExecutor(path, threads=1)
    network = context.network
    scale = 2.0**network.output_format.frac
    batch = executor.batch or 1

    def run(codes: Codes) -> Reals:
        missing = -len(codes) % batch  # a fixed batch takes its multiples only
        filled = np.concatenate([codes, np.zeros((missing, *codes.shape[1:]), dtype=codes.dtype)])
        output = executor.run(network.input_format.dequantise(filled))[: len(codes)]
        return output.astype(np.float64) * scale

    return run
