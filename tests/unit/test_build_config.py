# SPDX-License-Identifier: BSD-3-Clause
"""A configuration is refused as a whole, with every problem, or taken as it stands."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from finn_flirnn.build.boards import BOARDS, board
from finn_flirnn.build.config import CONFIG_FOLDER, Flow, config_names, find_config, load_config
from finn_flirnn.build.model_sizes import ModelSizes
from finn_flirnn.common.errors import ConfigError, UsageError

GOOD: dict[str, Any] = {
    "name": "small",
    "board": "ZCU104",
    "clock_mhz": 250,
    "model": {"checkpoint": "some_model"},
    "lanes": 4,
    "folding": {
        "encoder": {"pe": 8, "simd": 4, "input_simd": 1},
        "decoder": {"pe": 8, "simd": 8},
        "head": {"pe": 3, "simd": 2},
    },
}


def sizes(model: str) -> ModelSizes:
    return ModelSizes(hidden=32, inputs=1, outputs=3, steps=135)


def load(tmp_path: Path, tree: Any, **more: Any) -> Any:
    path = tmp_path / "config.json"
    path.write_text(tree if isinstance(tree, str) else json.dumps(tree))
    return load_config(path, sizes, **more)


def changed(path: str, value: Any) -> dict[str, Any]:
    tree = copy.deepcopy(GOOD)
    *parents, key = path.split(".")
    place = tree
    for parent in parents:
        place = place.setdefault(parent, {})
    place[key] = value
    return tree


def test_a_good_configuration_gives_values_and_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD)
    assert config.gru_folding("encoder").simd == 4
    assert config.gru_folding("decoder").lanes == 4
    assert config.head_folding.pe == 3
    assert config.flow is Flow.AUTO
    assert config.verification.software_sequences == 100_000
    assert config.family == "xcup"
    assert config.clock_ns == 4.0


def test_copies_multiply_the_group_and_both_need_the_order_of_groups(tmp_path: Path) -> None:
    tree = {**GOOD, "copies": 2, "unroll": {"decoder": 5}}
    config = load(tmp_path, tree)
    assert (config.lanes, config.group_pixels, config.unroll.decoder, config.unroll.encoder) == (4, 8, 5, 1)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, {**tree, "order": "pixels"})
    assert [problem.path for problem in refused.value.problems] == ["copies", "unroll"]


@pytest.mark.parametrize(
    ("path", "value", "accepted"),
    [
        ("name", "", "letters"),
        ("name", "../up", "letters"),
        ("name", 3, "letters"),
        ("board", "ZCU999", "KV260"),
        ("board", None, "ZCU104"),
        ("clock_mhz", 0, "1 to 1000"),
        ("clock_mhz", -250, "1 to 1000"),
        ("clock_mhz", "250", "1 to 1000"),
        ("clock_mhz", True, "1 to 1000"),
        ("flow", "quartus", "auto | open | vivado"),
        ("lanes", 0, "from 1"),
        ("lanes", 2.5, "whole number"),
        ("lanes", True, "whole number"),
        ("lanes", [4], "whole number"),
        ("model", "some_model", "checkpoint"),
        ("model.checkpoint", "", "checkpoint"),
        ("folding", 8, "encoder, decoder, head"),
        ("folding.encoder", [], "pe, simd, input_simd"),
        ("folding.encoder.pe", 7, "[1, 2, 4, 8, 16, 32]"),
        ("folding.encoder.pe", 0, "from 1"),
        ("folding.encoder.simd", 64, "[1, 2, 4, 8, 16, 32]"),
        ("folding.encoder.input_simd", 2, "[1]"),
        ("folding.decoder.pe", 5, "[1, 2, 4, 8, 16, 32]"),
        ("folding.decoder.input_simd", 1, "pe, simd"),
        ("folding.head.pe", 2, "[1, 3]"),
        ("folding.head.simd", "2", "whole number"),
        ("verification.rtl_pixels", 0, "from 1"),
        ("verification.seed", -1, "from 0"),
        ("verification.pixels", 10, "rtl_pixels"),
        ("accuracy.preset", "paper136", "paper135"),
        ("accuracy.preset", "tcspc256", "paper135"),
        ("accuracy.pixels", 1e5, "whole number"),
        ("synthesis.family", "xc9", "xcup"),
        ("clok_mhz", 250, "clock_mhz"),
        ("unroll.encoder", 2, "[1, 3, 5, 9, 15, 27, 45, 135]"),
        ("unroll.head", 3, "encoder, decoder"),
        ("copies", 0, "from 1"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path_and_what_is_accepted(
    tmp_path: Path, path: str, value: Any, accepted: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, changed(path, value))
    assert [problem.path for problem in refused.value.problems] == [path]
    assert accepted in refused.value.problems[0].accepted


@pytest.mark.parametrize("key", ["name", "board", "clock_mhz", "lanes", "folding", "model"])
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    tree = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, tree)
    assert [(p.path, p.found) for p in refused.value.problems] == [(key, "missing")]


def test_a_frame_has_lanes_of_its_own(tmp_path: Path) -> None:
    config = load(tmp_path, GOOD | {"order": "gates", "lanes": {"encoder": 4096, "decoder": 4}})
    encoder, decoder = config.gru_folding("encoder"), config.gru_folding("decoder")
    assert (encoder.lanes, encoder.park, decoder.lanes, decoder.park) == (4096, True, 4, False)
    assert config.simulated_lanes == 64
    assert config.stream_order().output_lanes == 4
    whole = load(tmp_path, GOOD)
    assert (whole.order, whole.simulated_lanes, whole.gru_folding("encoder").park) == ("groups", 4, False)


@pytest.mark.parametrize(
    ("values", "path", "words"),
    [
        ({"lanes": {"encoder": 35, "decoder": 4}, "order": "gates"}, "lanes.decoder", "1, 5, 7, 35"),
        ({"lanes": {"encoder": 8, "decoder": 4}}, "lanes.decoder", "gates"),
        ({"lanes": {"encoder": 8}, "order": "gates"}, "lanes.decoder", "missing"),
        ({"lanes": {"encoder": 8, "decoder": 0}, "order": "gates"}, "lanes.decoder", "from 1"),
        ({"decoder_lanes": 4}, "decoder_lanes", "unknown key"),
        ({"order": "columns"}, "order", "pixels | groups | gates"),
    ],
)
def test_lanes_and_order_that_do_not_fit_are_named(
    tmp_path: Path, values: dict[str, Any], path: str, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, GOOD | values)
    (problem,) = refused.value.problems
    assert problem.path == path
    assert words in str(refused.value)


def test_boards_without_ultraram_keep_states_in_block_ram(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD | {"board": "Ultra96-V2"}).gru_folding("encoder").ram_style == "block"
    assert load(tmp_path, GOOD).gru_folding("encoder").ram_style == "auto"


def test_all_problems_are_told_together(tmp_path: Path) -> None:
    tree = changed("folding.encoder.pe", 7) | {"clock_mhz": 0, "board": "none", "lane": 4}
    del tree["lanes"]
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, tree)
    found = {problem.path for problem in refused.value.problems}
    assert found == {"folding.encoder.pe", "clock_mhz", "board", "lane", "lanes"}
    assert "did you mean lanes?" in str(refused.value)
    assert "5 problems" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"lanes": 4, "lanes": 8}', "lanes: given more than once"),
        ('{"model": {"checkpoint": "a", "checkpoint": "b"}}', "model.checkpoint: given more than once"),
        ('{"clock_mhz": NaN}', "NaN is no JSON number"),
        ('{"lanes": 4,}', "line 1"),
        ("[1, 2]", "one JSON object"),
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
    ],
    ids=["duplicate", "nested duplicate", "nan", "trailing comma", "list", "empty", "deep"],
)
def test_json_that_is_not_strict_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe\x00{")
    with pytest.raises(ConfigError, match="not valid JSON"):
        load_config(path)


def test_a_model_on_the_command_line_replaces_the_models_key(tmp_path: Path) -> None:
    tree = {name: value for name, value in GOOD.items() if name != "model"}
    assert load(tmp_path, tree, model="net.onnx").model.checkpoint == ""


def test_an_unknown_checkpoint_is_one_problem_among_the_others(tmp_path: Path) -> None:
    def nothing(model: str) -> ModelSizes:
        raise ValueError(f"{model} is not known")

    path = tmp_path / "config.json"
    path.write_text(json.dumps(GOOD | {"lanes": 0}))
    with pytest.raises(ConfigError) as refused:
        load_config(path, nothing)
    assert {problem.path for problem in refused.value.problems} == {"lanes", "model.checkpoint"}


def test_the_hash_depends_on_values_and_not_on_spelling(tmp_path: Path) -> None:
    plain = load(tmp_path, GOOD)
    spelt_out = load(tmp_path, dict(reversed(GOOD.items())) | {"flow": "auto", "clock_mhz": 250.0})
    other = load(tmp_path, GOOD | {"lanes": 5})
    assert plain.sha256 == spelt_out.sha256 != other.sha256


@pytest.mark.parametrize("name", config_names())
def test_every_shipped_configuration_loads_under_its_own_name(name: str) -> None:
    config = load_config(find_config(name))
    assert config.name == name
    assert find_config(f"{name}.json") == find_config(name) == CONFIG_FOLDER / f"{name}.json"


def test_a_configuration_that_is_not_there_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(UsageError, match="zcu104_8bit"):
        find_config("zcu104_9bit")


def lifetime_sizes(model: str) -> ModelSizes:
    return ModelSizes(hidden=32, inputs=1, outputs=2, steps=135, decoder=False)


def test_a_model_without_decoder_has_no_folding_of_one(tmp_path: Path) -> None:
    tree = changed("folding.head", {"pe": 2, "simd": 2})
    path = tmp_path / "config.json"
    for broken, problem in (
        (tree, "folding.decoder"),
        ({**tree, "order": "pixels"}, "order"),
    ):
        path.write_text(json.dumps(broken))
        with pytest.raises(ConfigError) as refused:
            load_config(path, lifetime_sizes)
        assert problem in {p.path for p in refused.value.problems}
    del tree["folding"]["decoder"]
    path.write_text(json.dumps(tree))
    assert load_config(path, lifetime_sizes).folding.decoder is None
    with pytest.raises(ConfigError, match="folding.decoder: missing"):
        load_config(path, sizes)


def test_boards_carry_finns_part_numbers() -> None:
    from finn.util.basic import alveo_part_map, pynq_part_map

    parts = {**pynq_part_map, **alveo_part_map}
    amd = [b for b in BOARDS.values() if not b.is_open]
    assert {b.name: b.part for b in amd} == {b.name: parts[b.finn_name] for b in amd}


def test_a_share_of_a_resource_the_board_lacks_is_none() -> None:
    used = dict.fromkeys(("lut", "ff", "dsp", "bram36", "uram"), 22)
    assert board("Pynq-Z2").share(used)["dsp"] == 0.1
    assert board("Pynq-Z2").share(used)["uram"] is None
