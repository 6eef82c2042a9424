# SPDX-License-Identifier: BSD-3-Clause
"""Reports put together from parts: what the steps have compared, what the synthesis tools reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finn_flirnn.common.files import read_json_file, write_json

PARTS = "report/parts"
VERIFIED = ("verified_software", "verified_rtl", "verified_driver", "verified_netlist")
"""Names of the parts that hold comparisons, in order."""


def stage(name: str, sequences: int, codes: int, mismatches: int, **more: Any) -> dict[str, Any]:
    """One entry of verification.json."""
    return {"name": name, "sequences": sequences, "codes": codes, "mismatches": mismatches, **more}


def collect_verification(output: Path) -> None:
    """Write report/verification.json anew from its parts; without any part there is no such file.

    Parts and whole are separate, so that each file belongs to one step and a resumed build can tell
    which step's outputs are unchanged.
    """
    target = output / "report" / "verification.json"
    parts = [path for name in VERIFIED if (path := output / PARTS / f"{name}.json").exists()]
    stages = [entry for path in parts for entry in read_json_file(path)["stages"]]
    if stages:
        write_json(target, {"stages": stages})
    else:
        target.unlink(missing_ok=True)


def collect_synthesis(output: Path) -> None:
    """Write report/synthesis.json anew: what the open tools reported; under "vivado" what it did, or null."""
    target = output / "report" / "synthesis.json"
    opened, vivado = (output / PARTS / f"synthesis_{tools}.json" for tools in ("open", "vivado"))
    if opened.exists():
        by_vivado = read_json_file(vivado) if vivado.exists() else None
        write_json(target, {**read_json_file(opened), "vivado": by_vivado})
    else:
        target.unlink(missing_ok=True)
