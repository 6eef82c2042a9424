# SPDX-License-Identifier: BSD-3-Clause
"""The fused training kernel: a whole GRU layer, forward and backward, in one call.

It computes what ``QuantGRU`` computes in training mode, with the same quantisers, several times faster
than a loop over steps in torch. The C++ source beside this module is compiled once, at first use, by
the C++ compiler that the simulation needs too.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import platformdirs
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from finn_flirnn.models.quant_gru import QuantGRU
from finn_flirnn.models.seq2seq_lite import Seq2SeqLite
from finn_flirnn.numerics import Activation, Format, Reset

SOURCE = Path(__file__).with_name("fused_gru.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC")


class _Quantiser(ctypes.Structure):
    _fields_ = [
        ("enabled", ctypes.c_int32),
        ("scale", ctypes.c_float),
        ("step", ctypes.c_float),
        ("least", ctypes.c_float),
        ("greatest", ctypes.c_float),
    ]


class _Spec(ctypes.Structure):
    _fields_ = [
        ("hidden", ctypes.c_int32),
        ("inputs", ctypes.c_int32),
        ("steps", ctypes.c_int32),
        ("blocks", ctypes.c_int32),
        ("reset_before", ctypes.c_int32),
        ("hard_gate", ctypes.c_int32),
        ("hard_candidate", ctypes.c_int32),
        ("preactivation", _Quantiser),
        ("gate", _Quantiser),
        ("candidate", _Quantiser),
        ("state", _Quantiser),
    ]


class KernelUnavailable(RuntimeError):
    """The fused kernel cannot be compiled or loaded here."""


def library_path(cache: Path | None = None) -> Path:
    """Compile the kernel if it is not yet in the cache (default: the user's); its path.

    Raises KernelUnavailable without a compiler, or with the compiler's message.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise KernelUnavailable("the fused kernel needs a C++ compiler; install g++, or train without it")
    # the machine's name is part of the key, since -march=native code runs on this processor only
    key = hashlib.sha256(SOURCE.read_bytes() + repr((FLAGS, compiler, platform.node())).encode()).hexdigest()
    folder = cache or platformdirs.user_cache_path("finn_flirnn")
    target = folder / f"fused_gru-{key[:16]}.so"
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        built = Path(scratch) / target.name
        command = [compiler, *FLAGS, "-o", str(built), str(SOURCE)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise KernelUnavailable(f"{' '.join(command)} failed:\n{result.stderr}")
        os.replace(built, target)
    return target


@functools.cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    if library.fused_gru_spec_bytes() != ctypes.sizeof(_Spec):
        raise KernelUnavailable("the kernel's Spec and _Spec differ in size; they must have the same fields")
    library.fused_gru_forward.restype = None
    library.fused_gru_backward.restype = None
    return library


def lanes() -> int:
    """Sequences in a block."""
    return int(_library().fused_gru_lanes())


def to_blocks(x: Tensor) -> Tensor:
    """(batch, T, F) -> (blocks, T, F, lanes), padded with zero sequences."""
    width = lanes()
    blocks = -(-x.shape[0] // width)
    padded = x.new_zeros((blocks * width, *x.shape[1:]))
    padded[: x.shape[0]] = x
    return padded.view(blocks, width, *x.shape[1:]).movedim(1, -1).contiguous()


def from_blocks(x: Tensor, batch: int) -> Tensor:
    """The inverse of ``to_blocks``: the first ``batch`` sequences."""
    return x.movedim(-1, 1).flatten(0, 1)[:batch]


def _quantiser(fmt: Format, enabled: bool) -> _Quantiser:
    return _Quantiser(enabled, 2.0**fmt.frac, fmt.scale, fmt.min_code, fmt.max_code)


def _spec(layer: QuantGRU, steps: int, blocks: int) -> _Spec:
    q = layer.quantisation
    return _Spec(
        layer.hidden_size,
        layer.input_size,
        steps,
        blocks,
        layer.reset is Reset.BEFORE,
        layer.gate is Activation.HARD_SIGMOID,
        layer.candidate is Activation.HARD_TANH,
        *(_quantiser(f, layer.quantised) for f in (q.preactivation, q.gate, q.candidate, q.state)),
    )


def _address(tensor: Tensor | None) -> ctypes.c_void_p:
    if tensor is None:
        return ctypes.c_void_p(None)
    assert tensor.is_contiguous() and tensor.dtype == torch.float32
    return ctypes.c_void_p(tensor.data_ptr())


class _FusedGru(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        spec: _Spec,
        sequence: bool,
        w_ih: Tensor | None,
        w_hh: Tensor,
        b_ih: Tensor,
        b_hh: Tensor | None,
        x: Tensor | None,
        h0: Tensor | None,
    ) -> Tensor:
        states = torch.empty(spec.blocks, spec.steps, spec.hidden, lanes())
        arrays = [None if a is None else a.contiguous() for a in (w_ih, w_hh, b_ih, b_hh, x, h0)]
        _library().fused_gru_forward(ctypes.byref(spec), *map(_address, arrays), _address(states))
        ctx.spec, ctx.sequence = spec, sequence  # type: ignore[attr-defined]
        ctx.save_for_backward(*arrays, states)
        return states if sequence else states[:, -1].clone()

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        w_ih, w_hh, b_ih, b_hh, x, h0, states = ctx.saved_tensors  # type: ignore[attr-defined]
        spec, sequence = ctx.spec, ctx.sequence  # type: ignore[attr-defined]
        gradient = gradient.contiguous()
        d_w_ih = None if w_ih is None else torch.zeros_like(w_ih)
        d_w_hh, d_b_ih, d_b_hh = torch.zeros_like(w_hh), torch.zeros_like(b_ih), torch.zeros_like(b_ih)
        d_h0 = torch.empty(spec.blocks, spec.hidden, lanes())
        d_x = torch.empty_like(x) if ctx.needs_input_grad[6] else None  # type: ignore[attr-defined]
        w_ih_t = None if w_ih is None else w_ih.T.contiguous()
        w_hh_t = w_hh.T.contiguous()
        d_states, d_last = (gradient, None) if sequence else (None, gradient)
        inputs = (w_ih, w_ih_t, w_hh, w_hh_t, b_ih, b_hh, x, h0, states, d_states, d_last)
        outputs = (d_w_ih, d_w_hh, d_b_ih, d_b_hh, d_h0, d_x)
        _library().fused_gru_backward(ctypes.byref(spec), *map(_address, (*inputs, *outputs)))
        return (
            None,
            None,
            d_w_ih,
            d_w_hh,
            d_b_ih,
            None if b_hh is None else d_b_hh,
            d_x,
            None if h0 is None else d_h0,
        )


def fused_gru(layer: QuantGRU, x: Tensor | None, h0: Tensor | None, steps: int, blocks: int) -> Tensor:
    """``layer`` in training mode on blocks of sequences, float32 on the CPU.

    x: (blocks, steps, I, lanes) real inputs or None; h0: (blocks, H, lanes) or None.
    Returns (blocks, steps, H, lanes), or (blocks, H, lanes) if the layer gives its last state only.
    Gradients flow to the weights, h0 and x.
    """
    w_ih, w_hh, b_ih, b_hh = (None if p is None else p.float() for p in layer.quantised_parameters())
    if x is not None:
        x = layer.quantise_input(x)
    if h0 is not None and layer.quantised:
        h0 = layer.state_quant(h0)
    result: Tensor = _FusedGru.apply(
        _spec(layer, steps, blocks), layer.sequence, w_ih, w_hh, b_ih, b_hh, x, h0
    )
    return result


def fused_forward(model: Seq2SeqLite, x: Tensor) -> Tensor:
    """``model.train()(x)`` on blocks: (blocks, T, I, lanes) -> (blocks, T, O, lanes).

    Without decoder (blocks, O, lanes).
    """
    blocks = x.shape[0]

    def run(layer: QuantGRU, value: Tensor | None, first: Tensor | None) -> Tensor:
        return fused_gru(layer, value, first, model.steps, blocks)

    states = model.head_states(x, run)
    weight, bias = model.head.quantised_parameters()
    matrices = states.reshape(-1, *states.shape[-2:])  # one bmm: broadcasting @ would transpose all states
    y = torch.bmm(weight.expand(len(matrices), -1, -1), matrices) + bias.to(states.dtype)[:, None]
    y = y.view(*states.shape[:-2], *y.shape[1:])
    return model.head.output_quant(y) if model.quantised else y
