# SPDX-License-Identifier: BSD-3-Clause
"""Weights change between two groups while pixels flow; what is wrong leaves the old set in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from finn_flirnn.codegen import LOAD_STREAM
from finn_flirnn.codegen.weight_image import HEADER_WORDS, image_identifier
from finn_flirnn.hwops.design import writable_layers
from finn_flirnn.hwops.weights import built_in_image, weight_image
from finn_flirnn.models.checkpoints import load_checkpoint
from finn_flirnn.numerics import Codes, GruLayer, Reset, Seq2SeqNetwork
from finn_flirnn.sim import build_model, simulate
from finn_flirnn.transforms.replicate_pipeline import ReplicatePipeline
from finn_flirnn.transforms.unroll_recurrence import UnrollRecurrence
from tests.fakes.finn_graphs import random_codes, random_network
from tests.rtl.harness import STALLS
from tests.rtl.layers import interleave
from tests.rtl.loading import HIDDEN, LANES, STEPS, Pins, emit_loadable_design, loadable_graph, with_right_crc

BUILT_IN, LOADING, LOADED, BAD_CRC, BAD_SHAPE, BAD_HEADER = 0, 1, 2, 0x81, 0x82, 0x83


def _networks(hidden: int = HIDDEN, reset: Reset = Reset.AFTER) -> tuple[Seq2SeqNetwork, Seq2SeqNetwork]:
    """Two networks of one shape; the second one's tables are other ones too."""
    old, new = (random_network(seed, STEPS, hidden, 3, reset) for seed in (1, 71))
    layers = [
        replace(layer, gate_table=layer.gate_table[::-1].copy()) for layer in (new.encoder, new.decoder)
    ]
    return old, Seq2SeqNetwork(STEPS, *layers, new.head)


def _pixels(network: Seq2SeqNetwork, groups: int, lanes: int = LANES) -> Codes:
    return random_codes(np.random.default_rng(5), network.input_format, groups * lanes, STEPS, 1)


def _groups(codes: Codes, groups: int, lanes: int = LANES) -> Codes:
    return interleave(codes, lanes).reshape(groups, -1)


def _changeover(given: Codes, *expected: Codes) -> list[int]:
    """How many groups in a row are those of the first set, then of the second, and so on."""
    counts, start = [], 0
    for number, codes in enumerate(expected):
        equal = (given[start:] == codes[start:]).all(axis=1)
        count = len(equal) if equal.all() else int(np.argmin(equal))
        last = number == len(expected) - 1
        assert not last or equal.all(), f"group {start + count} belongs to no set, or to the wrong one"
        counts.append(count)
        start += count
    return counts


@pytest.mark.parametrize("reset", list(Reset))
def test_groups_before_a_load_use_the_old_set_and_groups_after_it_the_new(
    tmp_path: Path, reset: Reset
) -> None:
    old, new = _networks(reset=reset)
    design = emit_loadable_design(loadable_graph(old, PE=2, SIMD=2), tmp_path)
    top = replace(design.top, inputs=(*design.top.inputs, LOAD_STREAM))
    model = build_model(top)
    groups = 220
    x = _pixels(old, groups)
    # the second image overwrites the built-in set
    images = weight_image(new, design) + weight_image(old, design)
    words = np.frombuffer(images, "<u4").astype(np.int64).reshape(-1, 1)
    old_codes, new_codes = _groups(old.run(x), groups), _groups(new.run(x), groups)
    for seed, stalls in enumerate(STALLS[1:]):
        given = {"in0_V": interleave(x, LANES).reshape(-1, 1), "load_V": words}
        result = simulate(model, given, {"out0_V": old_codes.size}, stalls=stalls, seed=seed, pause=4)
        codes = result.outputs["out0_V"].reshape(groups, -1)
        counts = _changeover(codes, old_codes, new_codes, old_codes)
        assert min(counts) > 0, counts


def test_memories_in_block_ram_change_as_those_in_luts_do(tmp_path: Path) -> None:
    old, new = _networks(hidden=12)
    design = emit_loadable_design(loadable_graph(old), tmp_path)
    assert 'ram_style = "block"' in (tmp_path / "encoder_wh.sv").read_text()
    pins = Pins(build_model(design.top))
    x = _pixels(old, 2)
    pins.load(weight_image(new, design))
    pins.settle()
    pins.offer(interleave(x, LANES).reshape(-1, 1))
    pins.settle()
    assert (pins.results().reshape(2, -1) == _groups(new.run(x), 2)).all()


