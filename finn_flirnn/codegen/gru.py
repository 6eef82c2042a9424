# SPDX-License-Identifier: BSD-3-Clause
"""A GRU layer becomes hardware: parameters of the engine, memories, wrapper."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.codegen.rom import BankedRom, Rom, pack_bits, rounding_half, signed_bits
from finn_flirnn.codegen.state_memory import StateMemory, state_memory
from finn_flirnn.codegen.systolic import MacArray, mac_array
from finn_flirnn.codegen.types import GruFolding, RtlModule, StreamPort
from finn_flirnn.codegen.weight_image import WeightSet, check_bias_bits, weight_set
from finn_flirnn.codegen.wrapper import MemoryPort, write_module
from finn_flirnn.numerics import Codes, Format, GruLayer, Reset

ABSENT = Format(2, 0)
"""Input and input weights of a layer without input, whose engine has the ports nevertheless."""


def gru_arrays(layer: GruLayer, folding: GruFolding, multiplier: Multiplier) -> dict[str, MacArray]:
    """The engine's multipliers by weight memory: "wh" recurrent, "wx" input, and "wn" the candidate's
    recurrent ones if the reset gate acts before their product."""
    f, size, cell = layer.formats, layer.hidden, folding.cell_pe(layer.hidden)
    gates = {"wh": 3} if layer.reset is Reset.AFTER else {"wh": 2, "wn": 1}
    arrays = {
        name: mac_array(
            multiplier, f.weight_hh, f.state, (folding.pe, count, cell, folding.simd),
            size // folding.pe, size // folding.simd,
        )
        for name, count in gates.items()
    }  # fmt: skip
    arrays["wx"] = mac_array(
        multiplier, f.weight_ih or ABSENT, f.input or ABSENT, (cell, 3, cell, folding.input_simd),
        size // cell, max(1, layer.inputs // folding.input_simd),
    )  # fmt: skip
    return arrays


def gru_weights(
    layer: GruLayer, folding: GruFolding, name: str, multiplier: Multiplier
) -> dict[str, BankedRom]:
    """The weight memories of ``gru_arrays``."""
    size = layer.hidden
    columns = {"wh": layer.weight_hh, "wn": layer.weight_hh, "wx": layer.weight_ih}
    gates = {"wh": (0, 1, 2) if layer.reset is Reset.AFTER else (0, 1), "wn": (2,), "wx": (0, 1, 2)}
    weights = {}
    for port, array in gru_arrays(layer, folding, multiplier).items():
        matrix = columns[port]
        if matrix is None:
            matrix = np.zeros((3 * size, 1), dtype=np.int64)
        rows = [gate * size + unit for unit in range(size) for gate in gates[port]]
        weights[port] = array.weights(f"{name}_{port}", matrix[rows])
    return weights


def gru_state_memory(layer: GruLayer, folding: GruFolding, multiplier: Multiplier) -> StateMemory:
    """Where the states of all lanes lie; of the devices, those with a DSP48E2 have UltraRAM."""
    vector = layer.hidden // folding.simd
    width, has_ultra = folding.simd * layer.formats.state.bits, multiplier is Multiplier.DSP48E2
    return state_memory(width, folding.lanes * vector, vector, folding.ram_style, has_ultra)


def gru_parameters(
    layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier
) -> dict[str, int]:
    """Parameters of rtl/gru_after.sv or rtl/gru_before.sv: sizes, widths, shifts."""
    f, frac = layer.formats, layer.formats.product_frac
    inputs = layer.inputs
    hacc = f.weight_hh.bits + f.state.bits + (layer.hidden - 1).bit_length()
    xacc, xbits, wxbits, xalign, xsigned = 2, 1, 2, 0, 0
    if f.input is not None and f.weight_ih is not None:
        operand_bits = f.input.bits + int(not f.input.signed)
        xacc = f.weight_ih.bits + operand_bits + (inputs - 1).bit_length()
        xbits, wxbits = f.input.bits, f.weight_ih.bits
        xalign = frac - f.weight_ih.frac - f.input.frac
        xsigned = int(f.input.signed)
    halign = frac - f.weight_hh.frac - f.state.frac
    products = max(hacc + halign, xacc + xalign)
    # loaded biases may be as great as the sums that they are added to
    bias = products if folding.runtime_weights else _bias_bits(layer)
    rv_frac = f.gate.frac + f.preactivation.frac
    wide = max(frac, rv_frac) if layer.reset is Reset.AFTER else frac
    common = max(f.state.frac, f.candidate.frac)
    memory = gru_state_memory(layer, folding, multiplier)
    arrays = gru_arrays(layer, folding, multiplier)
    parameters = {
        "HIDDEN": layer.hidden,
        "INPUTS": inputs,
        "STEPS": steps,
        "LANES": folding.lanes,
        "HAS_INITIAL": int(layer.initial_state),
        "SEQUENCE": int(layer.sequence),
        "STATE_MEMORY": memory.memory,
        "STATE_ROW": memory.row,
        "PARK": int(folding.park),
        "PE": folding.pe,
        "SIMD": folding.simd,
        "CELL": folding.cell_pe(layer.hidden),
        "XSIMD": folding.input_simd,
        "XBITS": xbits,
        "XSIGNED": xsigned,
        "HBITS": f.state.bits,
        "WHBITS": f.weight_hh.bits,
        "WXBITS": wxbits,
        "GBITS": f.gate.bits,
        "GFRAC": f.gate.frac,
        "CBITS": f.candidate.bits,
        "PBITS": f.preactivation.bits,
        "HACC": hacc,
        "XACC": xacc,
        "BIAS": bias,
        "SUM": max(products, bias) + 2,
        "HALIGN": halign,
        "XALIGN": xalign,
        "P_SHIFT": frac - f.preactivation.frac,
        "HSHIFT": common - f.state.frac,
        "NSHIFT": common - f.candidate.frac,
        "STATE_SHIFT": common + f.gate.frac - f.state.frac,
        "STATE_NARROW": int(f.state.narrow),
        "CELL_DSP": int(folding.cell_dsp),
        **arrays["wh"].parameters("_H"),
        **arrays["wx"].parameters("_X"),
    }
    for port, rom in gru_weights(layer, folding, "", multiplier).items():
        parameters |= {f"{port.upper()}ADDRS": rom.address_width, f"{port.upper()}WIDTH": rom.width}
    if layer.reset is Reset.AFTER:
        parameters |= {
            "U_ALIGN": wide - frac,
            "RV_ALIGN": wide - rv_frac,
            "A_SHIFT": wide - f.preactivation.frac,
        }
    return parameters


def emit_gru(
    layer: GruLayer,
    steps: int,
    folding: GruFolding,
    directory: Path,
    name: str,
    multiplier: Multiplier = Multiplier.DSP48E2,
) -> RtlModule:
    """Write the hardware of a GRU layer into ``directory`` as module ``name``.

    Raises ValueError if the folding does not fit or a format is not supported.
    """
    folding.check(layer.hidden, layer.inputs)
    if layer.formats.preactivation.narrow:
        raise ValueError(f"preactivation={layer.formats.preactivation} must not be narrow; set narrow=False")
    if folding.park and layer.sequence:
        raise ValueError("park=True is for a layer that gives its last state; this one gives its sequence")
    if steps < 1:
        raise ValueError(f"steps={steps} must be at least 1")
    if folding.runtime_weights and not (layer.inputs or layer.initial_state):
        raise ValueError("run-time weights need a layer with an input or an initial state; give it one")
    f = layer.formats
    cell = folding.cell_pe(layer.hidden)
    state = StreamPort("", cell, f.state)
    inputs: list[tuple[StreamPort, str]] = []
    unused: list[tuple[str, int]] = []
    if f.input is not None:
        inputs.append((StreamPort("in0_V", folding.input_simd, f.input), "x"))
    else:
        unused.append(("x", 1))
    if layer.initial_state:
        inputs.append((StreamPort(f"in{len(inputs)}_V", cell, f.state), "init"))
    else:
        unused.append(("init", state.bits))
    parameters = gru_parameters(layer, steps, folding, multiplier)
    return write_module(
        directory,
        name,
        f"GRU, hidden {layer.hidden}, inputs {layer.inputs}, {steps} steps, reset {layer.reset} the product",
        f"gru_{layer.reset}",
        parameters,
        inputs,
        [(StreamPort("out0_V", cell, f.state), "")],
        unused,
        gru_memories(layer, folding, name, multiplier),
        multiplier,
    )


def gru_weight_set(layer: GruLayer, steps: int, folding: GruFolding, multiplier: Multiplier) -> WeightSet:
    """What a weight image holds for a GRU engine. Raises ValueError if a bias does not fit."""
    parameters = gru_parameters(layer, steps, folding, multiplier)
    memories = gru_memories(layer, folding, "", multiplier)
    return weight_set(f"GRU {layer.reset} {layer.formats}", parameters, memories)


def _biases(layer: GruLayer) -> list[Codes]:
    """Bias columns as the cell takes them: after: r, z, input n, recurrent n; before: r, z, n.

    Those of sums that become a pre-activation code hold what its rounding wants.
    """
    size = layer.hidden
    half = rounding_half(layer.formats.product_frac - layer.formats.preactivation.frac)
    r, z, n = (layer.bias_ih[i * size : (i + 1) * size] for i in range(3))
    if layer.bias_hh is None:
        return [r + half, z + half, n + half]
    r_h, z_h, n_h = (layer.bias_hh[i * size : (i + 1) * size] for i in range(3))
    return [r + r_h + half, z + z_h + half, n, n_h + half]


def _bias_bits(layer: GruLayer) -> int:
    return signed_bits(*(int(code) for column in _biases(layer) for code in (column.min(), column.max())))


def gru_memories(layer: GruLayer, folding: GruFolding, name: str, multiplier: Multiplier) -> list[MemoryPort]:
    """Weights, biases and tables of a GRU engine, as its memory ports take them."""
    bias_bits = gru_parameters(layer, 1, folding, multiplier)["BIAS"]
    if folding.runtime_weights:
        check_bias_bits(_bias_bits(layer), bias_bits)
    size, f, writable = layer.hidden, layer.formats, folding.runtime_weights
    cell = folding.cell_pe(size)
    columns = _biases(layer)
    bias_words = tuple(
        pack_bits((int(c[u]), bias_bits) for u in range(start, start + cell) for c in columns)
        for start in range(0, size, cell)
    )
    weights = gru_weights(layer, folding, name, multiplier)
    gate = table_rom(f"{name}_gate", layer.gate_table, f.gate.bits)
    candidate = table_rom(f"{name}_cand", layer.candidate_table, f.candidate.bits)
    return [
        *(
            MemoryPort(port, rom, writable=writable and (port != "wx" or layer.inputs > 0))
            for port, rom in weights.items()
        ),
        MemoryPort("bias", Rom(f"{name}_bias", bias_bits * len(columns) * cell, bias_words), 1, writable),
        MemoryPort("gate", gate, 2 * cell, writable),
        MemoryPort("cand", candidate, cell, writable),
    ]


def table_rom(name: str, table: Codes, bits: int) -> Rom:
    """An activation table as a memory."""
    return Rom(name, bits, tuple(int(code) & ((1 << bits) - 1) for code in np.asarray(table)))
