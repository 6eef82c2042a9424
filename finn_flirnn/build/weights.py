# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn weights``: the image of a network for hardware that is built (docs/weights.md)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.hardware import emit_built
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.sources import network_of
from finn_flirnn.codegen.weight_image import image_identifier
from finn_flirnn.common.errors import UsageError


def write_image(build: Path, model: str, output: Path) -> None:
    """Write the image, and say its identifier.

    build: output folder of a build with runtime_weights. model: a checkpoint's name or path, or a QONNX file.
    Raises UsageError for a folder without a build, ValueError for fixed weights or another shape.
    """
    if not (build / PARTS / "finn.json").is_file():
        raise UsageError(f"--build {build} must be the output folder of a build; run finn-flirnn build first")
    network = network_of(model)
    with tempfile.TemporaryDirectory() as folder:
        design = emit_built(build.resolve(), Path(folder))
        # imports FINN, which emit_built has prepared
        from finn_flirnn.hwops.weights import weight_image

        image = weight_image(network, design)
    output.write_bytes(image)
    Progress().say(f"{output}: {len(image)} bytes, weights_id {image_identifier(image):08x}")
