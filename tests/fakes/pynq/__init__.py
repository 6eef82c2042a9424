# SPDX-License-Identifier: BSD-3-Clause
"""A model of the part of PYNQ that the driver uses, and of FINN's Zynq shell under it.

The "bitfile" is a numpy archive: the groups that the hardware knows and its answers to them. DMA
memory is not coherent: the hardware sees what was flushed, the program what was invalidated. The
registers are those that Vitis HLS gives the DMAs; any other access, order or address is an error. The
network's registers are those of docs/registers.md, with a loader of weights behind them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import ps

__all__ = ["Overlay", "allocate", "overlays", "ps"]

overlays: list[Overlay] = []
"""Every overlay made, for the tests to look at."""

_dma_memory: dict[int, np.ndarray] = {}


class PynqBuffer(np.ndarray):
    """A DMA buffer with its copy in the memory that the hardware sees."""

    device_address: int
    freed = False

    def flush(self) -> None:
        _dma_memory[self.device_address][:] = self

    def invalidate(self) -> None:
        self[:] = _dma_memory[self.device_address]

    def freebuffer(self) -> None:
        assert not self.freed, "freed twice"
        self.freed = True
        del _dma_memory[self.device_address]


def allocate(shape: tuple[int, ...], dtype: type, cacheable: bool) -> PynqBuffer:
    """A buffer above 4 GiB, so that the high half of its address matters."""
    assert dtype is np.uint8 and cacheable
    buffer = np.full(shape, 0xA5, dtype).view(PynqBuffer)
    buffer.device_address = 0x8_4000_0000 + 0x100_0000 * (1 + len(_dma_memory))
    while buffer.device_address in _dma_memory:
        buffer.device_address += 0x1000_0000
    _dma_memory[buffer.device_address] = np.full(shape, 0x5A, dtype)
    return buffer


class Dma:
    """ap_ctrl_hs registers: start, done (cleared by reading it), idle, address, repetitions."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self.registers = {0x10: 0, 0x14: 0, 0x1C: 0}
        self.started = self.done = False

    @property
    def memory(self) -> np.ndarray:
        """The memory at the address in the registers."""
        return _dma_memory[self.registers[0x14] << 32 | self.registers[0x10]]

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32, "registers have 32 bits"
        if offset == 0x00:
            assert value == 1 and not self.started
            self.started = True
            self._overlay.run()
        else:
            assert offset in self.registers, hex(offset)
            self.registers[offset] = value

    def read(self, offset: int) -> int:
        assert offset == 0x00, hex(offset)
        status = (2 if self.done else 0) | (0 if self.started else 4)
        self.done = False
        return status


class RegisterFile:
    """The network's registers. magic, version: a test may give it others.

    The loader takes images of four words: "IMAG", the answer's state, the identity of the set, anything.
    An image that is taken shows state 3 for a few reads, as if the pipeline had to drain.
    """

    def __init__(self, overlay: Overlay, build: int, loadable: bool) -> None:
        self._overlay = overlay
        self.values = {0x00: 0x4E524C46, 0x04: 1, 0x08: build & 0xFFFFFFFF, 0x0C: build >> 32, 0x14: 0}
        self.values |= {0x10: int(loadable), 0x24: 0, 0x28: 0xB111 if loadable else 0, 0x34: 5}
        self.image: list[int] = []
        self.restarts = self.draining = 0
        self.deaf = False

    def read(self, offset: int = 0) -> int:
        if self.draining:
            self.draining -= 1
            return self.values[0x24] & ~0xFF | 3 if offset == 0x24 else self._value(offset)
        return self._value(offset)

    def _value(self, offset: int) -> int:
        groups = sum(self._overlay.transfers)
        counters = {0x18: groups, 0x1C: groups, 0x30: 1000 * groups}
        return (self.values | counters)[offset]

    def write(self, offset: int, value: int) -> None:
        assert 0 <= value < 1 << 32, "registers have 32 bits"
        if offset == 0x2C:
            assert value == 1
            self.restarts += 1
            self.image = []
            self.values[0x10] &= ~2
        elif offset == 0x20:
            if self.deaf:
                self.values[0x10] |= 2
            self._take(value)
        else:
            assert offset == 0x14, hex(offset)
            self.values[offset] = value

    def _take(self, word: int) -> None:
        taken = self.values[0x24] >> 8
        self.image.append(word)
        self.values[0x24] = taken << 8 | 1
        if len(self.image) == 4:
            magic, state, identity, _ = self.image
            assert magic == int.from_bytes(b"IMAG", "little")
            if state == 2:
                self.values[0x28], self.draining = identity, 5
            self.values[0x24] = taken + (state == 2) << 8 | state
            self.image = []


class Overlay:
    """The shell: two DMAs around the accelerator and its registers."""

    stalled = False
    """Set by a test: the accelerator takes its input and never answers."""

    def __init__(self, bitfile: str) -> None:
        assert Path(bitfile).with_suffix(".hwh").is_file(), "PYNQ reads the .hwh beside the bitfile"
        known = np.load(bitfile)
        self.answers = {bytes(i): bytes(o) for i, o in zip(known["inputs"], known["outputs"], strict=True)}
        self.input_bytes, self.output_bytes = known["inputs"].shape[1], known["outputs"].shape[1]
        self.idma0, self.odma0 = Dma(self), Dma(self)
        self.transfers: list[int] = []
        build = int(str(known.get("build", "0")), 16)
        self.StreamingDataflowPartition_1 = RegisterFile(self, build, bool(known.get("loadable", False)))
        self.ip_dict = dict.fromkeys(("idma0", "odma0", "StreamingDataflowPartition_1", "zynq_ps"), {})
        overlays.append(self)

    def run(self) -> None:
        """Once both DMAs are started, move the groups."""
        assert self.odma0.started, "the output DMA is started first"
        if not self.idma0.started or self.stalled:
            return
        groups = self.idma0.registers[0x1C]
        assert groups == self.odma0.registers[0x1C]
        source = self.idma0.memory[: groups * self.input_bytes].reshape(groups, -1)
        target = self.odma0.memory[: groups * self.output_bytes].reshape(groups, -1)
        for group, answer in zip(source, target, strict=True):
            answer[:] = np.frombuffer(self.answers[bytes(group)], np.uint8)
        self.transfers.append(groups)
        for dma in (self.idma0, self.odma0):
            dma.started, dma.done = False, True
