# SPDX-License-Identifier: BSD-3-Clause
"""Frames survive noise around them, and nothing else is taken for one; a serial port of this computer."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finn_flirnn.driver.errors import DeviceError
from finn_flirnn.driver.frames import SYNC, Frame, FrameReader, FrameType, Identity
from finn_flirnn.driver.uart_device import SerialPort

LENGTHS = {FrameType.RESULT: 5, FrameType.REFUSAL: 1}
FRAMES = st.one_of(
    st.builds(Frame, st.just(FrameType.RESULT), st.integers(0, 255), st.binary(min_size=5, max_size=5)),
    st.builds(Frame, st.just(FrameType.REFUSAL), st.integers(0, 255), st.binary(min_size=1, max_size=1)),
)
NOISE = st.binary(max_size=20).filter(lambda data: SYNC[:1] not in data)


def test_frame_is_laid_out_as_documented() -> None:
    assert Frame(FrameType.INFER, 7, b"\x01\x02").encode().hex() == "a55a0207020001025e443613"


@given(st.lists(st.tuples(NOISE, FRAMES), max_size=6), st.integers(1, 30))
def test_reader_finds_every_frame_in_noise_however_it_is_cut(
    sent: list[tuple[bytes, Frame]], cut: int
) -> None:
    line = b"".join(noise + frame.encode() for noise, frame in sent)
    reader = FrameReader(LENGTHS)
    found = [frame for i in range(0, len(line), cut) for frame in reader.feed(line[i : i + cut])]
    assert found == [frame for _, frame in sent]
    assert reader.damaged == 0


@given(FRAMES, st.integers(0, 200), FRAMES)
def test_no_flipped_bit_passes_and_the_next_frame_is_found(first: Frame, bit: int, second: Frame) -> None:
    line = bytearray(first.encode())
    bit %= 8 * len(line)
    line[bit // 8] ^= 1 << bit % 8
    # zeros give a reader that waits for a longer frame its end
    found = list(FrameReader(LENGTHS).feed(bytes(line) + second.encode() + bytes(32)))
    assert found == [second]


def test_damaged_frames_and_noise_are_counted() -> None:
    reader = FrameReader(LENGTHS)
    frame = Frame(FrameType.REFUSAL, 1, b"\x02").encode()
    assert list(reader.feed(b"abc" + frame[:-1] + b"?")) == []
    assert (reader.damaged, reader.noise) == (1, 3 + len(frame))
    assert len(list(reader.feed(frame))) == 1
    assert reader.noise == 0


def test_identity_survives_its_encoding() -> None:
    identity = Identity(7, 540, 3240, 50_000_000, "0123456789abcdef", 135, 4)
    assert Identity.decode(identity.encode()) == identity


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo terminal: the far end, and the name of the near one."""
    far, near = os.openpty()
    yield far, os.ttyname(near)
    os.close(far)
    os.close(near)


def test_serial_port_sends_and_waits_for_at_least_a_byte(terminal: tuple[int, str]) -> None:
    far, name = terminal
    port = SerialPort(name, 3_000_000)
    port.write(b"\x00\xa5\xff")
    assert os.read(far, 10) == b"\x00\xa5\xff"
    os.write(far, b"\x11\x13\x0a")  # no flow control, no line ends
    data = port.read(5.0)
    while len(data) < 3:
        data += port.read(5.0)
    assert data == b"\x11\x13\x0a"
    assert port.read(0.01) == b""
    port.close()


def test_port_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceError, match="/dev/ttyNONE must open at 9600 baud"):
        SerialPort("/dev/ttyNONE", 9600)


def test_missing_pyserial_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(DeviceError, match="pip install pyserial"):
        SerialPort("/dev/ttyUSB0", 9600)
