# SPDX-License-Identifier: BSD-3-Clause
"""A board behind a serial port: groups as frames (docs/link.md), several on their way at once.

What the line damages is sent again; what stands still, or is another build, is told by name.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from finn_flirnn.driver.errors import (
    ClosedError,
    DeploymentError,
    DeviceError,
    DeviceTimeoutError,
    WrongBuildError,
)
from finn_flirnn.driver.frames import (
    IDENTITY,
    LOADED,
    OVERHEAD,
    PIECE_WORDS,
    PROTOCOL_VERSION,
    REFUSALS,
    SEQUENCES,
    Frame,
    FrameReader,
    FrameType,
    Identity,
    LoadStatus,
    Piece,
)
from finn_flirnn.driver.metadata import AcceleratorMetadata, SerialLink
from finn_flirnn.driver.registers import (
    DRAINING,
    FIXED_WEIGHTS,
    LOADING,
    STATE,
    STATE_BITS,
    WORD,
    taken_or_raise,
)

ADAPTER = "finn_flirnn.build.simulated_link"
TRIES = 4
"""Times that frames are sent before the device is given up, if none of them is answered."""
SLACK_S = 0.25
"""Silence that the computer and its USB may add to that of the line."""
SIMULATED_SLACK_S = 1e-3
POLLS = 1000
"""Questions for the status, each a few hundred bytes on the line, before a load is given up."""
BITS_A_BYTE = 10
MOST_NOISE = 1 << 16
"""Bytes that are no frame, after which the line is held to be another's."""
SILENCE = "nothing came"
DAMAGED = "an answer's checksum was wrong"
NOISE = "bytes came that are no answer"
HZ_PER_MHZ = 1e6


