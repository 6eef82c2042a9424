# SPDX-License-Identifier: BSD-3-Clause
"""The accelerator as a user sees it: decays in, decay components and lifetimes out."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from finn_flirnn.driver.device import DEFAULT_TIMEOUT_S, Device, open_device
from finn_flirnn.driver.errors import ClosedError, DeviceError, WrongBuildError
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.registers import FIXED_WEIGHTS, HardwareStatus
from finn_flirnn.numerics.fixed_point import Codes
from finn_flirnn.physics.lifetimes import DIRECT_OUTPUTS, Lifetimes, MeanLifetimes, lifetimes_from_sfd
from finn_flirnn.physics.preprocess import check_counts, normalise

LIFETIME_OUTPUTS = ("full", "short", "long")
IMAGE_MAGIC, WORD_BYTES = b"FLRW", 4
"""Of a weight image (docs/weights.md)."""
TRANSFER_BYTES = 1 << 22
"""A transfer holds as many groups as fit into this, and at least one."""


def lifetimes_of(
    meta: AcceleratorMetadata, outputs: npt.NDArray[np.floating[Any]]
) -> Lifetimes | MeanLifetimes:
    """Lifetimes of an accelerator's outputs (pixels, steps, outputs). Raises ValueError for other outputs."""
    if meta.output_names == LIFETIME_OUTPUTS:
        return lifetimes_from_sfd(outputs, meta.gate_step_ns)
    if meta.output_names == DIRECT_OUTPUTS:
        return MeanLifetimes.from_outputs(outputs[:, 0], meta.steps, meta.gate_step_ns)
    raise ValueError(
        f"lifetimes need the outputs {LIFETIME_OUTPUTS} or {DIRECT_OUTPUTS}, the model has "
        f"{meta.output_names}; use infer()"
    )


