# SPDX-License-Identifier: BSD-3-Clause
"""The C interface of a compiled model (shim.cpp), through ctypes."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_uint8, c_uint32, c_uint64, c_void_p
from pathlib import Path
from types import TracebackType

from finn_flirnn.sim.packing import Words, words_of
from finn_flirnn.sim.verilator import Library

MESSAGE_BYTES = 1 << 16
SEEDS = (1 << 31) - 2
ZERO_START = 0


class SimulationError(RuntimeError):
    """A simulation ended in a way that hardware must not."""


class StreamStruct(ctypes.Structure):
    """FlirnnStream of shim.cpp."""

    _fields_ = [
        ("data_port", c_int32),
        ("valid_port", c_int32),
        ("ready_port", c_int32),
        ("last_port", c_int32),
        ("input", c_int32),
        ("words", POINTER(c_uint32)),
        ("last", POINTER(c_uint8)),
        ("stamps", POINTER(c_uint64)),
        ("count", c_int64),
        ("done", c_int64),
        ("stall", c_uint32),
        ("pause", c_uint32),
        ("valid", c_uint32),
        ("ready", c_uint32),
    ]


class RunStruct(ctypes.Structure):
    """FlirnnRun of shim.cpp."""

    _fields_ = [
        ("clock_port", c_int32),
        ("reset_port", c_int32),
        ("streams", c_int32),
        ("exact", c_int32),
        ("seed", c_uint64),
        ("max_cycles", c_int64),
        ("patience", c_int64),
        ("reset_at", c_int64),
        ("reset_cycles", c_int64),
        ("quiet_cycles", c_int64),
        ("cycles", c_int64),
        ("culprit", c_int32),
    ]


class Instance:
    """One running copy of a compiled model. A context manager: leaving it frees the model.

    directory: where the design's memory files lie. seed: of the start values of registers without
    reset; None: they start at zero, as in an AMD FPGA.
    Raises SimulationError if a memory file cannot be read or an initial block fails.
    """

    def __init__(self, library: Library, directory: Path, seed: int | None = 1) -> None:
        self._dll = _load(library.path)
        self._ports = library.ports
        self._buffers = [(c_uint32 * words_of(port.bits))() for port in library.ports]
        self._message = ctypes.create_string_buffer(MESSAGE_BYTES)
        self._handle: int | None = self._dll.flirnn_open(
            str(directory.resolve()).encode(),
            ZERO_START if seed is None else (seed % SEEDS) + 1,
            self._message,
            MESSAGE_BYTES,
        )
        if not self._handle:
            raise SimulationError(self.message)

    @property
    def message(self) -> str:
        """What the model printed before it failed, and why it failed."""
        return self._message.value.decode(errors="replace").strip()

    def read(self, port: int) -> int:
        """Value of a port, by its position in the library's ports."""
        buffer = self._buffers[port]
        self._dll.flirnn_read(self._open_handle(), port, buffer)
        return int.from_bytes(buffer, "little")

    def write(self, port: int, value: int) -> None:
        """Set a port; takes effect in ``evaluate``. Bits beyond the port's width are dropped."""
        value &= (1 << self._ports[port].bits) - 1
        buffer = self._buffers[port]
        ctypes.memmove(buffer, value.to_bytes(ctypes.sizeof(buffer), "little"), ctypes.sizeof(buffer))
        self._dll.flirnn_write(self._open_handle(), port, buffer)

    def evaluate(self) -> None:
        """Let the model settle after ports were set. Raises SimulationError if an assertion fails."""
        if self._dll.flirnn_eval(self._open_handle(), self._message, MESSAGE_BYTES):
            raise SimulationError(self.message)

    def run_streams(self, streams: ctypes.Array[StreamStruct], run: RunStruct) -> int:
        """Run transfers on streams, see shim.cpp. Returns its status."""
        return int(
            self._dll.flirnn_run(
                self._open_handle(), streams, ctypes.byref(run), self._message, MESSAGE_BYTES
            )
        )

    def close(self) -> None:
        """Free the model; again does nothing."""
        if self._handle:
            self._dll.flirnn_close(self._handle)
            self._handle = None

    @property
    def is_open(self) -> bool:
        """False once closed."""
        return self._handle is not None

    def _open_handle(self) -> int:
        if self._handle is None:
            raise SimulationError("the simulation is closed; open a new one")
        return int(self._handle)

    def __enter__(self) -> Instance:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def pointer_to(words: Words) -> ctypes._Pointer[c_uint32]:
    """ctypes pointer to an array's data; the array must outlive it."""
    return words.ctypes.data_as(POINTER(c_uint32))


def _load(path: Path) -> ctypes.CDLL:
    # by its absolute path: the linker takes two relative paths of one spelling for one library
    dll = ctypes.CDLL(str(path.resolve()))
    dll.flirnn_open.restype = c_void_p
    dll.flirnn_open.argtypes = [c_char_p, c_int32, c_char_p, c_uint64]
    dll.flirnn_close.restype = None
    dll.flirnn_close.argtypes = [c_void_p]
    dll.flirnn_read.restype = None
    dll.flirnn_read.argtypes = [c_void_p, c_int32, POINTER(c_uint32)]
    dll.flirnn_write.restype = None
    dll.flirnn_write.argtypes = [c_void_p, c_int32, POINTER(c_uint32)]
    dll.flirnn_eval.restype = c_int32
    dll.flirnn_eval.argtypes = [c_void_p, c_char_p, c_uint64]
    dll.flirnn_run.restype = c_int32
    dll.flirnn_run.argtypes = [c_void_p, POINTER(StreamStruct), POINTER(RunStruct), c_char_p, c_uint64]
    return dll
