# SPDX-License-Identifier: BSD-3-Clause
"""An AMD Zynq board under PYNQ, with FINN's Zynq shell around the accelerator.

Not run on a board by the project's tests: they drive it against a model of these registers.

The shell has an input DMA ``idma0`` and an output DMA ``odma0``, HLS kernels with the same registers.
The output DMA is started first, so that it takes what the input DMA sets in motion. A repetition is
one group. The order of writes follows finn_plus_driver 1.6.1 (overlays/dma.py, zynq-iodma). The network's
own registers (driver/registers.py) bear the name of FINN's partition between the two.

Source: https://github.com/eki-project/finn-plus, custom_op/fpgadataflow/hls/iodma_hls.py.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finn_flirnn.driver.errors import ClosedError, DeploymentError, DeviceError, DeviceTimeoutError
from finn_flirnn.driver.metadata import AcceleratorMetadata
from finn_flirnn.driver.registers import HardwareStatus, Registers

CONTROL = 0x00
START, DONE, IDLE = 0x1, 0x2, 0x4
ADDRESS_LOW, ADDRESS_HIGH, REPETITIONS = 0x10, 0x14, 0x1C

INPUT_DMA, OUTPUT_DMA, NETWORK = "idma0", "odma0", "StreamingDataflowPartition_1"
"""Names of FINN's shell for its IPs with registers."""

SHELL_CLOCK_MHZ = 100.0
"""The shell's clocking wizard derives the accelerator's clock from this one."""


class PynqDevice:
    """Downloads the bitfile and moves groups through the two DMAs."""

    def __init__(self, directory: Path, metadata: AcceleratorMetadata, timeout_s: float) -> None:
        """Raises DeploymentError without a bitfile or one of another shell, WrongBuildError for hardware
        whose registers are not ours, DeviceError without pynq.
        """
        if metadata.bitfile is None:
            raise DeploymentError(
                f"{metadata.name} was built without a bitfile; build it with Vivado on the PATH"
            )
        pynq = _import_pynq()
        self._allocate = pynq.allocate
        self._metadata = metadata
        self._timeout_s = timeout_s
        overlay = pynq.Overlay(str(directory / metadata.bitfile))
        names = (INPUT_DMA, OUTPUT_DMA, NETWORK)
        missing = [name for name in names if name not in overlay.ip_dict]
        if missing:
            raise DeploymentError(
                f"{metadata.bitfile} must hold {', '.join(names)}, has no {' and '.join(missing)}; "
                "use the bitfile of this package"
            )
        pynq.ps.Clocks.fclk0_mhz = SHELL_CLOCK_MHZ
        # the registers answer only once the clock runs
        self._input_dma, self._output_dma, network = (getattr(overlay, name) for name in names)
        self._registers = Registers(network, metadata.build_id)
        self._build_id = self._registers.build_id
        self._buffers: tuple[Any, Any] | None = None
        self._usable = True

    @property
    def build_id(self) -> str:
        """The build identifier in the hardware; the bitfile's hash has been checked beside it."""
        return self._build_id

    def status(self) -> HardwareStatus:
        """What the hardware tells of itself. Raises ClosedError."""
        self._check_usable()
        return self._registers.status()

    def load(self, words: Sequence[int]) -> int:
        """Load a weight image and wait until it is in use; returns the load status.

        Groups that have entered before are computed with the old weights. Raises as ``Registers.load``,
        and ClosedError.
        """
        self._check_usable()
        return self._registers.load(words, self._timeout_s)

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run whole groups. Raises DeviceTimeoutError, DeviceError, ClosedError."""
        self._check_usable()
        groups = len(data) // self._metadata.group_input_bytes
        if self._output_dma.read(CONTROL) & IDLE == 0:
            self._usable = False
            raise DeviceError("the output DMA must be idle before a transfer; open the accelerator again")
        source, target = self._room(len(data), output_bytes)
        source[: len(data)] = np.frombuffer(data, dtype=np.uint8)
        source.flush()
        self._start(self._output_dma, target, groups)
        self._start(self._input_dma, source, groups)
        self._wait()
        target.invalidate()
        return bytes(target[:output_bytes])

    def close(self) -> None:
        """Free the DMA buffers."""
        self._usable = False
        for buffer in self._buffers or ():
            buffer.freebuffer()
        self._buffers = None

    def _check_usable(self) -> None:
        if not self._usable:
            raise ClosedError("the device is closed or stopped after a failure; open the accelerator again")

    def _room(self, input_bytes: int, output_bytes: int) -> tuple[Any, Any]:
        """Contiguous buffers of at least these sizes, kept from call to call."""
        if self._buffers is not None:
            source, target = self._buffers
            if source.nbytes >= input_bytes and target.nbytes >= output_bytes:
                return source, target
            self._buffers = None
            source.freebuffer()
            target.freebuffer()
        self._buffers = (
            self._allocate(shape=(input_bytes,), dtype=np.uint8, cacheable=True),
            self._allocate(shape=(output_bytes,), dtype=np.uint8, cacheable=True),
        )
        return self._buffers

    @staticmethod
    def _start(dma: Any, buffer: Any, groups: int) -> None:
        dma.write(ADDRESS_LOW, buffer.device_address & 0xFFFFFFFF)
        dma.write(ADDRESS_HIGH, buffer.device_address >> 32 & 0xFFFFFFFF)
        dma.write(REPETITIONS, groups)
        dma.write(CONTROL, START)

    def _wait(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        while self._output_dma.read(CONTROL) & DONE == 0:
            if time.monotonic() > deadline:
                self._usable = False
                raise DeviceTimeoutError(
                    f"the output DMA must be done within {self._timeout_s} s and is not; "
                    "open the accelerator again, with a longer time-out if the clock is slow"
                )


def _import_pynq() -> Any:
    """The pynq package, which only a board's image has."""
    try:
        import pynq
        import pynq.ps
    except ImportError as error:
        raise DeviceError(
            f"device 'pynq' needs the pynq package of a board's image ({error}); run this on the board"
        ) from error
    return pynq
