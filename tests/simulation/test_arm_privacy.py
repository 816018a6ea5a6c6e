# SPDX-License-Identifier: Apache-2.0
"""What an arm promises about privacy is read from the configuration, whatever the arm is called."""

from dataclasses import replace

import pytest

from tailweave.simulation.arm_privacy import ArmPrivacy, arm_privacy, epsilon_families

SHARED = {"epsilon": 2.0, "delta": 1e-6}


def config(*arms, privacy=SHARED):
    return {"arms": list(arms), "privacy": privacy}


@pytest.mark.parametrize(
    ("arm", "promise"),
    [
        ({"reference": None}, ArmPrivacy(False)),
        ({"reference": {"kind": "local"}}, ArmPrivacy(False)),
        ({"reference": "public"}, ArmPrivacy(False)),
        ({"reference": {"kind": "oracle"}}, ArmPrivacy(False)),
        ({"reference": {"kind": "sliced"}}, ArmPrivacy(True, 2.0, 1e-6, "cosine")),
        ({"reference": {"kind": "sliced", "basis": "histogram"}}, ArmPrivacy(True, 2.0, 1e-6, "histogram")),
        ({"reference": {"kind": "quantized"}}, ArmPrivacy(True, 2.0, 1e-6, "lloyd")),
        ({"reference": {"kind": "sliced"}, "epsilon": 0.5}, ArmPrivacy(True, 0.5, 1e-6, "cosine")),
        ({"reference": {"kind": "sliced"}, "epsilon": None}, ArmPrivacy(True, None, None, "exact")),
        ({"reference": {"kind": "barycenter"}, "epsilon": 0.5}, ArmPrivacy(True, None, None, "rows")),
        ({"reference": {"kind": "geodesic"}}, ArmPrivacy(True, None, None, "rows")),
    ],
)
def test_the_promise_of_an_arm(arm, promise):
    found = arm_privacy("a", config({"name": "a", "rule": "herding", **arm}))
    assert replace(found, words="") == promise
    assert bool(found.words) == found.releases


def test_an_unknown_arm_promises_nothing():
    assert arm_privacy("b", config({"name": "a", "reference": {"kind": "sliced"}})) == ArmPrivacy(False)


@pytest.mark.parametrize("reference", [{"kind": "gone"}, {"kind": "sliced", "bins": 1}])
def test_what_nothing_installed_reads_is_promised_nothing(reference):
    found = arm_privacy("a", config({"name": "a", "rule": "herding", "reference": reference}))
    assert (found.releases, found.epsilon, found.mechanism) == (True, None, "unknown")


def test_families_differ_in_epsilon_alone():
    def sliced(name, **more):
        return {"name": name, "rule": "herding", "reference": {"kind": "sliced"}, **more}

    arms = (
        sliced("none", epsilon=None),
        sliced("eight", epsilon=8.0),
        sliced("again", epsilon=8.0),
        sliced("shared"),
        {**sliced("other-rule", epsilon=1.0), "rule": "partial-transport"},
        {"name": "siloed", "rule": "herding", "reference": {"kind": "local"}, "epsilon": 1.0},
    )
    (family,) = epsilon_families(config(*arms))
    assert list(family.items()) == [("shared", 2.0), ("eight", 8.0), ("none", None)]
    assert epsilon_families(config(sliced("alone"))) == []
    assert epsilon_families({}) == []
