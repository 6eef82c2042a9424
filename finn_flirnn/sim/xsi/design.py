# SPDX-License-Identifier: BSD-3-Clause
"""The classes of FINN's module ``xsi`` (Kernel, Design, Port) on a Verilated library.

``finn_xsi.sim_engine`` drives a design through them: it sets ports, lets time pass, reads ports. Names
and meanings are those of ``finn_xsi/xsi.pyi``; a Verilated model knows no unknown values.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from finn_flirnn.sim.library import Instance
from finn_flirnn.sim.verilator import Library

# as xsi.h numbers them
INPUT, OUTPUT = 1, 2


class Kernel:
    """Stands for Vivado's simulator kernel, of which a Verilated library has no need."""

    def __init__(self, name: str) -> None:
        self.name = name


class Port:
    """A top-level port and a buffered value of it; ``read`` and ``write_back`` move it."""

    def __init__(self, design: Design, number: int) -> None:
        self._design = design
        self._number = number
        self._port = design.library.ports[number]
        self._value = 0

    def name(self) -> str:
        """Name in the Verilog source."""
        return self._port.name

    def dir(self) -> int:
        """Direction as xsi.h numbers it."""
        return INPUT if self._port.input else OUTPUT

    def width(self) -> int:
        """Number of bits."""
        return self._port.bits

    def isInput(self) -> bool:
        """True for an input."""
        return self._port.input

    def isOutput(self) -> bool:
        """True for an output."""
        return not self._port.input

    def isInout(self) -> bool:
        """Always false: a Verilated top has none that FINN would use."""
        return False

    def read(self) -> Port:
        """Fetch the design's value."""
        self._value = self._design.instance.read(self._number)
        return self

    def write_back(self) -> None:
        """Hand the buffered value to the design."""
        self._design.instance.write(self._number, self._value)
        self._design.changed = True

    def hasUnknown(self) -> bool:
        """Always false: two-state simulation."""
        return False

    def isZero(self) -> bool:
        """True if every bit is 0."""
        return self._value == 0

    def as_bool(self) -> bool:
        """Bit 0."""
        return bool(self._value & 1)

    def as_unsigned(self) -> int:
        """The least significant 32 bits."""
        return self._value & 0xFFFFFFFF

    def as_binstr(self) -> str:
        """All bits, most significant first."""
        return f"{self._value:0{self._port.bits}b}"

    def as_hexstr(self) -> str:
        """All bits in hexadecimal, most significant digit first."""
        return f"{self._value:0{-(-self._port.bits // 4)}X}"

    def as_hexstr_2state(self) -> str:
        """The same as ``as_hexstr``."""
        return self.as_hexstr()

    def clear(self) -> Port:
        """Set every bit to 0."""
        return self._set(0)

    def set(self, value: int) -> Port:
        """Set from a number."""
        return self._set(value)

    def set_binstr(self, value: str) -> Port:
        """Set from binary digits."""
        return self._set(int(value, 2))

    def set_hexstr(self, value: str) -> Port:
        """Set from hexadecimal digits."""
        return self._set(int(value, 16))

    def _set(self, value: int) -> Port:
        self._value = value & ((1 << self._port.bits) - 1)
        return self


class Design:
    """A running design.

    design_lib: the library that ``compile_sim_obj`` made. Memory files with relative names are looked
    up in the current directory of this moment, to which FINN's adapter changes for it.
    """

    def __init__(self, kernel: Kernel, design_lib: str, log_file: str | None, wdb_file: str | None) -> None:
        path = Path(design_lib)
        self.library = Library.load(path.parent, path.name)
        self._directory = Path.cwd()
        self.instance = self._start()
        self.changed = True
        self._ports = {port.name: Port(self, i) for i, port in enumerate(self.library.ports)}

    def _start(self) -> Instance:
        return Instance(self.library, self._directory, seed=None)

    def close(self) -> None:
        """Free the design."""
        self.instance.close()

    def is_open(self) -> bool:
        """False once closed."""
        return self.instance.is_open

    def trace_all(self) -> None:
        """Refused: there is no waveform."""
        raise RuntimeError("Verilator's simulation records no waveform; leave rtlsim_trace empty")

    def run(self, cycles: int) -> None:
        """Let time pass: the design settles. It has no delays, so how much time makes no difference."""
        if self.changed:
            self.instance.evaluate()
            self.changed = False

    def restart(self) -> None:
        """Start anew, every port at 0."""
        self.instance.close()
        self.instance = self._start()
        self.changed = True

    def get_status(self) -> int:
        """Always 0: errors are raised."""
        return 0

    def get_error_info(self) -> str:
        """Always empty: errors are raised."""
        return ""

    def num_ports(self) -> int:
        """Number of top-level ports."""
        return len(self._ports)

    def getPort(self, name: str) -> Port:
        """The port of this name. Raises RuntimeError if there is none, as FINN expects."""
        if name not in self._ports:
            raise RuntimeError(f"the design has no port {name}; it has {', '.join(self._ports)}")
        return self._ports[name]

    def ports(self) -> Iterator[Port]:
        """All ports."""
        return iter(self._ports.values())
