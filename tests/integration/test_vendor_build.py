# SPDX-License-Identifier: BSD-3-Clause
"""``build.py`` with "Vivado" on the PATH, answered by the strict stand-in of tests/vendor, to its last step.

This checks scripts. It synthesises nothing, and no number in here comes from a vendor's tool.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

pytest.importorskip("tkinter", reason="this Python has no Tcl; on Debian and Ubuntu: apt install python3-tk")

from finn_flirnn.build.main import main
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.models.checkpoints import save_checkpoint
from tests.vendor import LABEL
from tests.vendor.install import Installation, install

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of FINN and its dependencies
    pytest.mark.filterwarnings("ignore:Assuming 4D input is NCHW"),
    pytest.mark.filterwarnings("ignore:Named tensors and all their associated APIs:UserWarning"),
    # FINN leaves the HLS sources that it writes open
    pytest.mark.filterwarnings(
        "ignore:Exception ignored in. <_io.FileIO:pytest.PytestUnraisableExceptionWarning"
    ),
]
CONFIG: dict[str, Any] = {
    "name": "small",
    "board": "ZCU104",
    "clock_mhz": 250,
    "flow": "vivado",
    "lanes": 2,
    "folding": {
        "encoder": {"pe": 2, "simd": 2},
        "decoder": {"pe": 2, "simd": 2},
        "head": {"pe": 1, "simd": 1},
    },
    "verification": {"software_sequences": 20, "rtl_pixels": 4},
    "accuracy": {"pixels": 20},
}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    tools = install(tmp_path_factory.mktemp("vendor"))
    with mock.patch.dict(os.environ, tools.environment):
        yield tools


@pytest.fixture(scope="module")
def built(tools: Installation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    save_checkpoint(Seq2SeqLite(hidden=4).eval(), folder / "weights.npz", {})
    config = {**CONFIG, "model": {"checkpoint": str(folder / "weights.npz")}}
    (folder / "small.json").write_text(json.dumps(config))
    assert main(["build", "--config", str(folder / "small.json"), "--output", str(folder / "out")]) == 0
    return folder / "out"


def test_every_step_is_done_but_the_one_for_open_boards(built: Path, tools: Installation) -> None:
    steps = json.loads((built / "manifest.json").read_text())["steps"]
    left_out = {step["name"]: step["reason"] for step in steps if step["status"] != "done"}
    assert left_out == {
        "verify_netlist": "Vivado makes the netlist of this board's bitstream; see the step bitfile"
    }
    assert tools.errors() == ""


def test_the_package_holds_what_stands_in_for_the_bitfile(built: Path) -> None:
    metadata = json.loads((built / "deploy" / "accelerator.json").read_text())
    assert metadata["bitfile"] == "bitfile/small.bit"
    for suffix in ("bit", "hwh"):
        made = built / "bitfile" / f"small.{suffix}"
        assert LABEL in made.read_text()
        assert (built / "deploy" / "bitfile" / made.name).read_bytes() == made.read_bytes()


def test_reports_that_vivado_would_write_are_read_and_kept(built: Path) -> None:
    assert len(list((built / "bitfile" / "reports").iterdir())) == 4
    reported = json.loads((built / "report" / "synthesis.json").read_text())["vivado"]
    assert reported["design"]["timing"]["met"] is True
    assert not (built / "vivado_logs.zip").exists()