class Port(Protocol):
    """A serial port."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def read(self, timeout_s: float) -> bytes:
        """Bytes that have come, at least one; none only if none comes for ``timeout_s``."""

    def close(self) -> None:
        """Close the port. May be called again."""


class SerialPort:
    """A serial port of this computer, through pyserial."""

    def __init__(self, name: str, baud: int) -> None:
        """Open a port by its device name. Raises DeviceError if it cannot be opened."""
        try:
            serial: Any = importlib.import_module("serial")
        except ModuleNotFoundError as error:
            raise DeviceError(f"device 'uart:{name}' needs pyserial; pip install pyserial==3.5") from error
        try:
            self._serial = serial.Serial(name, baud, timeout=0, exclusive=True)
        except (OSError, ValueError) as error:
            raise DeviceError(
                f"serial port {name} must open at {baud} baud ({error}); give the board's port, and see that "
                "you may use it and that no other program does"
            ) from error

    def write(self, data: bytes) -> None:
        """Send bytes. Raises DeviceError."""
        try:
            self._serial.write(data)
        except OSError as error:
            raise DeviceError(
                f"the serial port must take bytes ({error}); is the board connected?"
            ) from error

    def read(self, timeout_s: float) -> bytes:
        """See Port. Raises DeviceError."""
        try:
            if self._serial.timeout != timeout_s:  # setting it costs a system call
                self._serial.timeout = timeout_s
            first = bytes(self._serial.read(1))
            return first + bytes(self._serial.read(self._serial.in_waiting)) if first else b""
        except OSError as error:
            raise DeviceError(
                f"the serial port must give bytes ({error}); is the board connected?"
            ) from error

    def close(self) -> None:
        """Close the port."""
        self._serial.close()


class UartDevice:
    """A board that answers on a port. It closes the port."""

    def __init__(
        self, port: Port, metadata: AcceleratorMetadata, timeout_s: float, *, slack_s: float = SLACK_S
    ) -> None:
        """Ask the board who it is.

        timeout_s: of silence, at most; usually less is enough, as line and clock tell how long an answer
        may take. Raises DeploymentError for a package without a link, DeviceTimeoutError if nobody
        answers, WrongBuildError if another protocol or clock does.
        """
        self._port: Port | None = port
        self._of_cycles = port
        try:
            link = _link_of(metadata)
            self._metadata = metadata
            self._reader = FrameReader(
                {
                    FrameType.IDENTITY: IDENTITY.size,
                    FrameType.RESULT: metadata.group_output_bytes,
                    FrameType.LOADED: LOADED.size,
                    FrameType.REFUSAL: 1,
                }
            )
            self._sequence = 0
            self._window = 1
            self._link, self._timeout_s, self._slack_s = link, timeout_s, slack_s
            self.retries = 0
            """How often frames had to be sent again."""
            self._identity = self._identify()
            self._window = max(1, self._identity.window)
        except BaseException:
            port.close()
            raise

    @property
    def build_id(self) -> str | None:
        """The build identifier that the board has told."""
        return self._identity.build_id

    @property
    def identity(self) -> Identity:
        """All that the board has told of itself."""
        return self._identity

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        """Run whole groups. Raises ClosedError; DeviceTimeoutError or DeviceError, and is closed then."""
        if self._port is None:
            raise ClosedError("the device is closed or stopped after a failure; open the accelerator again")
        size, result = self._metadata.group_input_bytes, self._metadata.group_output_bytes
        if len(data) % size or output_bytes != len(data) // size * result:
            raise ValueError(
                f"{len(data)} bytes in and {output_bytes} out must be whole groups of {size} and {result}"
            )
        groups = [data[i : i + size] for i in range(0, len(data), size)]
        try:
            return b"".join(self._exchange(self._port, FrameType.INFER, FrameType.RESULT, groups))
        except BaseException:
            self.close()
            raise

    def load(self, words: Sequence[int]) -> int:
        """Load a weight image and wait until it is in use; returns the load status.

        Raises ValueError for no words or wider ones; ClosedError; DeviceError if the board has fixed
        weights or does not take the image, which leaves the old weights in use; DeviceTimeoutError.
        """
        if self._port is None:
            raise ClosedError("the device is closed or stopped after a failure; open the accelerator again")
        if not words or min(words) < 0 or max(words) >= WORD:
            raise ValueError(f"an image must be 32-bit words and not empty, got {len(words)} of them")
        if not self._metadata.runtime_weights:
            raise DeviceError(FIXED_WEIGHTS)
        before = self._load_piece(Piece(0))
        for start in range(0, len(words), PIECE_WORDS):
            piece = Piece(start, tuple(int(word) for word in words[start : start + PIECE_WORDS]))
            answer = self._load_piece(piece)
            if answer.next != start + len(piece.words):
                raise DeviceError(
                    f"the board must want word {start + len(piece.words)} of the image next, it wants "
                    f"{answer.next}: it was reset, or another host loads; send the image again"
                )
        for _ in range(POLLS):
            answer = self._load_piece(Piece(0))
            if answer.status & STATE not in (LOADING, DRAINING):
                return taken_or_raise(answer.status, before.status >> STATE_BITS)
        raise DeviceTimeoutError(
            f"the image must be in use after {POLLS} questions, but the loader's state is "
            f"{answer.status & STATE}; send a whole image, and open the accelerator again if it stands still"
        )

    def _load_piece(self, piece: Piece) -> LoadStatus:
        assert self._port is not None
        try:
            (payload,) = self._exchange(self._port, FrameType.LOAD, FrameType.LOADED, [piece.encode()])
        except BaseException:
            self.close()
            raise
        return LoadStatus.decode(payload)

    @property
    def cycles(self) -> int | None:
        """Cycles that a simulated board has run, None for a board."""
        cycles: int | None = getattr(self._of_cycles, "cycles", None)
        return cycles

    def close(self) -> None:
        """Close the port."""
        if self._port is not None:
            self._port.close()
        self._port = None

    def _identify(self) -> Identity:
        port = self._port
        assert port is not None
        self._settle(port)
        (payload,) = self._exchange(port, FrameType.IDENTIFY, FrameType.IDENTITY, [b""])
        identity = Identity.decode(payload)
        expected = round(self._metadata.clock_mhz * HZ_PER_MHZ)
        if identity.version != PROTOCOL_VERSION:
            raise WrongBuildError(
                f"the board speaks version {identity.version} of the link, this driver {PROTOCOL_VERSION}; "
                "load the bitstream of this package"
            )
        if identity.build_id == self._metadata.build_id and identity.clock_hz != expected:
            raise WrongBuildError(
                f"the board runs at {identity.clock_hz} Hz, this package is made for {expected} Hz; "
                "load the bitstream of this package"
            )
        return identity

    def _exchange(
        self, port: Port, request: FrameType, answer: FrameType, payloads: list[bytes]
    ) -> list[bytes]:
        """Send a request for each payload; the payloads of the answers, in the same order."""
        answers: list[bytes | None] = [None] * len(payloads)
        waiting = iter(range(len(payloads)))
        pending: dict[int, int] = {}  # sequence number -> which payload
        open_ones, tries, trouble = len(payloads), 1, ""
        while open_ones:
            self._send(port, request, payloads, waiting, pending)
            before = open_ones
            for frame in self._listen(port, self._patience_s):
                if isinstance(frame, str):
                    trouble = frame
                elif frame.type == FrameType.REFUSAL:
                    trouble = f"the board refused a frame: {REFUSALS.get(frame.payload[0], 'unknown reason')}"
                elif frame.type == answer and frame.sequence in pending:
                    answers[pending.pop(frame.sequence)] = frame.payload
                    open_ones -= 1
            if open_ones < before:
                tries = 1
            if trouble and open_ones:
                if tries == TRIES:
                    self._give_up(trouble)
                # the line falls silent, then what is still open is sent anew
                for frame in self._settle(port):
                    if frame.type == answer and frame.sequence in pending:
                        answers[pending.pop(frame.sequence)] = frame.payload
                        open_ones -= 1
                waiting = iter([*sorted(pending.values()), *waiting])
                pending.clear()
                tries, trouble = tries + 1, ""
                self.retries += 1
        return [payload for payload in answers if payload is not None]

    def _send(
        self,
        port: Port,
        request: FrameType,
        payloads: list[bytes],
        waiting: Iterator[int],
        pending: dict[int, int],
    ) -> None:
        while len(pending) < self._window and (index := next(waiting, None)) is not None:
            pending[self._sequence] = index
            port.write(Frame(request, self._sequence, payloads[index]).encode())
            self._sequence = (self._sequence + 1) % SEQUENCES

    def _listen(self, port: Port, patience_s: float) -> Iterator[Frame | str]:
        """Frames that come, or a word on what went wrong, after at most one read."""
        data = port.read(patience_s)
        if not data:
            yield SILENCE
            return
        damaged = self._reader.damaged
        yield from self._reader.feed(data)
        if self._reader.damaged > damaged:
            yield DAMAGED
        if self._reader.noise > MOST_NOISE:
            yield NOISE

    def _settle(self, port: Port) -> list[Frame]:
        """Wait until the line has been silent for so long that the board has forgotten half a frame."""
        frames: list[Frame] = []
        while data := port.read(2 * self._link.idle_s + self._slack_s):
            frames += self._reader.feed(data)
            if self._reader.noise > 2 * MOST_NOISE:
                raise DeviceError("the line never falls silent; is this the board's port, at its baud rate?")
        self._reader.clear()
        return frames

    @property
    def _patience_s(self) -> float:
        """The longest silence before an answer: all requests on their way, and one group computed."""
        meta = self._metadata
        line = self._window * (meta.group_input_bytes + OVERHEAD) * BITS_A_BYTE / self._link.baud
        return min(self._timeout_s, 2 * (line + meta.lanes / meta.pixels_per_s) + self._slack_s)

    def _give_up(self, trouble: str) -> None:
        if trouble == SILENCE:
            raise DeviceTimeoutError(
                f"the board must answer within {self._patience_s:.2f} s and has not, {TRIES} times; is it "
                "powered, is the bitstream of this package loaded, is this its port?"
            )
        raise DeviceError(
            f"frames were sent {TRIES} times in vain: {trouble}; use a shorter cable, or a lower baud rate"
        )


def open_uart(name: str, metadata: AcceleratorMetadata, timeout_s: float) -> UartDevice:
    """The board on a serial port of this computer, by the port's name, as "/dev/ttyUSB0"."""
    return UartDevice(SerialPort(name, _link_of(metadata).baud), metadata, timeout_s)


def open_simulated_uart(build_directory: Path, metadata: AcceleratorMetadata, timeout_s: float) -> UartDevice:
    """The Verilated board of a build directory, spoken to over the pins of its UART.

    Raises DeploymentError if finn-flirnn is not installed here, or there is no such build.
    """
    try:
        adapter = importlib.import_module(ADAPTER)
    except ModuleNotFoundError as error:
        raise DeploymentError(
            f"device 'uart:sim' needs finn-flirnn, which is not here ({error}); pip install finn-flirnn, "
            "or use another device"
        ) from error
    try:
        port: Port = adapter.open_port(build_directory)
    except (OSError, ValueError, RuntimeError) as error:
        raise DeploymentError(f"the board of {build_directory} cannot be simulated: {error}") from error
    return UartDevice(port, metadata, timeout_s, slack_s=SIMULATED_SLACK_S)


def _link_of(metadata: AcceleratorMetadata) -> SerialLink:
    if metadata.link is None:
        raise DeploymentError(
            f"{metadata.name} for {metadata.board} has no serial link; use the device that its README names"
        )
    return metadata.link
