# SPDX-License-Identifier: Apache-2.0
"""Public weights in messages: refused, warned of, or silently carried, by their size and by the engine."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.protocols.config.load import ConfigError, load_experiment
from tailweave.protocols.config.starts import BasePath
from tailweave.protocols.encoders import SealedEncoder
from tailweave.simulation import public_weights
from tailweave.simulation.prepare import prepare
from tailweave.simulation.public_weights import LARGEST, check_carried

LARGE = np.broadcast_to(np.float32(0.0), (LARGEST // 8, 2))
"""A whole limit of bytes, and none in memory."""


@pytest.fixture
def prepared(tiny):
    return prepare(load_experiment(tiny(seeds=1)))


def test_at_the_limit_all_is_well_and_one_number_more_is_refused(prepared):
    kit = replace(prepared.kits[0], base={"weights": LARGE})
    for elsewhere in (True, False):
        assert check_carried(prepared.experiment, kit, elsewhere=elsewhere) == []
    more = replace(kit, base=kit.base | {"bias": np.zeros(1, np.float32)})
    remedy = r"`tailweave base CONFIG --out FILE`, .* base in its node.yaml, .*start: \{path: FILE\}"
    with pytest.raises(
        ConfigError, match=f"a base generator of 64 MiB would go .* at most 64 MiB .*{remedy}"
    ):
        check_carried(prepared.experiment, more, elsewhere=True)
    (said,) = check_carried(prepared.experiment, more, elsewhere=False)
    assert said.startswith("a base generator of 64 MiB goes to every silo with every question")


def test_an_array_that_no_message_takes_is_refused_on_one_machine_too(prepared):
    kit = replace(prepared.kits[0], base={"weights": np.broadcast_to(np.float32(0.0), (5 * LARGEST // 4,))})
    with pytest.raises(ConfigError, match="has an array of 320 MiB, a message takes at most 256 MiB: fit it"):
        check_carried(prepared.experiment, kit, elsewhere=False)


def test_a_base_that_each_node_has_is_not_counted(prepared):
    generator = prepared.experiment.generator.model_copy(update={"start": BasePath(path="base.npz")})
    experiment = prepared.experiment.model_copy(update={"generator": generator})
    kit = replace(prepared.kits[0], base={"weights": np.broadcast_to(0.0, (2 * LARGEST,))})
    assert check_carried(experiment, kit, elsewhere=True) == []


@pytest.mark.parametrize("place", ["features", "evaluation"])
def test_an_encoder_that_travels_counts_by_itself(prepared, place):
    parts = SealedEncoder({"language-model": np.broadcast_to(0.0, (LARGEST // 8 + 1,))})
    features = replace(prepared.kits[0].features, encoder=parts)
    kit = replace(prepared.kits[0], **{place: features})
    key = {"evaluation": "evaluation.features"}.get(place, place)
    with pytest.raises(ConfigError, match=rf"an encoder \({key}\) of 64 MiB .*set {key}.model to a folder"):
        check_carried(prepared.experiment, kit, elsewhere=True)


def test_it_is_refused_before_a_run_folder_is_made(tiny, monkeypatch):
    monkeypatch.setattr(public_weights, "LARGEST", 100)
    with pytest.raises(ConfigError, match="a base generator of 0 MiB would go to every silo"):
        prepare(load_experiment(tiny(seeds=1)), silos_elsewhere=True)
    assert "a base generator of 0 MiB goes to every silo" in "".join(
        prepare(load_experiment(tiny(seeds=1))).warnings
    )
