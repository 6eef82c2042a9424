# SPDX-License-Identifier: BSD-3-Clause
"""Small networks, and the integer oracle behind the byte interface of a device."""

from __future__ import annotations

import numpy as np

from finn_flirnn.driver import AcceleratorMetadata, Stream
from finn_flirnn.driver.metadata import SCHEMA
from finn_flirnn.numerics import (
    Activation,
    Codes,
    DenseLayer,
    Format,
    GruFormats,
    GruLayer,
    Reset,
    Seq2SeqNetwork,
    activation_table,
)


def small_network(
    steps: int, hidden: int = 4, inputs: int = 1, outputs: int = 3, bits: int = 8
) -> Seq2SeqNetwork:
    """A network with random weights, always the same."""
    rng = np.random.default_rng(7)
    signed = Format(bits, bits - 1, narrow=True)
    gate, preactivation = Format(bits, bits - 1, signed=False), Format(bits, bits - 4)
    tables = {
        "gate_table": activation_table(Activation.SIGMOID, preactivation, gate),
        "candidate_table": activation_table(Activation.TANH, preactivation, signed),
    }

    def draw(*shape: int) -> Codes:
        return rng.integers(signed.min_code, signed.max_code + 1, shape)

    def gru(features: int) -> GruLayer:
        formats = GruFormats(
            weight_hh=signed,
            state=signed,
            gate=gate,
            candidate=signed,
            preactivation=preactivation,
            input=Format(bits, bits, signed=False) if features else None,
            weight_ih=signed if features else None,
        )
        return GruLayer(
            formats=formats,
            reset=Reset.AFTER,
            weight_ih=draw(3 * hidden, features) if features else None,
            weight_hh=draw(3 * hidden, hidden),
            bias_ih=draw(3 * hidden),
            bias_hh=draw(3 * hidden),
            sequence=not features,
            initial_state=not features,
            **tables,
        )

    head = DenseLayer(signed, signed, Format(bits, bits - 2), draw(outputs, hidden), draw(outputs))
    return Seq2SeqNetwork(steps, gru(inputs), gru(0), head)


def metadata_of(network: Seq2SeqNetwork, lanes: int, **changes: object) -> AcceleratorMetadata:
    """Metadata of a build of a network, with streams of one code a transfer."""
    values = {
        "schema": SCHEMA,
        "name": "test",
        "project_version": "0",
        "build_id": "0123456789abcdef",
        "model_sha256": "00",
        "board": "ZCU104",
        "clock_mhz": 200.0,
        "pixels_per_s": 1000.0,
        "steps": network.steps,
        "lanes": lanes,
        "inputs": network.inputs,
        "outputs": network.head.outputs,
        "output_names": ("full", "short", "long")[: network.head.outputs],
        "input_stream": Stream(1, network.input_format),
        "output_stream": Stream(1, network.output_format),
        "gate_step_ns": 0.09,
        "dark_gates": 4,
        "conditions": {},
        "bitfile": None,
        "files": {},
    }
    return AcceleratorMetadata(**{**values, **changes})


class OracleEngine:
    """What the hardware computes; remembers the sizes of its transfers."""

    def __init__(
        self, network: Seq2SeqNetwork, metadata: AcceleratorMetadata, build_id: str | None = None
    ) -> None:
        self.build_id = build_id
        self.groups: list[int] = []
        self._network, self._meta = network, metadata

    def transfer(self, data: bytes, output_bytes: int) -> bytes:
        meta = self._meta
        groups = len(data) // meta.group_input_bytes
        self.groups.append(groups)
        codes = meta.input_stream.unpack(data).reshape(groups, meta.steps, meta.lanes, meta.inputs)
        pixels = codes.swapaxes(1, 2).reshape(-1, meta.steps, meta.inputs)
        result = self._network.run(pixels).reshape(groups, meta.lanes, *meta.answer_shape)
        return meta.output_stream.pack(result.swapaxes(1, 2))
