# SPDX-License-Identifier: BSD-3-Clause
"""Step model: the trained model as QONNX, and as the integer oracle that all else is compared with."""

from __future__ import annotations

from finn_flirnn.build.context import MODEL_FILE, BuildContext
from finn_flirnn.build.network_file import FILE_NAME, save_network


def run(context: BuildContext) -> None:
    """Write model/model.onnx and model/network.npz."""
    context.tell(context.source.description)
    context.source.write_onnx(context.make(MODEL_FILE))
    info = {"preset": context.config.accuracy.preset, "source": context.source.description}
    save_network(context.make(f"model/{FILE_NAME}"), context.source.network, info)
