# SPDX-License-Identifier: BSD-3-Clause
"""Stand-in for ``vivado -mode batch -source FILE``: projects, block designs, runs, reports."""

from __future__ import annotations

import json
import os
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from tests.vendor import LABEL
from tests.vendor.block_design import BlockDesign
from tests.vendor.catalogue import VENDOR
from tests.vendor.design_commands import DesignCommands
from tests.vendor.kernels import package_xo
from tests.vendor.objects import Obj, chosen
from tests.vendor.packager import Packager
from tests.vendor.project import SAMPLES, Project
from tests.vendor.tcl import Command, Interpreter, ScriptError, elements, options

VERSION = "2022.2"


class Vivado:
    """The state of one run of the tool: open project, current design, handles."""

    def __init__(self) -> None:
        self._project: Project | None = None
        self._objects: dict[str, Obj] = {}
        self._parameters = {"board.repoPaths": ""}
        self._opened = ""  # the run that is open
        self._designs = DesignCommands(self)
        self._packager = Packager(self)

    @property
    def project(self) -> Project:
        """The open project."""
        if self._project is None:
            raise ScriptError("no project is open")
        return self._project

    @property
    def design(self) -> BlockDesign:
        """The current block design: the last that was made."""
        if not self.project.designs:
            raise ScriptError("no block design is open")
        return list(self.project.designs.values())[-1]

    def handle(self, obj: Obj, name: str | None = None) -> str:
        """Register an object and give its handle."""
        self._objects[name or obj.name] = obj
        return name or obj.name

    def object(self, handle: str) -> Obj:
        """The object of a handle."""
        if handle not in self._objects:
            raise ScriptError(f"no object {handle!r}")
        return self._objects[handle]

    def commands(self) -> dict[str, Command]:
        """Tcl name -> function, of every command that the stand-in knows."""
        own = {n.removeprefix("tcl_"): getattr(self, n) for n in dir(self) if n.startswith("tcl_")}
        return {
            **own,
            "package_xo": package_xo,
            **self._designs.commands(),
            **self._packager.commands(),
        }

    # properties

    def tcl_set_property(self, *words: str) -> str:
        found, rest = options(words, ("quiet",), ("name", "value", "objects", "dict"))
        if "dict" in found:
            flat = elements(found["dict"])
            pairs = list(zip(flat[::2], flat[1::2], strict=True))
            targets = rest
        elif "name" in found:
            pairs, targets = [(found["name"], found["value"])], [found["objects"]]
        else:
            pairs, targets = [(rest[0], rest[1])], rest[2:]
        handles = [h for target in targets for h in elements(target)]
        if not handles:
            raise ScriptError(f"set_property {pairs}: no object given")
        for handle in handles:
            for name, value in pairs:
                self.object(handle).set(name, value)
        return ""

    def tcl_get_property(self, *words: str) -> str:
        found, (name, handle) = options(words, ("quiet",), ())
        if "quiet" in found:
            return self.object(handle).properties.get(name.upper(), "")
        return self.object(handle).get(name)

    def tcl_set_param(self, name: str, value: str) -> str:
        self._parameters[name] = value
        return ""

    def tcl_get_param(self, name: str) -> str:
        return self._parameters[name]

    def tcl_set_msg_config(self, *words: str) -> str:
        options(words, ("suppress",), ("id",))
        return ""

    def tcl_version(self, *words: str) -> str:
        options(words, ("short",), ())
        return VERSION

    # project and files

    def tcl_create_project(self, *words: str) -> str:
        found, rest = options(words, ("force",), ("part",))
        folder = Path(rest[1] if len(rest) > 1 else ".").resolve()
        if (folder / f"{rest[0]}.xpr").exists() and "force" not in found:
            raise ScriptError(f"project {folder / rest[0]} exists; use -force")
        folder.mkdir(parents=True, exist_ok=True)
        self._project = Project(rest[0], folder, found["part"])
        self.project.properties.changed = self._project_changed
        (folder / f"{rest[0]}.xpr").write_text(json.dumps({"note": LABEL, "part": found["part"]}))
        return rest[0]

    def _project_changed(self, name: str, value: str) -> None:
        if name.lower() == "board_part":
            self.project.set_board(value)

    def tcl_open_project(self, path: str) -> str:
        if not Path(path).is_file():
            raise ScriptError(f"project {path} does not exist")
        part = json.loads(Path(path).read_text())["part"]
        self._project = Project(Path(path).stem, Path(path).parent, part)
        return Path(path).stem

    def tcl_close_project(self) -> str:
        self._project = None
        return ""

    def tcl_current_project(self) -> str:
        return self.handle(self.project.properties)

    def tcl_current_fileset(self) -> str:
        return self.tcl_get_filesets("sources_1")

    def tcl_get_filesets(self, name: str) -> str:
        def changed(key: str, value: str) -> None:
            if key.lower() == "top" and name == "sources_1":
                self.project.top = value

        return self.handle(Obj("fileset", name, changed=changed))

    def tcl_add_files(self, *words: str) -> str:
        _, rest = options(words, ("norecurse",), ())
        for path in rest:
            self.project.add_file(path)
        return ""

    def tcl_get_files(self, *words: str) -> list[str]:
        found, patterns = options(words, ("quiet",), ("filter",))
        files = list(self.project.files.values())
        if patterns:
            files = [f for f in files if any(f.name == p or Path(f.name).name == p for p in patterns)]
            if not files:
                raise ScriptError(f"get_files: the project has no {' '.join(patterns)}")
        if "filter" in found:
            files = chosen(files, found["filter"])
        return [self.handle(file) for file in files]

    def tcl_update_compile_order(self, *words: str) -> str:
        options(words, (), ("fileset",))
        return ""

    def tcl_update_ip_catalog(self, *words: str) -> str:
        options(words, ("rebuild", "scan_changes"), ())
        self.project.scan(elements(self.project.properties.get("IP_REPO_PATHS")))
        return ""

    def tcl_get_ipdefs(self, *words: str) -> list[str]:
        found, patterns = options(words, ("all",), ("filter",))
        defs = [
            Obj("ipdef", vlnv, {"VLNV": vlnv, "NAME": vlnv.split(":")[2], "DESIGN_TOOL_CONTEXTS": "IPI"})
            for vlnv in (*VENDOR, *self.project.catalogue)
        ]
        if patterns:
            defs = [d for d in defs if any(fnmatchcase(d.name, p) for p in patterns)]
        if "filter" in found:
            defs = chosen(defs, found["filter"])
        if not defs:
            raise ScriptError(f"get_ipdefs {' '.join(words)}: nothing found")
        return [self.handle(d) for d in defs]

    # runs and reports

    def tcl_get_runs(self, name: str) -> str:
        return self.handle(Obj("run", name, {"PROGRESS": "0%", "NEEDS_REFRESH": "0"}))

    def tcl_reset_run(self, name: str) -> str:
        return name

    def tcl_launch_runs(self, *words: str) -> str:
        found, (run,) = options(words, (), ("jobs", "to_step"))
        if int(found["jobs"]) < 1:
            raise ScriptError(f"launch_runs -jobs {found['jobs']}")
        if run == "impl_1":
            self.project.check_complete()
            self.project.implement()
        return ""

    def tcl_wait_on_run(self, name: str) -> str:
        return name

    def tcl_open_run(self, *words: str) -> str:
        _, (self._opened,) = options(words, (), ("name",))
        return ""

    def _needs_run(self) -> None:
        if not self._opened:
            raise ScriptError("no run is open")

    def tcl_get_ports(self, name: str) -> str:
        self._needs_run()
        return name

    def tcl_create_clock(self, *words: str) -> str:
        found, _ = options(words, (), ("period", "name"))
        if float(found["period"]) <= 0:
            raise ScriptError(f"create_clock -period {found['period']}")
        return ""

    def tcl_opt_design(self) -> str:
        self._needs_run()
        return ""

    tcl_place_design = tcl_route_design = tcl_opt_design

    def tcl_report_utilization(self, *words: str) -> str:
        found, _ = options(words, ("hierarchical",), ("hierarchical_depth", "file", "format"))
        self._needs_run()
        sample = "utilization.xml" if found.get("format") == "xml" else "utilization.rpt"
        shutil.copyfile(SAMPLES / sample, found["file"])
        return ""

    def tcl_report_timing_summary(self, *words: str) -> str:
        return self._report(words, "timing_summary.rpt")

    def tcl_report_power(self, *words: str) -> str:
        return self._report(words, "power.rpt")

    def _report(self, words: tuple[str, ...], sample: str) -> str:
        found, _ = options(words, (), ("file",))
        self._needs_run()
        shutil.copyfile(SAMPLES / sample, found["file"])
        return ""

    def tcl_write_verilog(self, *words: str) -> str:
        found, (path,) = options(words, ("force",), ("mode",))
        self._needs_run()
        if found.get("mode") != "synth_stub":
            raise ScriptError(f"write_verilog {words}: only stubs are known")
        Path(path).write_text(f"// {LABEL}\n")
        return path

    def tcl_write_checkpoint(self, *words: str) -> str:
        _, (path,) = options(words, ("force",), ())
        self._needs_run()
        Path(path).write_text(f"{LABEL}\n")
        return path

    def tcl_write_xdc(self, path: str) -> str:
        self._needs_run()
        Path(path).write_text(f"# {LABEL}\n")
        return path


def main(arguments: list[str]) -> int:
    """``vivado -mode batch -source FILE``; returns the exit status."""
    found, rest = options(tuple(arguments), (), ("mode", "source"))
    if found.get("mode") != "batch" or rest:
        print(f"only -mode batch -source FILE is known, got {arguments}", file=sys.stderr)
        return 2
    journal = Path(os.environ["STANDIN_JOURNALS"]) / f"vivado_{os.getpid()}.jsonl"
    try:
        return Interpreter(Vivado().commands(), journal).run(Path(found["source"]).resolve())
    except ScriptError as error:
        print(f"{LABEL}\n{error}", file=sys.stderr)
        journal.with_suffix(".error").write_text(str(error))
        Path("vivado.log").write_text(f"# {LABEL}\nERROR: [Stand-in 1-1] {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