class Accelerator:
    """A network on a device.

    >>> with Accelerator.open("deploy") as accelerator:       # doctest: +SKIP
    ...     components = accelerator.infer(counts)            # (pixels, gates) -> (pixels, gates, outputs)
    """

    def __init__(self, metadata: AcceleratorMetadata, device: Device) -> None:
        """Take over an open device. Raises WrongBuildError if its hardware is of another build."""
        if device.build_id not in (None, metadata.build_id):
            raise WrongBuildError(
                f"the hardware must be build {metadata.build_id} ({metadata.name}), "
                f"but says that it is {device.build_id}; load the bitfile of this package"
            )
        self._metadata = metadata
        self._device: Device | None = device

    @classmethod
    def open(
        cls,
        directory: str | Path,
        device: str | Device = "pynq",
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> Accelerator:
        """Open a deployment package on a device.

        directory: the deploy directory of a build. device: ``"pynq"``, ``"uart:PORT"``, or an open device,
        which the accelerator closes. timeout_s: for one transfer; an open device has its own.
        Raises DeploymentError for a missing or altered file, WrongBuildError, DeviceError.
        """
        root = Path(directory)
        metadata = AcceleratorMetadata.read(root)
        metadata.check_files(root)
        if isinstance(device, str):
            device = open_device(device, root, metadata, timeout_s)
        try:
            return cls(metadata, device)
        except WrongBuildError:
            device.close()
            raise

    @property
    def metadata(self) -> AcceleratorMetadata:
        """What accelerator.json says."""
        return self._metadata

    @property
    def simulated_cycles(self) -> int | None:
        """Cycles that a simulated device has run, None for a board. Raises ClosedError."""
        cycles: int | None = getattr(self._open_device(), "cycles", None)
        return cycles

    def status(self) -> HardwareStatus | None:
        """Counters and identity in the hardware's registers; None for a device without any.

        Raises ClosedError.
        """
        status = getattr(self._open_device(), "status", None)
        found: HardwareStatus | None = status() if status else None
        return found

    def load_weights(self, image: str | Path | bytes) -> int:
        """Give the hardware the weights of another network of its shape; returns their identifier.

        image: of ``finn-flirnn weights``, its bytes or its file. Groups sent before use the old weights,
        groups sent after the new ones. Raises ValueError for what is no image; ClosedError; DeviceError
        if the hardware has fixed weights, or refuses the image, which leaves the old weights in use.
        """
        device = self._open_device()
        data = image if isinstance(image, bytes) else Path(image).read_bytes()
        if not self._metadata.runtime_weights or not hasattr(device, "load"):
            raise DeviceError(FIXED_WEIGHTS)
        if len(data) % WORD_BYTES or not data.startswith(IMAGE_MAGIC):
            raise ValueError(
                f"{len(data)} bytes that begin with {data[:4]!r} are no weight image; make one by "
                "'finn-flirnn weights'"
            )
        device.load(struct.unpack(f"<{len(data) // WORD_BYTES}I", data))
        return int.from_bytes(data[-WORD_BYTES:], "little")

    def infer(self, decays: npt.ArrayLike, *, normalised: bool = False) -> npt.NDArray[np.float32]:
        """Components of decays.

        decays: (pixels, gates), any integer or floating type: raw counts, which are normalised as in
        training, or with ``normalised`` values that have been so already (0 to 1).
        Returns (pixels, gates, outputs), in the order of ``metadata.output_names``; (pixels, 1, outputs) of a
        model that gives lifetimes.
        Raises ValueError for another shape, NaN or negative values; ClosedError, DeviceError.
        """
        values = self._network_input(np.asarray(decays), normalised)
        codes = self._metadata.input_stream.format.quantise(values)
        result = self.infer_codes(codes[:, :, np.newaxis])
        return self._metadata.output_stream.format.dequantise(result).astype(np.float32)

    def stream(
        self, batches: Iterable[npt.ArrayLike], *, normalised: bool = False
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Components of batch after batch, in order; arguments of a batch, results and errors as ``infer``.

        The device works on a batch while the caller makes the next one and uses the last one's result.
        """
        dequantise = self._metadata.output_stream.format.dequantise
        running: Future[Codes] | None = None
        with ThreadPoolExecutor(max_workers=1) as pool:
            for decays in batches:
                values = self._network_input(np.asarray(decays), normalised)
                codes = self._metadata.input_stream.format.quantise(values)[:, :, np.newaxis]
                started = pool.submit(self.infer_codes, codes)
                if running is not None:
                    yield dequantise(running.result()).astype(np.float32)
                running = started
            if running is not None:
                yield dequantise(running.result()).astype(np.float32)

    def lifetimes(self, decays: npt.ArrayLike, *, normalised: bool = False) -> Lifetimes | MeanLifetimes:
        """Lifetimes in ns and fractions of decays, (pixels,) each; arguments and errors as ``infer``.

        Read off full, short and long decay; or the mean lifetimes and fractions that the model gives itself.
        Raises ValueError for a model with other outputs.
        """
        return lifetimes_of(self._metadata, self.infer(decays, normalised=normalised))

    def infer_codes(self, codes: Codes) -> Codes:
        """Output codes (pixels, *metadata.answer_shape) of input codes (pixels, T, inputs).

        Raises ValueError if shape or codes do not fit, ClosedError, DeviceError.
        """
        device, meta = self._open_device(), self._metadata
        if codes.ndim != 3 or codes.shape[1:] != (meta.steps, meta.inputs):
            raise ValueError(
                f"codes have shape {codes.shape}, expected (pixels, {meta.steps}, {meta.inputs}); "
                "the accelerator is built for that many gates and features"
            )
        groups_at_once = max(1, TRANSFER_BYTES // max(meta.group_input_bytes, meta.group_output_bytes))
        at_once = groups_at_once * meta.lanes
        parts = [
            self._transfer(device, codes[start : start + at_once]) for start in range(0, len(codes), at_once)
        ]
        if not parts:
            return np.zeros((0, *meta.answer_shape), dtype=np.int64)
        return np.concatenate(parts)

    def close(self) -> None:
        """Close the device. May be called again."""
        if self._device is not None:
            self._device.close()
        self._device = None

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open_device(self) -> Device:
        if self._device is None:
            raise ClosedError("the accelerator is closed; open it again")
        return self._device

    def _transfer(self, device: Device, codes: Codes) -> Codes:
        """(pixels, T, inputs) -> (pixels, *answer_shape)."""
        meta, order = self._metadata, self._metadata.stream_order
        size = meta.output_stream.bytes_of(order.travelling(len(codes)) * math.prod(meta.answer_shape))
        data = device.transfer(meta.input_stream.pack(order.send(codes)), size)
        return order.receive(meta.output_stream.unpack(data), len(codes), *meta.answer_shape)

    def _network_input(self, decays: npt.NDArray[Any], normalised: bool) -> npt.NDArray[Any]:
        """Decays as the network takes them: (pixels, T) in 0 to 1."""
        meta = self._metadata
        if meta.inputs != 1:
            raise ValueError(f"decays have 1 feature, the model has inputs={meta.inputs}; use infer_codes()")
        check_counts(decays)
        if decays.shape[1] != meta.steps:
            raise ValueError(
                f"decays have {decays.shape[1]} gates, the accelerator is built for {meta.steps}; "
                "resample them to the model's gates"
            )
        if not normalised:
            return normalise(decays, meta.dark_gates)
        if decays.size and decays.max() > 1:
            raise ValueError(
                f"normalised decays must lie in 0..1, got {decays.max()}; leave out normalised for counts"
            )
        return decays
