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
from finn_flirnn.codegen.multiplier import Multiplier
from finn_flirnn.common.schema import read_json

DSP48E2 = Multiplier.DSP48E2
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


def test_a_state_of_nine_bits_takes_no_more_multipliers_than_one_of_eight() -> None:
    eight, nine = (load_config(find_config(name)) for name in ("zcu104_8bit", "zcu104_8bit_state9"))
    assert (nine.folding, nine.lanes) == (eight.folding, eight.lanes)
    of_eight, of_nine = (
        estimate_gru(network_of(c.model.checkpoint).encoder, 135, c.gru_folding("encoder"), DSP48E2)
        for c in (eight, nine)
    )
    assert of_eight.dsp == of_nine.dsp and of_nine.lut < 1.2 * of_eight.lut
