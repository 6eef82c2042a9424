# SPDX-License-Identifier: BSD-3-Clause
"""``finn-flirnn doctor``: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

from finn_flirnn.build.command import tool_versions
from finn_flirnn.build.errors import BuildError
from finn_flirnn.build.progress import Progress
from finn_flirnn.build.toolchain import find_tools


def doctor() -> None:
    """Print a report on the tools. Raises BuildError if something that every build needs is missing."""
    tools = find_tools()
    progress = Progress()
    versions = tool_versions(tools)
    for name, version in versions.items():
        progress.say(f"{name:<14} {version}")
    for name, path in (("C++ compiler", tools.cxx), ("make", tools.make)):
        progress.say(f"{name:<14} {path or 'missing'}")
    if tools.missing_for_bitstream:
        progress.say(f"No AMD bitstream can be made here: {tools.missing_for_bitstream}.")
    missing = [name for name, version in versions.items() if version == "missing" and name != "vivado"]
    if missing:
        raise BuildError(f"{', '.join(missing)} must be installed; run pip install of this project again")
    if tools.missing_for_simulation:
        raise BuildError(f"hardware cannot be simulated here: {tools.missing_for_simulation}")
    progress.say("Everything that a build needs is here.")
