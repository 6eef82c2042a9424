# SPDX-License-Identifier: BSD-3-Clause
"""What a build writes can be read back, is equal for equal input, and is refused if it is not whole."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from finn_flirnn.build.network_file import load_network, save_network
from finn_flirnn.build.rtl_files import FILE_LIST, collect_sources, load_module
from finn_flirnn.codegen import RtlModule, StreamPort
from finn_flirnn.common.errors import BuildError
from finn_flirnn.models import Seq2SeqLite
from finn_flirnn.numerics import Format, Reset


@pytest.fixture(scope="module")
def networks() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "fakes")
        return importlib.import_module("networks")


@pytest.mark.parametrize("reset", list(Reset))
def test_a_network_read_back_computes_the_same(tmp_path: Path, networks: ModuleType, reset: Reset) -> None:
    network = networks.random_network(reset=reset)
    save_network(tmp_path / "network.npz", network, {"preset": "paper135"})
    again, info = load_network(tmp_path / "network.npz")
    x = np.random.default_rng(1).integers(0, 256, (20, network.steps, 1))
    assert np.array_equal(again.run(x), network.run(x))
    assert again.encoder.formats == network.encoder.formats
    assert info == {"preset": "paper135"}


@pytest.mark.parametrize(("hidden", "decoder"), [((4, 3, 2), True), ((4,), False)])
def test_stacks_and_networks_without_decoder_are_read_back(
    tmp_path: Path, hidden: tuple[int, ...], decoder: bool
) -> None:
    network = Seq2SeqLite(hidden, 2, steps=5, decoder=decoder).to_network()
    save_network(tmp_path / "network.npz", network)
    again, _ = load_network(tmp_path / "network.npz")
    x = np.random.default_rng(1).integers(0, 256, (20, 5, 1))
    assert list(again.recurrent) == list(network.recurrent)
    assert np.array_equal(again.run(x), network.run(x))


def test_equal_networks_give_equal_files(tmp_path: Path, networks: ModuleType) -> None:
    for name in ("a", "b"):
        save_network(tmp_path / name, networks.random_network())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", None], ids=["empty", "cut", "missing"])
def test_a_damaged_network_file_is_refused_with_its_path(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "network.npz"
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises(BuildError, match="network.npz must be the network of a build"):
        load_network(path)


def module_in(folder: Path, *names: str) -> RtlModule:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(f"// {folder.name}/{name}\n")
    port = StreamPort("in0_V", 3, Format(5, 2))
    return RtlModule("top", folder, tuple(folder / name for name in names), (), (port,), (port,))


def test_a_module_is_collected_in_order_and_read_back(tmp_path: Path) -> None:
    collected = collect_sources(module_in(tmp_path / "from", "b.sv", "a.sv"), tmp_path / "rtl")
    assert load_module(tmp_path / "rtl") == collected
    assert (tmp_path / "rtl" / FILE_LIST).read_text() == "b.sv\na.sv\n"
    assert collected.sources[0].read_text() == "// from/b.sv\n"


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    one, two = module_in(tmp_path / "one", "a.sv"), module_in(tmp_path / "two", "a.sv")
    both = RtlModule("top", one.directory, (*one.sources, *two.sources), (), (), ())
    with pytest.raises(BuildError, match=r"a\.sv occur twice"):
        collect_sources(both, tmp_path / "rtl")


def test_a_folder_without_hardware_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="build it again"):
        load_module(tmp_path)
