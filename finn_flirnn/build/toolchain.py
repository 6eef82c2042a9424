# SPDX-License-Identifier: BSD-3-Clause
"""Outside tools and the environment: the only module of the project that reads or writes it.

FINN takes its settings from environment variables that its own command sets; here they are set for
it, before its first import, so that a user never has to.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

VIVADO_REMEDY = "install AMD Vivado and Vitis HLS and source their settings64.sh"
TESTED_RELEASES = ("2022.2", "2024.2")
"""The releases that the README of finn-plus 1.6.1 names."""
LAST_WITH_VITIS_HLS = (2024, 2)
"""Up to this release FINN calls ``vitis_hls``, afterwards ``vitis-run``."""
HLS_HEADER = Path("finn-hlslib/bnn-library.h")
VITIS_VARIABLES = ("XILINX_VITIS", "XILINX_XRT", "PLATFORM_REPO_PATHS")
"""What FINN wants set before it links for an Alveo card."""


@dataclass(frozen=True)
class Toolchain:
    """The outside tools found on this machine; None where one is missing.

    vivado_root: the installation that holds ``vivado``, as XILINX_VIVADO names it. vitis_hls: the command
    that FINN calls for this release. vpp: ``v++``, for Alveo cards. unset: variables that Vitis needs and
    does not have. finn_deps: where ``finn deps update`` has put what FINN needs beside its package.
    """

    vivado: Path | None = None
    vivado_root: Path | None = None
    vitis_hls: Path | None = None
    vpp: Path | None = None
    unset: tuple[str, ...] = VITIS_VARIABLES
    finn_deps: Path | None = None
    cxx: Path | None = None
    make: Path | None = None

    @property
    def vivado_version(self) -> str | None:
        """Release of Vivado as its folder tells it, e.g. "2022.2"; None if it is missing."""
        if self.vivado_root is None:
            return None
        found = re.search(r"\b20\d{2}\.[12]\b", str(self.vivado_root))
        return found.group() if found else "unknown"

    @property
    def missing_for_bitstream(self) -> str | None:
        """Why no AMD bitstream can be made here and what to do; None if one can."""
        missing = [n for n, tool in (("vivado", self.vivado), ("vitis_hls", self.vitis_hls)) if tool is None]
        if missing:
            return f"{' and '.join(missing)} not found; {VIVADO_REMEDY}"
        if self.vivado_version == "unknown":
            return (
                f"FINN reads Vivado's release from its folder, and {self.vivado_root} names none; "
                "set XILINX_VIVADO to a path like .../Vivado/2022.2"
            )
        if self.finn_deps is None:
            return (
                "finn-hlslib and the board files that FINN brings are not here; run finn deps update, "
                "or set FINN_DEPS to where they are"
            )
        return None

    @property
    def missing_for_alveo(self) -> str | None:
        """What a card needs beside that, and what to do; None if it is there."""
        missing = [*(() if self.vpp else ("v++",)), *self.unset]
        if not missing:
            return None
        remedy = "install AMD Vitis, XRT and the card's platform and source their settings"
        return f"{' and '.join(missing)} not found; {remedy}"

    @property
    def missing_for_simulation(self) -> str | None:
        """Why no hardware can be simulated here and what to do; None if it can."""
        missing = [n for n, tool in (("a C++ compiler", self.cxx), ("make", self.make)) if tool is None]
        return f"{' and '.join(missing)} not found; install g++ and make" if missing else None


def find_tools() -> Toolchain:
    """Look for the outside tools on PATH and where the variables of Xilinx and FINN point."""
    root = _folder_of("XILINX_VIVADO")
    vivado = _find("vivado", root)
    if vivado is not None:
        root = vivado.resolve().parent.parent
    found = Toolchain(
        vivado=vivado,
        vivado_root=root if vivado else None,
        vpp=_find("v++", _folder_of("XILINX_VITIS")),
        unset=tuple(name for name in VITIS_VARIABLES if not os.environ.get(name)),
        finn_deps=_finn_deps(),
        cxx=_find(os.environ.get("CXX", "g++")),
        make=_find("make"),
    )
    return replace(found, vitis_hls=_find_hls(found.vivado_version))


def _find_hls(release: str | None) -> Path | None:
    """The command of Vitis HLS that FINN calls for a release; either, as long as there is no Vivado."""
    root = _folder_of("XILINX_HLS") or _folder_of("XILINX_VITIS")
    names: tuple[str, ...] = ("vitis_hls", "vitis-run")
    if release not in (None, "unknown"):
        year, minor = str(release).split(".")
        names = names[1:] if (int(year), int(minor)) > LAST_WITH_VITIS_HLS else names[:1]
    return next((path for name in names if (path := _find(name, root))), None)


def _finn_deps() -> Path | None:
    """Where FINN's dependencies are: FINN_DEPS, or beside its package as ``finn deps update`` has it."""
    spec = find_spec("finn")
    places = [Path(folder) / "finn_deps" for folder in (spec and spec.submodule_search_locations) or ()]
    chosen = os.environ.get("FINN_DEPS")
    places = [Path(chosen).absolute()] if chosen else places
    return next((place for place in places if (place / HLS_HEADER).is_file()), None)


def prepare_finn(build_dir: Path) -> Toolchain:
    """Make FINN importable and ours: environment, simulation through Verilator, our ops registered.

    build_dir: FINN's folder for generated code; made if missing. May be called again in the same
    process with another folder.
    """
    build_dir = build_dir.resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    tools = find_tools()
    os.environ.update(_finn_environment(build_dir, tools))
    for tool in (tools.vivado, tools.vitis_hls, tools.vpp):
        if tool is not None:
            _put_on_path(tool.parent)

    from finn.util.settings import get_settings  # FINN may be imported only from here on

    settings = get_settings()  # those that an earlier call has made stay cached
    settings.finn_build_dir = build_dir
    if tools.finn_deps is not None:
        settings.finn_deps = tools.finn_deps

    from finn_flirnn.sim.xsi import install

    install()

    from finn_flirnn.hwops.registration import register

    register()
    return tools


def _finn_environment(build_dir: Path, tools: Toolchain) -> dict[str, str]:
    spec = find_spec("finn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("package finn is missing; run pip install finn-plus==1.6.1", name="finn")
    finn = Path(spec.submodule_search_locations[0])
    return {
        "FINN_BUILD_DIR": str(build_dir),
        # a file that does not exist: the settings of a user's other FINN projects do not count here
        "FINN_SETTINGS": str(build_dir / "settings.yaml"),
        # only FINN's own command sets these two, but its stitching Tcl reads them
        "FINN_RTLLIB": str(finn / "finn-rtllib"),
        "FINN_CUSTOM_HLS": str(finn / "custom_hls"),
        # the last lines of every build read it, even of one that needs no Vivado
        "XILINX_VIVADO": str(tools.vivado_root or build_dir / "no-vivado"),
        # spawned workers start without our registered ops; one worker makes FINN use no pool at all
        "FINN_MP_START_METHOD": "fork",
        "NUM_DEFAULT_WORKERS": "1",
    }


def _folder_of(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value and Path(value).is_dir() else None


def _find(name: str, root: Path | None = None) -> Path | None:
    found = shutil.which(name) or (shutil.which(name, path=str(root / "bin")) if root else None)
    return Path(found) if found else None


def _put_on_path(folder: Path) -> None:
    path = os.environ.get("PATH", "")
    if str(folder) not in path.split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([str(folder), path])
