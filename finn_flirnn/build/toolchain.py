# SPDX-License-Identifier: BSD-3-Clause
"""Outside tools and the environment: the only module of the project that reads or writes it.

FINN takes its settings from environment variables that its own command sets; here they are set for
it, before its first import, so that a user never has to.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

VIVADO_REMEDY = "install AMD Vivado and Vitis HLS and source their settings64.sh"


@dataclass(frozen=True)
class Toolchain:
    """The outside tools found on this machine; None where one is missing.

    vivado_root: the installation that holds ``vivado``, as XILINX_VIVADO names it.
    """

    vivado: Path | None = None
    vivado_root: Path | None = None
    vitis_hls: Path | None = None
    cxx: Path | None = None
    make: Path | None = None

    @property
    def vivado_version(self) -> str | None:
        """Release of Vivado as its folder tells it, e.g. "2022.2"; None if it is missing."""
        if self.vivado_root is None:
            return None
        found = re.search(r"\b20\d{2}\.\d\b", str(self.vivado_root))
        return found.group() if found else "unknown"

    @property
    def missing_for_bitstream(self) -> str | None:
        """Why no AMD bitstream can be made here and what to do; None if one can."""
        missing = [n for n, tool in (("vivado", self.vivado), ("vitis_hls", self.vitis_hls)) if tool is None]
        return f"{' and '.join(missing)} not found; {VIVADO_REMEDY}" if missing else None

    @property
    def missing_for_simulation(self) -> str | None:
        """Why no hardware can be simulated here and what to do; None if it can."""
        missing = [n for n, tool in (("a C++ compiler", self.cxx), ("make", self.make)) if tool is None]
        return f"{' and '.join(missing)} not found; install g++ and make" if missing else None


def find_tools() -> Toolchain:
    """Look for the outside tools on PATH and, for Vivado, where XILINX_VIVADO points."""
    root = _folder_of("XILINX_VIVADO")
    vivado = _find("vivado", root)
    if vivado is not None:
        root = vivado.resolve().parent.parent
    hls = _folder_of("XILINX_HLS") or _folder_of("XILINX_VITIS")
    return Toolchain(
        vivado=vivado,
        vivado_root=root if vivado else None,
        vitis_hls=_find("vitis_hls", hls) or _find("vitis-run", hls),
        cxx=_find(os.environ.get("CXX", "g++")),
        make=_find("make"),
    )


def prepare_finn(build_dir: Path) -> Toolchain:
    """Make FINN importable and ours: environment, simulation through Verilator, our ops registered.

    build_dir: FINN's folder for generated code; made if missing. May be called again in the same
    process with another folder.
    """
    build_dir = build_dir.resolve()
    build_dir.mkdir(parents=True, exist_ok=True)
    tools = find_tools()
    os.environ.update(_finn_environment(build_dir, tools))
    if tools.vivado is not None:
        _put_on_path(tools.vivado.parent)

    from finn.util.settings import get_settings  # FINN may be imported only from here on

    get_settings().finn_build_dir = build_dir  # settings that an earlier call has made stay cached

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
