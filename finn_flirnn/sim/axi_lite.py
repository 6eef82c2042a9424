# SPDX-License-Identifier: BSD-3-Clause
"""A processor's end of an AXI4-Lite slave in a running simulation, which checks the slave's protocol.

The slave's five channels are independent, so address, data and the readiness for answers may each be
late. Source: Arm IHI 0022E, A3.2 (handshake) and B1 (AXI4-Lite).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from finn_flirnn.sim.library import Instance, SimulationError
from finn_flirnn.sim.transfers import DeadlockError
from finn_flirnn.sim.verilator import Library

FULL_WORD = 0xF
PATIENCE = 1000
OKAY = 0


@dataclass(frozen=True)
class Write:
    """A write of 32 bits to a byte address; strobes: the bytes that count."""

    address: int
    value: int
    strobes: int = FULL_WORD


def nothing() -> None:
    """What happens in a cycle beside the bus: nothing."""


class AxiLite:
    """A master on a slave's ports ``<prefix>awaddr`` and so on, in capitals or not."""

    def __init__(
        self,
        library: Library,
        instance: Instance,
        prefix: str = "",
        *,
        clock: str = "ap_clk",
        pauses: float = 0.0,
        seed: int = 1,
        beside: Callable[[], None] = nothing,
    ) -> None:
        """pauses: probability, for each channel and cycle, that the master waits. beside: called in every
        cycle, when all ports have settled, before the rising edge; what it sets counts from then on.

        Raises KeyError for a slave that lacks a signal.
        """
        self._ports = {port.name.lower(): number for number, port in enumerate(library.ports)}
        self._instance = instance
        self._prefix, self._clock = prefix, clock
        self._pauses, self._beside = pauses, beside
        self._random = np.random.default_rng(seed)
        self.cycles = 0
        for signal in ("awready", "wready", "bvalid", "bresp", "arready", "rvalid", "rdata", "rresp"):
            self._get(signal)

    def read(self, address: int) -> int:
        """A register's value. Raises as ``exchange``."""
        return self.exchange((), (address,))[0]

    def write(self, address: int, value: int, strobes: int = FULL_WORD) -> None:
        """Set a register. Raises as ``exchange``."""
        self.exchange((Write(address, value, strobes),), ())

    def exchange(
        self, writes: Sequence[Write], reads: Sequence[int], patience: int = PATIENCE
    ) -> tuple[int, ...]:
        """Do writes and reads side by side, each kind in its order; returns the values read.

        Raises SimulationError if the slave breaks the protocol or answers with an error, DeadlockError
        after ``patience`` cycles without a handshake.
        """
        channels = {
            "aw": [{"addr": write.address} for write in writes],
            "w": [{"data": write.value, "strb": write.strobes} for write in writes],
            "ar": [{"addr": address} for address in reads],
        }
        sent = dict.fromkeys(channels, 0)
        offered = dict.fromkeys(channels, False)
        answered, quiet = 0, 0
        values: list[int] = []
        waiting: dict[str, tuple[int, ...]] = {}
        while answered < len(writes) or len(values) < len(reads):
            for name, items in channels.items():
                offered[name] |= sent[name] < len(items) and not self._pause()
                self._set(f"{name}valid", offered[name])
                shown = items[sent[name]] if offered[name] else {}
                for signal, value in shown.items():
                    self._set(f"{name}{signal}", value)
            ready = {name: not self._pause() for name in ("b", "r")}
            for name, value in ready.items():
                self._set(f"{name}ready", value)
            self._instance.evaluate()
            accepted = [name for name in channels if offered[name] and self._get(f"{name}ready")]
            answers = {"b": self._answer("b"), "r": self._answer("r", "data")}
            self._check(waiting, answers)
            if answers["b"] and answered == min(sent["aw"], sent["w"]):
                raise SimulationError("a write was answered before its address and its data were there")
            if answers["r"] and len(values) == sent["ar"]:
                raise SimulationError("a read was answered before its address was there")
            taken = {name: answer for name, answer in answers.items() if answer and ready[name]}
            waiting = {name: answer for name, answer in answers.items() if answer and not ready[name]}
            answered += "b" in taken
            values += [taken["r"][1]] if "r" in taken else []
            self._edge()
            for name in accepted:
                sent[name] += 1
                offered[name] = False
            quiet = 0 if accepted or taken else quiet + 1
            if quiet > patience:
                raise DeadlockError(f"the AXI-Lite slave does nothing for {patience} cycles; sent {sent}")
        for name in (*channels, "b", "r"):
            self._set(f"{name}{'valid' if name in channels else 'ready'}", 0)
        return tuple(values)

    def reset(self, port: str, cycles: int) -> None:
        """Hold an active-low reset for so many cycles; what the slave shows until then means nothing."""
        self._instance.write(self._ports[port], 0)
        for _ in range(cycles):
            self._edge()
        self._instance.write(self._ports[port], 1)

    def idle(self, cycles: int) -> None:
        """Let cycles pass. Raises SimulationError if the slave answers what nobody asked."""
        for _ in range(cycles):
            self._instance.evaluate()
            if self._get("bvalid") or self._get("rvalid"):
                raise SimulationError("the AXI-Lite slave answers what nobody asked")
            self._edge()

    def _answer(self, channel: str, *more: str) -> tuple[int, ...]:
        """What a channel offers, its answer code first; empty without VALID."""
        if not self._get(f"{channel}valid"):
            return ()
        return tuple(self._get(f"{channel}{signal}") for signal in ("resp", *more))

    @staticmethod
    def _check(waiting: dict[str, tuple[int, ...]], answers: dict[str, tuple[int, ...]]) -> None:
        for name, answer in waiting.items():
            if answers[name] != answer:
                raise SimulationError(f"channel {name} must hold its answer, {answer} became {answers[name]}")
        for name, answer in answers.items():
            if answer and answer[0] != OKAY:
                raise SimulationError(f"channel {name} answers with error {answer[0]}")

    def _edge(self) -> None:
        self._beside()
        self._instance.evaluate()
        clock = self._ports[self._clock]
        self._instance.write(clock, 1)
        self._instance.evaluate()
        self._instance.write(clock, 0)
        self.cycles += 1

    def _pause(self) -> bool:
        return self._pauses > 0 and self._random.random() < self._pauses

    def _set(self, signal: str, value: int) -> None:
        self._instance.write(self._ports[self._prefix + signal], int(value))

    def _get(self, signal: str) -> int:
        return self._instance.read(self._ports[self._prefix + signal])
