# SPDX-License-Identifier: BSD-3-Clause
"""Lay out the stand-ins like an installation of the vendor's tools and of FINN's dependencies."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.vendor import LABEL

PROJECT = Path(__file__).resolve().parents[2]
HEADERS = ("bnn-library.h", "dma.h", "streamtools.h")
PLATFORM = "xilinx_u250_gen3x16_xdma_4_1_202210_1"
"""FINN's default for the U250."""
BOARDS = (
    ("avnet.com", "ultra96v2", "1.2"),
    ("tul.com.tw", "pynq-z2", "1.0"),
    ("xilinx.com", "kv260_som", "1.3"),
)


@dataclass(frozen=True)
class Installation:
    """environment: what settings64.sh and the user would set; journals: what the tools were told."""

    root: Path
    environment: dict[str, str]
    journals: Path

    def errors(self) -> str:
        """What the stand-ins complained of."""
        return "\n".join(p.read_text() for p in sorted(self.journals.glob("*.error")))


def install(
    root: Path, version: str = "2022.2", hls: str = "vitis_hls", *, alveo: bool = False
) -> Installation:
    """Make Vivado/<version>, Vitis_HLS/<version>, FINN's dependencies and a folder of journals.

    alveo: also Vitis/<version>, XRT and the platform of the U250.
    """
    vivado, vitis_hls = root / "Vivado" / version, root / "Vitis_HLS" / version
    journals, deps = root / "journals", root / "finn_deps"
    journals.mkdir(parents=True)
    _command(vivado / "bin" / "vivado", "tests.vendor.vivado")
    _command(vitis_hls / "bin" / hls, "tests.vendor.vitis_hls")
    (deps / "attention-hlslib").mkdir(parents=True)
    for name in HEADERS:
        path = deps / "finn-hlslib" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"// {LABEL}\n")
    for vendor, name, revision in BOARDS:
        path = deps / "board_files" / name / revision / "board.xml"
        path.parent.mkdir(parents=True)
        path.write_text(
            f'<board vendor="{vendor}" name="{name}"><file_version>{revision}</file_version></board>\n'
        )
    vitis = root / "Vitis" / version
    cards = {
        "XILINX_VITIS": str(vitis),
        "XILINX_XRT": str(root / "xrt"),
        "PLATFORM_REPO_PATHS": str(root / "platforms"),
    }
    if alveo:
        for tool in ("v++", "kernelinfo"):
            _command(vitis / "bin" / tool, "tests.vendor.kernels", tool)
        platform = root / "platforms" / PLATFORM / f"{PLATFORM}.xpfm"
        platform.parent.mkdir(parents=True)
        platform.write_text(f"<!-- {LABEL} -->\n")
    path_variable = os.pathsep.join(
        [str(vivado / "bin"), str(vitis_hls / "bin"), str(vitis / "bin"), os.environ["PATH"]]
    )
    environment = {
        "PATH": path_variable,
        "XILINX_VIVADO": str(vivado),
        "XILINX_HLS": str(vitis_hls),
        "FINN_DEPS": str(deps),
        "STANDIN_JOURNALS": str(journals),
        **(cards if alveo else {}),
    }
    return Installation(root, environment, journals)


def _command(path: Path, module: str, *words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH="{PROJECT}" exec "{sys.executable}" -m {" ".join([module, *words])} "$@"\n'
    )
    path.chmod(0o755)
