# SPDX-License-Identifier: BSD-3-Clause
"""The shipped configurations against the boards that they name, by the estimates of code generation."""

from functools import reduce
from operator import add

import pytest

from finn_flirnn.build.boards import MULTIPLIERS, RESOURCES
from finn_flirnn.build.config import config_names, find_config, load_config
from finn_flirnn.build.folding_request import take_request
from finn_flirnn.build.sources import network_of
from finn_flirnn.codegen.estimate import estimate_dense, estimate_gru
from finn_flirnn.common.schema import read_json

SHELL_SHARE = 0.25
"""What is left of a board's LUTs for DMAs, interconnect and the streams between the layers."""
WITH_A_FOLDING = [n for n in config_names() if not take_request(read_json(find_config(n)))]


@pytest.mark.parametrize("name", WITH_A_FOLDING)
def test_the_layers_of_every_shipped_configuration_fit_its_board(name: str) -> None:
    config = load_config(find_config(name))
    network, multiplier = network_of(config.model.checkpoint), MULTIPLIERS[config.target.family]
    layers = [
        estimate_gru(layer, network.steps, config.gru_folding(name), multiplier)
        for name, layer in network.recurrent.items()
    ]
    used = reduce(add, layers, estimate_dense(network.head, config.head_folding, multiplier))
    share = config.target.share({key: getattr(used, key) for key in RESOURCES})
    assert all(part is None or part <= 1 for part in share.values()), share
    assert share["lut"] is not None and share["lut"] <= 1 - SHELL_SHARE


@pytest.mark.parametrize("name", ["kv260_8bit", "ultra96v2_8bit", "u250_8bit"])
def test_boards_of_one_family_share_the_folding_of_zcu104(name: str) -> None:
    config, zcu104 = load_config(find_config(name)), load_config(find_config("zcu104_8bit"))
    assert (config.folding, config.lanes, config.model) == (zcu104.folding, zcu104.lanes, zcu104.model)
