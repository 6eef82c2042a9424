# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn doctor``: what is installed, what that allows, and what to do about the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

from finn_flirnn.build.amd import missing_for_board
from finn_flirnn.build.boards import BOARDS
from finn_flirnn.build.command import tool_versions
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.toolchain import TESTED_RELEASES, Toolchain, find_tools
from finn_flirnn.common.errors import BuildError

WIDTH = 22
LICENCE_HINT = (
    "Whether your edition of Vivado may build for a device is told by its licence manager; the table is in "
    "AMD's UG973."
)


def doctor(folder: Path | None = None) -> None:
    """Print a report on the tools and on what they allow.

    folder: where builds go, of whose disk the free space is told; the current one if None.
    Raises BuildError if something that every build needs is missing.
    """
    tools = find_tools()
    progress = Progress()
    versions = tool_versions(tools)
    for name, found in (*versions.items(), *_outside(tools)):
        progress.say(f"{name:<{WIDTH}} {found}")
    free = shutil.disk_usage(folder or Path.cwd()).free
    progress.say(f"{'free disk':<{WIDTH}} {free / (1 << 30):.1f} GiB")
    progress.say("What that allows:")
    for name, missing in _abilities(tools):
        progress.say(f"  {name:<{WIDTH - 2}} {'yes' if missing is None else f'no: {missing}'}")
    for note in _notes(tools):
        progress.say(note)
    absent = [name for name, version in versions.items() if version == "missing" and name != "vivado"]
    if absent:
        raise BuildError(f"{', '.join(absent)} must be installed; run pip install of this project again")
    if tools.missing_for_simulation:
        raise BuildError(f"hardware cannot be simulated here: {tools.missing_for_simulation}")
    progress.say("Everything that a build without a bitstream needs is here.")


def _outside(tools: Toolchain) -> list[tuple[str, str]]:
    found = {
        "C++ compiler": tools.cxx,
        "make": tools.make,
        "Vivado": tools.vivado,
        "Vitis HLS": tools.vitis_hls,
        "v++": tools.vpp,
        "FINN's dependencies": tools.finn_deps,
    }
    return [(name, str(path or "missing")) for name, path in found.items()]


def _abilities(tools: Toolchain) -> list[tuple[str, str | None]]:
    """What can be done -> why it cannot be done here, None if it can."""
    found: list[tuple[str, str | None]] = [("simulate hardware", tools.missing_for_simulation)]
    found += [(f"bitstream {b.name}", None) for b in BOARDS.values() if b.is_open]
    if tools.missing_for_bitstream:
        return [*found, ("AMD bitstreams", tools.missing_for_bitstream)]
    amd = [b for b in BOARDS.values() if not b.is_open]
    return [*found, *((f"bitstream {b.name}", missing_for_board(tools, b.finn_name)) for b in amd)]


def _notes(tools: Toolchain) -> list[str]:
    notes = []
    if tools.vivado is not None:
        notes.append(LICENCE_HINT)
        if tools.vivado_version not in TESTED_RELEASES:
            tested = " and ".join(TESTED_RELEASES)
            notes.append(f"FINN+ 1.6.1 is meant for Vivado {tested}; this is {tools.vivado_version}.")
    return notes
