# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn weights`` makes images for hardware that is built already."""

from __future__ import annotations

from pathlib import Path

import pytest

from finn_flirnn.build import weights
from finn_flirnn.build.collect import PARTS
from finn_flirnn.build.main import main
from finn_flirnn.common.files import write_json
from finn_flirnn.hwops.weights import built_in_image, weight_image
from tests.fakes.finn_graphs import random_network
from tests.rtl.loading import HIDDEN, STEPS, emit_loadable_design, loadable_graph


def test_image_of_another_model_fits_the_build_and_another_shape_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new, other = (
        random_network(seed, STEPS, size, 3) for seed, size in ((1, HIDDEN), (2, HIDDEN), (3, 8))
    )
    models = {"new": new, "other": other}
    monkeypatch.setattr(weights, "network_of", models.__getitem__)
    build, image = tmp_path / "build", tmp_path / "new.bin"
    graph = loadable_graph(old)
    design = emit_loadable_design(graph, tmp_path / "rtl")
    write_json(build / PARTS / "finn.json", {"hardware": "hardware.onnx"})
    graph.save(str(build / "hardware.onnx"))
    command = ["weights", "--build", str(build), "--output", str(image), "--model"]
    assert main([*command, "new"]) == 0
    assert image.read_bytes() == weight_image(new, design) != built_in_image(design)
    assert f"weights_id {int.from_bytes(image.read_bytes()[-4:], 'little'):08x}" in capsys.readouterr().out
    assert main([*command, "other"]) == 1
    assert "encoder: the network's units is 8, the hardware's 4" in capsys.readouterr().err
    assert main(["weights", "--build", str(tmp_path), "--model", "new"]) == 2
    assert "must be the output folder of a build" in capsys.readouterr().err
