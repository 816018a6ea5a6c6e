# SPDX-License-Identifier: Apache-2.0
"""Which experiments may sum under masks, and one clear sentence for each that may not."""

import pytest
from pydantic import ValidationError

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.privacy import PrivacySpec

MASKS = {"epsilon": 2.0, "secure-aggregation": True, "honest-silos": 3}
SLICED = {"name": "woven", "rule": "herding", "reference": "sliced"}
QUIET = [
    {"name": "none", "rule": "random"},
    {"name": "own", "rule": "herding", "reference": "local"},
    {"name": "anchored", "rule": "herding", "reference": "public"},
    {"name": "truth", "rule": "herding", "reference": "oracle"},
]


def experiment(*arms, count=5, **privacy):
    raw = {
        "name": "masks",
        "data": {"source": "wine"},
        "silos": {"count": count, "partition": {"kind": "iid"}},
        "generator": {"kind": "gaussian"},
        "recursion": {"generations": 2, "samples": 20},
        "arms": list(arms),
        "privacy": MASKS | privacy,
    }
    return Experiment.model_validate(raw)


def test_sliced_mixtures_are_summed_beside_arms_that_release_nothing():
    histogram = {"name": "bins", "rule": "herding", "reference": {"kind": "sliced", "basis": "histogram"}}
    found = experiment(*QUIET, SLICED, histogram, {**SLICED, "name": "tight", "epsilon": 1.0})
    privacy = [found.privacy_of(arm) for arm in found.arms]
    assert all(p.secure_aggregation and p.honest_silos == 3 for p in privacy)
    assert [p.epsilon for p in privacy[-3:]] == [2.0, 2.0, 1.0]
    assert Experiment.model_validate(found.model_dump(mode="json", by_alias=True)) == found


def test_epsilon_may_be_the_arms_own():
    assert experiment({**SLICED, "epsilon": 1.0}, epsilon=None).privacy.epsilon is None


BARYCENTER = {"kind": "sliced", "basis": "histogram", "aggregate": "barycenter"}
ALLOWED = "arm a: privacy.secure-aggregation: true allows arms that release nothing, and kind: sliced with "


@pytest.mark.parametrize(
    ("arm", "privacy", "said"),
    [
        ({"reference": "quantized"}, {}, ALLOWED + ".*got kind: quantized"),
        (
            {"reference": "sliced", "epsilon": None},
            {},
            ALLOWED + ".*got epsilon: null .*an experiment of its",
        ),
        ({"reference": "sliced"}, {"epsilon": None}, ALLOWED + ".*got epsilon: null"),
        ({"reference": BARYCENTER, "epsilon": None}, {}, ALLOWED + ".*got aggregate: barycenter"),
        ({"reference": BARYCENTER}, {}, "arm a: noised histograms have no quantiles, use aggregate: mixture"),
    ],
)
def test_what_cannot_be_summed_is_refused_by_arm(arm, privacy, said):
    with pytest.raises(ValidationError, match=said):
        experiment(*QUIET, {"name": "a", "rule": "herding", **arm}, **privacy)


@pytest.mark.parametrize(
    ("count", "privacy", "said"),
    [
        (2, {}, "privacy.honest-silos is 3 but there are only 2 silos"),
        (5, {"honest-silos": 6}, "privacy.honest-silos is 6 but there are only 5 silos"),
        (5, {"honest-silos": 2}, "greater than or equal to 3"),
        (5, {"honest-silos": None}, "secure-aggregation: true needs honest-silos: how many silos"),
        (5, {"secure-aggregation": False}, "honest-silos is for secure-aggregation: true only, got 3"),
    ],
)
def test_honest_silos_must_be_said_and_be_there(count, privacy, said):
    with pytest.raises(ValidationError, match=said):
        experiment(SLICED, count=count, **privacy)


def test_masks_are_off_unless_asked_for():
    assert (PrivacySpec().secure_aggregation, PrivacySpec().honest_silos) == (False, None)
