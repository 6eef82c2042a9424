# SPDX-License-Identifier: BSD-3-Clause
"""What FINN's flow to an AMD bitstream needs on this machine for a board, and what it leaves there."""

from __future__ import annotations

import re
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finn_flirnn.build.toolchain import Toolchain
from finn_flirnn.common.errors import BuildError
from finn_flirnn.common.files import read_json_file
from finn_flirnn.synth.vivado_report import parse_hierarchy, parse_timing, parse_utilisation, tool_version

BOARD_FILES = {
    "KV260_SOM": ("xilinx.com", "kv260_som"),
    "Ultra96-V2": ("avnet.com", "ultra96v2"),
    "Pynq-Z2": ("tul.com.tw", "pynq-z2"),
}
"""FINN's name of a board -> vendor and name in its board files; Vivado itself brings ZCU104's."""
ALVEO = ("U250",)
LOGS = ("*.log", "*.jou", "*.tcl", "*.sh", "*.rpt")
MOST_ERRORS = 3


def missing_for_board(tools: Toolchain, finn_name: str) -> str | None:
    """Why no bitstream for this board can be made here and what to do; None if one can.

    finn_name: the board by FINN's name.
    """
    if tools.missing_for_bitstream:
        return tools.missing_for_bitstream
    if finn_name in ALVEO:
        return tools.missing_for_alveo
    if finn_name in BOARD_FILES and not _has_board_files(tools.finn_deps, *BOARD_FILES[finn_name]):
        vendor, name = BOARD_FILES[finn_name]
        return (
            f"the board files of {vendor}:{name} are not in {tools.finn_deps}/board_files; "
            "run finn deps update"
        )
    return None


def _has_board_files(deps: Path | None, vendor: str, name: str) -> bool:
    if deps is None:
        return False
    wanted = (re.compile(rf'vendor="{re.escape(vendor)}"'), re.compile(rf'\bname="{re.escape(name)}"'))
    texts = (path.read_text(errors="replace") for path in (deps / "board_files").rglob("board.xml"))
    return any(all(pattern.search(text) for pattern in wanted) for text in texts)


@dataclass(frozen=True)
class ZynqOutputs:
    """What FINN's Zynq flow leaves below its output folder.

    accelerator_*: of the network alone, placed and routed out of context; the others of the whole design.
    """

    bitfile: Path
    handoff: Path
    accelerator_utilisation: Path
    accelerator_timing: Path
    utilisation: Path
    timing: Path

    @classmethod
    def below(cls, finn_dir: Path) -> ZynqOutputs:
        """Find them. Raises BuildError, naming all that are missing."""
        ooc = finn_dir / "report" / "ooc_synth_and_timing.json"
        stitched = Path(read_json_file(ooc)["vivado_proj_folder"]) if ooc.is_file() else finn_dir
        found = cls(
            bitfile=finn_dir / "bitfile" / "finn-accel.bit",
            handoff=finn_dir / "bitfile" / "finn-accel.hwh",
            accelerator_utilisation=stitched / "ooc_utilization.rpt",
            accelerator_timing=stitched / "ooc_timing.rpt",
            utilisation=finn_dir / "report" / "post_synth_report.xml",
            timing=finn_dir / "report" / "post_route_timing.rpt",
        )
        missing = [str(path) for path in vars(found).values() if not path.is_file()]
        if missing:
            raise BuildError(f"Vivado ended without {', '.join(missing)}; see its logs")
        return found

    def report(self) -> dict[str, Any]:
        """What Vivado reported. Raises BuildError if a report is in an unknown format."""
        try:
            utilisation = self.accelerator_utilisation.read_text()
            timing = parse_timing(self.timing.read_text())
            return {
                "tool": "vivado",
                "version": tool_version(utilisation),
                "accelerator": {
                    **asdict(parse_utilisation(utilisation)),
                    "timing": asdict(parse_timing(self.accelerator_timing.read_text())),
                },
                "design": {**asdict(parse_hierarchy(self.utilisation.read_text())), "timing": asdict(timing)},
            }
        except ValueError as error:
            raise BuildError(f"a report of Vivado cannot be read: {error}; please send it to us") from error


def first_errors(folder: Path) -> list[str]:
    """The first errors that a vendor's tool wrote into a log below a folder, oldest log first."""
    logs = sorted(folder.rglob("*.log"), key=lambda path: path.stat().st_mtime)
    lines = (line.strip() for path in logs for line in path.read_text(errors="replace").splitlines())
    return [line for line in lines if line.startswith("ERROR:")][:MOST_ERRORS]


def keep_logs(folder: Path, archive: Path) -> None:
    """Put the logs, scripts and text reports below a folder into one archive, to look at or to send."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted({path for pattern in LOGS for path in folder.rglob(pattern)}):
            target.write(path, path.relative_to(folder))
