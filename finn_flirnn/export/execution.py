# SPDX-License-Identifier: BSD-3-Clause
"""Execution of exported QONNX models by plain onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import ModelProto, inliner, shape_inference

from finn_flirnn.numerics import Codes, Format, Reals

CHUNK = 512
"""Sequences at a time: their values of one step fit the cache of a core."""


class QonnxExecutor:
    """A loaded model: real values or codes in, the same out.

    model: a file or a model, as ``export_qonnx`` writes them. threads: of onnxruntime.
    """

    def __init__(self, model: ModelProto | Path | str, threads: int = 2) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        source = model.SerializeToString() if isinstance(model, ModelProto) else str(model)
        self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs = [value.name for value in self._session.get_inputs()]
        batch = self._session.get_outputs()[0].shape[0]
        self.batch: int | None = batch if isinstance(batch, int) else None
        """The model's fixed number of sequences, or None."""

    def run(self, *inputs: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Real inputs in the model's order, batch first -> real output.

        A model of a fixed batch takes multiples of it. Raises ValueError on another number of inputs
        or sequences.
        """
        if len(inputs) != len(self.inputs):
            raise ValueError(f"{len(inputs)} inputs given, the model takes {self.inputs}")
        if not inputs:
            return self._run({})
        arrays = [np.asarray(value, dtype=np.float32) for value in inputs]
        count, chunk = len(arrays[0]), self.batch or CHUNK
        if not count or any(len(array) != count for array in arrays) or (self.batch and count % self.batch):
            raise ValueError(
                f"inputs hold {[len(array) for array in arrays]} sequences; give the same number of all, "
                f"at least 1{f', a multiple of the batch {self.batch}' if self.batch else ''}"
            )
        parts = [
            self._run({name: a[i : i + chunk] for name, a in zip(self.inputs, arrays, strict=True)})
            for i in range(0, count, chunk)
        ]
        return np.concatenate(parts)

    def _run(self, feeds: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
        return np.asarray(self._session.run(None, feeds)[0])


def execute_qonnx(model: ModelProto | Path | str, *inputs: npt.ArrayLike, threads: int = 2) -> Reals:
    """Execute a model once: real inputs in the model's order -> real output, float64."""
    return QonnxExecutor(model, threads).run(*inputs).astype(np.float64)


def without_functions(model: ModelProto) -> ModelProto:
    """The model with Quant written out, as qonnx's ``execute_onnx`` needs it, with a fixed batch.

    qonnx hands each Scan to onnxruntime alone, where Quant in its body is unknown.
    """
    inlined = inliner.inline_local_functions(model)
    return shape_inference.infer_shapes(inlined, check_type=True, strict_mode=True)


def codes_of(values: npt.ArrayLike, fmt: Format) -> Codes:
    """The codes of real values that lie on a format's grid. Raises ValueError if one does not."""
    scaled = np.asarray(values, dtype=np.float64) * 2.0**fmt.frac
    codes = scaled.astype(np.int64)
    if not np.array_equal(codes, scaled):
        raise ValueError(f"values must be multiples of {fmt.scale}, the scale of {fmt}; quantise them first")
    fmt.check("values", codes)
    return codes
