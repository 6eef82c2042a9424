# SPDX-License-Identifier: BSD-3-Clause
"""The weight image (docs/weights.md): what rtl/weight_loader.sv takes, and the hash of what it must fit."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finn_flirnn.codegen.ram import image_words, ram_banks
from finn_flirnn.codegen.wrapper import MemoryPort

MAGIC = int.from_bytes(b"FLRW", "little")
VERSION = 1
HEADER_WORDS = 5


@dataclass(frozen=True)
class WeightSet:
    """The contents of a module's writable memories.

    shape: text of all that an image must share with the hardware: formats, sizes, memories. words: of the
    image, in the order in which the memories take them.
    """

    shape: str
    words: tuple[int, ...]


def weight_set(formats: str, parameters: Mapping[str, int], memories: Sequence[MemoryPort]) -> WeightSet:
    """The writable ones of an engine's memories. formats, parameters: of the engine, for the shape."""
    roms = [memory.rom for memory in memories if memory.writable]
    layout = [[(bank.width, len(bank.words)) for bank in ram_banks(rom)] for rom in roms]
    shape = f"{formats} {sorted(parameters.items())} {layout}"
    return WeightSet(shape, tuple(word for rom in roms for word in image_words(rom)))


def check_bias_bits(needed: int, there: int) -> None:
    """Raise ValueError if biases need more bits than the hardware gives them."""
    if needed > there:
        raise ValueError(
            f"a bias needs {needed} bits, but hardware with run-time weights has {there}, as many as the "
            "layer's sums; train for smaller biases, or build without runtime_weights"
        )


def header(sets: Sequence[WeightSet]) -> bytes:
    """The header of all images that fit a design of these sets."""
    shape = hashlib.sha256("\n".join(part.shape for part in sets).encode()).digest()[:8]
    count = sum(len(part.words) for part in sets)
    return struct.pack("<II8sI", MAGIC, VERSION, shape, count)


def encode_image(sets: Sequence[WeightSet]) -> bytes:
    """The image of the sets of a design's modules, in their order."""
    words = [word for part in sets for word in part.words]
    body = header(sets) + struct.pack(f"<{len(words)}I", *words)
    return body + struct.pack("<I", zlib.crc32(body))


def image_identifier(image: bytes) -> int:
    """The CRC-32 at an image's end, by which the hardware names the set."""
    return int.from_bytes(image[-4:], "little")