def test_engines_of_one_module_take_one_image_together(tmp_path: Path) -> None:
    old, new = _networks()
    graph = loadable_graph(old).transform(UnrollRecurrence({"encoder": STEPS}))
    design = emit_loadable_design(graph, tmp_path)
    assert len(design.layers) > len(writable_layers(design)) + 2
    pins = Pins(build_model(design.top))
    x = _pixels(old, 2)
    pins.load(weight_image(new, design))
    pins.settle()
    pins.offer(interleave(x, LANES).reshape(-1, 1))
    pins.settle()
    assert pins.state == LOADED
    assert (pins.results().reshape(2, -1) == _groups(new.run(x), 2)).all()


def test_copies_of_the_pipeline_need_no_longer_image(tmp_path: Path) -> None:
    old, new = _networks()
    graph = loadable_graph(old, lanes=2 * LANES).transform(ReplicatePipeline(2))
    copied = emit_loadable_design(graph, tmp_path / "copied")
    single = emit_loadable_design(loadable_graph(old), tmp_path / "single")
    images = [weight_image(new, design) for design in (copied, single)]
    assert images[0][4 * HEADER_WORDS : -4] == images[1][4 * HEADER_WORDS : -4]


def test_wrong_images_leave_the_old_set_in_use(tmp_path: Path) -> None:
    old, new = _networks()
    design = emit_loadable_design(loadable_graph(old, PE=2, SIMD=2), tmp_path)
    image = weight_image(new, design)
    wrong = {
        "CRC": (image[:-1] + bytes([image[-1] ^ 1]), BAD_CRC),
        "a bit of a word": (_flipped(image, 4 * HEADER_WORDS + 1), BAD_CRC),
        "magic": (with_right_crc(_flipped(image, 0)), BAD_HEADER),
        "version": (with_right_crc(_flipped(image, 4)), BAD_HEADER),
        "shape": (with_right_crc(_flipped(image, 11)), BAD_SHAPE),
        "length": (with_right_crc(_flipped(image, 16)), BAD_HEADER),
        "the end is missing": (image[: len(image) // 8 * 4], LOADING),
    }
    pins = Pins(build_model(design.top))
    x = _pixels(old, 2 * len(wrong) + 2)
    groups = interleave(x, LANES).reshape(2 * len(wrong) + 2, -1, 1)
    own = image_identifier(built_in_image(design))
    for number, (what, (bad, state)) in enumerate(wrong.items()):
        pins.restart()
        pins.load(bad)
        pins.offer(groups[2 * number])
        pins.settle()
        assert (what, pins.state, pins.sets_taken) == (what, state, 0)
        assert pins.read("weights_id") == own
        pins.offer(groups[2 * number + 1])
        pins.settle()
    wrong_groups = 2 * len(wrong)
    # without restart the rest of the truncated image is taken from the next one: its CRC is wrong
    pins.load(image)
    pins.settle()
    assert pins.state in (BAD_CRC, BAD_HEADER)
    pins.restart()
    assert pins.state == BUILT_IN
    pins.load(image)
    pins.settle()
    assert (pins.state, pins.sets_taken, pins.read("weights_id")) == (LOADED, 1, image_identifier(image))
    pins.offer(groups[-2:].reshape(-1, 1))
    pins.settle()
    given = pins.results().reshape(len(groups), -1)
    assert (given[:wrong_groups] == _groups(old.run(x), len(groups))[:wrong_groups]).all()
    assert (given[wrong_groups:] == _groups(new.run(x), len(groups))[wrong_groups:]).all()


def test_a_reset_keeps_the_loaded_set_in_use(tmp_path: Path) -> None:
    old, new = _networks()
    design = emit_loadable_design(loadable_graph(old, PE=2, SIMD=2), tmp_path)
    pins = Pins(build_model(design.top))
    assert (pins.state, pins.read("weights_id")) == (BUILT_IN, image_identifier(built_in_image(design)))
    pins.load(weight_image(new, design))
    pins.settle()
    pins.reset()
    x = _pixels(old, 1)
    pins.offer(interleave(x, LANES).reshape(-1, 1))
    pins.settle()
    assert (pins.state, pins.sets_taken) == (LOADED, 0)
    assert (pins.results().reshape(1, -1) == _groups(new.run(x), 1)).all()


def test_networks_of_another_shape_have_no_image(tmp_path: Path) -> None:
    old, new = _networks()
    design = emit_loadable_design(loadable_graph(old), tmp_path)
    formats = replace(new.head, output_format=replace(new.head.output_format, frac=5))
    with pytest.raises(ValueError, match="head: the network's formats"):
        weight_image(replace(new, head=formats), design)
    with pytest.raises(ValueError, match="encoder: the network's units is 8, the hardware's 4"):
        weight_image(random_network(1, STEPS, 8, 3), design)
    with pytest.raises(ValueError, match="encoder: the network's reset is before"):
        weight_image(random_network(1, STEPS, HIDDEN, 3, Reset.BEFORE), design)
    with pytest.raises(ValueError, match="steps"):
        weight_image(random_network(1, STEPS + 1, HIDDEN, 3), design)
    greatest = replace(new.encoder, bias_ih=np.full_like(new.encoder.bias_ih, 1 << 30))
    with pytest.raises(ValueError, match="a bias needs 32 bits"):
        weight_image(replace(new, encoders=greatest), design)


def test_without_the_option_nothing_of_it_is_emitted(tmp_path: Path) -> None:
    old, _ = _networks()
    graph = loadable_graph(old)
    for node in graph.graph.node:
        for attribute in node.attribute:
            if attribute.name == "runtime_writeable_weights":
                attribute.i = 0
    design = emit_loadable_design(graph, tmp_path)
    assert design.top.idle == ()
    assert not [path.name for path in design.top.sources if path.name.startswith(("weight_", "crc32"))]
    assert not [path.name for path in tmp_path.iterdir() if "load_" in path.read_text()]
    with pytest.raises(ValueError, match="has no run-time weights"):
        weight_image(old, design)


def _flipped(image: bytes, position: int) -> bytes:
    """One bit changed."""
    return image[:position] + bytes([image[position] ^ 0x10]) + image[position + 1 :]


@pytest.mark.campaign
def test_the_shipped_design_changes_its_weights_while_pixels_flow(tmp_path: Path) -> None:
    """The shape of zcu104_8bit_runtime; the trained network gives way to a random one, and comes back."""
    lanes, groups = 4, 24
    old = load_checkpoint("seq2seqlite32_8bit").to_network()
    new = _other_weights(old)
    graph = loadable_graph(old, lanes, PE=8, SIMD=8)
    head = getCustomOp(graph.get_nodes_by_op_type("DenseHead")[0])
    head.set_nodeattr("PE", 3)
    head.set_nodeattr("SIMD", 2)
    design = emit_loadable_design(graph, tmp_path)
    top = replace(design.top, inputs=(*design.top.inputs, LOAD_STREAM))
    model = build_model(top)
    x = random_codes(np.random.default_rng(8), old.input_format, groups * lanes, old.steps, 1)
    images = weight_image(new, design) + weight_image(old, design)
    words = np.frombuffer(images, "<u4").astype(np.int64).reshape(-1, 1)
    old_codes, new_codes = _groups(old.run(x), groups, lanes), _groups(new.run(x), groups, lanes)
    for seed, stalls in enumerate((0.0, 0.3)):
        given = {"in0_V": interleave(x, lanes).reshape(-1, 1), "load_V": words}
        count = old_codes.size // 3
        result = simulate(model, given, {"out0_V": count}, stalls=stalls, seed=seed)
        codes = result.outputs["out0_V"].reshape(groups, -1)
        counts = _changeover(codes, old_codes, new_codes, old_codes)
        assert min(counts) > 0, counts


def _other_weights(network: Seq2SeqNetwork) -> Seq2SeqNetwork:
    """Random codes in the formats of a network."""
    rng = np.random.default_rng(9)

    def gru(layer: GruLayer) -> GruLayer:
        f = layer.formats
        return replace(
            layer,
            weight_hh=random_codes(rng, f.weight_hh, *layer.weight_hh.shape),
            weight_ih=None if f.weight_ih is None else random_codes(rng, f.weight_ih, *layer.weight_ih.shape),
            bias_ih=rng.permutation(layer.bias_ih),
            bias_hh=rng.permutation(layer.bias_hh),
            gate_table=layer.gate_table[::-1].copy(),
            candidate_table=layer.candidate_table[::-1].copy(),
        )

    weight = random_codes(rng, network.head.weight_format, *network.head.weight.shape)
    head = replace(network.head, weight=weight, bias=rng.permutation(network.head.bias))
    return Seq2SeqNetwork(network.steps, gru(network.encoder), gru(network.decoder), head)
