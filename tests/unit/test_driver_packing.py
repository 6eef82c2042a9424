# SPDX-License-Identifier: BSD-3-Clause
"""Codes to bytes, pixels to groups: docs/numerics.md, section 7."""

import numpy as np
import pytest

from finn_flirnn.driver.packing import Stream, from_groups, smallest_integer, to_groups
from finn_flirnn.numerics import Format
from finn_flirnn.sim import packing

WIDTHS = [
    (bits, signed) for bits in (2, 3, 4, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32) for signed in (False, True)
]


def random_codes(fmt: Format, shape: tuple[int, ...]) -> np.ndarray:
    """Codes of the whole range, with both ends."""
    codes = np.random.default_rng(fmt.bits).integers(fmt.min_code, fmt.max_code + 1, shape)
    codes.flat[0], codes.flat[-1] = fmt.min_code, fmt.max_code
    return codes


def packed_by_the_book(codes: np.ndarray, stream: Stream) -> bytes:
    """Section 7 word for word, one Python integer a transfer."""
    out = b""
    for transfer in codes.reshape(-1, stream.elements).tolist():
        word = sum(
            (code & (1 << stream.format.bits) - 1) << i * stream.format.bits
            for i, code in enumerate(transfer)
        )
        out += word.to_bytes(stream.transfer_bytes, "little")
    return out


@pytest.mark.parametrize("elements", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("bits", "signed"), WIDTHS)
def test_pack_places_every_bit_where_the_text_says(bits: int, signed: bool, elements: int) -> None:
    stream = Stream(elements, Format(bits, 0, signed))
    codes = random_codes(stream.format, (7, elements))
    assert stream.pack(codes) == packed_by_the_book(codes, stream)


@pytest.mark.parametrize("elements", [1, 3, 8])
@pytest.mark.parametrize(("bits", "signed"), WIDTHS)
def test_driver_and_simulation_pack_the_same_transfers(bits: int, signed: bool, elements: int) -> None:
    stream = Stream(elements, Format(bits, 0, signed))
    codes = random_codes(stream.format, (7, elements))
    words = packing.pack(codes, stream.format)
    data = words.astype("<u4").view(np.uint8).reshape(7, -1)[:, : stream.transfer_bytes]
    assert stream.pack(codes) == data.tobytes()


@pytest.mark.parametrize("elements", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("bits", "signed"), WIDTHS)
def test_unpack_undoes_pack(bits: int, signed: bool, elements: int) -> None:
    stream = Stream(elements, Format(bits, 0, signed))
    codes = random_codes(stream.format, (9, elements))
    assert np.array_equal(stream.unpack(stream.pack(codes)), codes)


def test_padding_bits_of_a_result_are_ignored() -> None:
    stream = Stream(1, Format(5, 0))
    assert stream.unpack(bytes([0b111_01111, 0b101_10000])).ravel().tolist() == [15, -16]


def test_padding_bits_of_an_input_are_zero() -> None:
    assert Stream(1, Format(5, 0)).pack(np.array([-1])) == bytes([0b000_11111])


def test_one_bit_codes_pack_eight_to_a_byte() -> None:
    assert Stream(8, Format(1, 0, signed=False)).pack(np.array([1, 0, 0, 0, 0, 0, 0, 1])) == b"\x81"


def test_code_outside_the_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside -8\.\.7"):
        Stream(1, Format(4, 0)).pack(np.array([8]))


def test_half_a_transfer_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fill whole transfers of 2"):
        Stream(2, Format(4, 0)).pack(np.array([1]))
    with pytest.raises(ValueError, match="whole transfers of 2 bytes"):
        Stream(2, Format(8, 0)).unpack(b"abc")


def test_empty_transfer_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Stream(0, Format(4, 0))


@pytest.mark.parametrize("pixels", [1, 7, 8, 9])
@pytest.mark.parametrize("lanes", [1, 3, 8])
def test_groups_come_back_as_the_pixels_that_went_in(pixels: int, lanes: int) -> None:
    codes = np.arange(pixels * 5 * 2).reshape(pixels, 5, 2) + 1
    groups = to_groups(codes, lanes)
    assert groups.shape == (-(-pixels // lanes), 5, lanes, 2)
    assert np.array_equal(from_groups(groups, pixels), codes)


def test_lanes_of_a_group_are_consecutive_pixels_and_the_rest_is_zero() -> None:
    codes = np.arange(1, 7).reshape(3, 2, 1)
    assert to_groups(codes, 2).ravel().tolist() == [1, 3, 2, 4, 5, 0, 6, 0]


@pytest.mark.parametrize(
    ("bits", "signed", "name"), [(8, True, "int8"), (9, True, "int16"), (17, False, "uint32")]
)
def test_smallest_integer_just_holds_the_format(bits: int, signed: bool, name: str) -> None:
    assert smallest_integer(Format(bits, 0, signed)) == name
