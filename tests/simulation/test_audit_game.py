# SPDX-License-Identifier: Apache-2.0
"""Membership at epsilon 1 and 4 on 200 rows of digits stays under its ceiling; without noise it does not."""

from functools import cache

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.streams import stream
from tailweave.simulation.audit.attacks.base import attacks_on
from tailweave.simulation.audit.attacks.sliced import SketchAttacks
from tailweave.simulation.audit.ceilings import auc_ceiling
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.findings import ERRORS
from tailweave.simulation.audit.game import Game
from tailweave.simulation.audit.game import play as play_attacks

D = 20
SPACE = PublicSpace(np.zeros(D), 1.0, 3)
SPECS = {
    "cosine": SlicedReference(kind="sliced", directions=256, coefficients=8),
    "histogram": SlicedReference(kind="sliced", basis="histogram", directions=64, bins=16),
    "lloyd": QuantizedReference(kind="quantized", clusters=25),
}
# measured on digits at n = 200, no noise; less .05 for other draws, .07 for half the directions
UNNOISED = {"cosine": 0.889 - 0.07, "histogram": 0.821 - 0.05, "lloyd": 0.754 - 0.05}


@cache
def game(silos=10):
    x = PCA(D, random_state=0).fit_transform(load_digits().data)
    x = stream(0, "digits").permutation(x / np.sqrt((x**2).sum(axis=1).mean() / D))
    return Game(pool=x[898:], auxiliary=x[:898], rows=200, silos=silos)


@cache
def play(name, epsilon):
    chosen, rng = game(), stream(0, "game", name)
    channel = Channel.of(SPECS[name], SPACE, PrivacySpec(epsilon=epsilon), silos=1)
    return play_attacks(chosen, attacks_on(channel), rng=rng)


@pytest.mark.parametrize("name", UNNOISED)
def test_without_noise_members_are_told_apart(name):
    assert play(name, None).auc > UNNOISED[name]


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
@pytest.mark.parametrize("name", UNNOISED)
def test_with_noise_no_mechanism_exceeds_its_ceiling(name, epsilon):
    found = play(name, epsilon)
    ceiling = auc_ceiling(noise_multiplier(epsilon, 1e-6))
    assert found.auc + ERRORS * found.auc_se < ceiling
    assert found.auc < play(name, None).auc


def test_a_game_needs_as_many_rows_outside_as_inside():
    with pytest.raises(ValueError, match="between 2 and half of 899, got 450"):
        Game(game().pool, game().auxiliary, 450)
    inside, outside = next(game().cuts(rng=stream(0, "cut")))
    assert (len(inside), len(outside), len(set(inside) & set(outside))) == (200, 200, 0)


def test_the_attacker_sums_what_the_channel_sums():
    rows = game().pool[:50]
    for spec in (SPECS["cosine"], SPECS["histogram"]):
        channel = Channel.of(spec, SPACE, PrivacySpec(), silos=1)
        attacks = attacks_on(channel)
        sent = attacks.total(channel.send(rows, stream(0, "x")))
        np.testing.assert_allclose(attacks.features(rows).sum(axis=0), sent, atol=1e-10)
    wide = SlicedReference(
        kind="sliced", basis="histogram", directions=600, bins=64
    )  # more than is looked at
    channel = Channel.of(wide, SPACE, PrivacySpec(), silos=1)
    sent = attacks_on(channel).total(channel.send(rows, stream(0, "x")))
    assert len(sent) == 32_768
    np.testing.assert_allclose(attacks_on(channel).features(rows).sum(axis=0), sent)


def test_attacks_on_sketches_know_their_kind():
    clusters = Channel.of(SPECS["lloyd"], SPACE, PrivacySpec(), silos=1)
    with pytest.raises(ValueError, match="only, got quantized"):
        SketchAttacks(clusters)
