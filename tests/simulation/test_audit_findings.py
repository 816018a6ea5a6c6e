# SPDX-License-Identifier: Apache-2.0
"""The verdict follows from the figures: each kind of breach alone breaks a promise, and nothing else does."""

from dataclasses import replace

import numpy as np
import pytest

from tailweave.protocols.privacy.calibration import epsilon_of, noise_multiplier
from tailweave.simulation.audit.attacks.quantized import LAST_LOOK
from tailweave.simulation.audit.findings import Attack, AuditResult, Canary, Finding, Promise
from tailweave.simulation.audit.recovered import Recovery
from tailweave.simulation.audit.scores import Membership

NOTHING = Recovery(rows=100, exact=0, close=0, chance_exact=0.0, chance_close=0.01, nearest=1.0)
CLOSE = replace(NOTHING, close=20)
EXACT = replace(NOTHING, exact=1, close=1)
Z = noise_multiplier(2.0, 1e-6)
HELD = Finding(
    protocol="sliced",
    arms=("a",),
    role="as configured",
    epsilon=2.0,
    delta=1e-6,
    z=Z,
    attacks=(Attack("direct reading", NOTHING, one_release=True), Attack("differencing", NOTHING)),
    promises=(Promise("kept", True),),
    membership=Membership(0.6, 0.01, 0.03, 0.01, 20),  # ceiling .673
    canary=Canary(1.0 / Z, 0.026, 3000, allowed=1.0 / Z),
)
OPEN = replace(HELD, epsilon=None, z=None, canary=None)


def test_an_honest_release_holds():
    assert (HELD.verdict, HELD.breaches) == ("holds", ())
    assert OPEN.verdict == "no guarantee claimed"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"attacks": (Attack("differencing", CLOSE),)}, "differencing: 20 of 100 rows"),
        ({"attacks": (Attack("differencing", EXACT),)}, "1 of 100 rows recovered, 1 of them exactly"),
        ({"promises": (Promise("no small cluster", False),)}, "not kept: no small cluster"),
        ({"membership": Membership(0.72, 0.01, 0.2, 0.01, 20)}, "AUC 0.720 is above the ceiling 0.673"),
        ({"canary": Canary(2.0 / Z, 0.026, 3000, 1.0 / Z)}, "2 is claimed"),
        (
            {"canary": Canary(0.4, 0.026, 3000, 0.179, LAST_LOOK)},
            "mu = 0.322 or more, its noise should leave 0.179",
        ),
    ],
)
def test_each_breach_alone_breaks_a_promise(change, said):
    broken = replace(HELD, **change)
    assert broken.verdict == "broken"
    assert len(broken.breaches) == 1
    assert said in broken.breaches[0]
    assert AuditResult("x", "x", (HELD, broken), ()).broken
    assert not AuditResult("x", "x", (HELD, OPEN), ()).broken


def test_three_standard_errors_are_forgiven():
    auc = HELD.auc_ceiling
    assert replace(HELD, membership=Membership(auc + 0.029, 0.01, 0.1, 0.01, 20)).verdict == "holds"
    assert replace(HELD, membership=Membership(auc + 0.031, 0.01, 0.1, 0.01, 20)).verdict == "broken"
    assert replace(HELD, canary=Canary(1 / Z + 0.077, 0.026, 3000, 1 / Z)).verdict == "holds"
    assert replace(HELD, canary=Canary(1 / Z + 0.079, 0.026, 3000, 1 / Z)).verdict == "broken"


def test_without_epsilon_an_attack_breaks_nothing_but_a_raw_row_does():
    differenced = replace(OPEN, attacks=(Attack("differencing", EXACT),))
    assert differenced.verdict == "no guarantee claimed; attack succeeds"
    raw = replace(OPEN, attacks=(Attack("direct reading", EXACT, one_release=True),))
    assert raw.verdict == "broken"
    near = replace(OPEN, attacks=(Attack("direct reading", CLOSE, one_release=True),))
    assert near.verdict == "no guarantee claimed; attack succeeds"
    usual = replace(EXACT, chance_exact=2.0)  # rows of other silos are found as often
    assert replace(OPEN, attacks=(Attack("direct reading", usual, one_release=True),)).verdict != "broken"
    assert replace(OPEN, promises=(Promise("no small cluster", False),)).verdict == "broken"
    assert replace(raw, role="published").verdict == "not used"


def test_the_bound_on_epsilon_comes_from_the_bound_on_mu():
    assert Canary(0.5, 0.1, 3000, 1.0).mu_bound == pytest.approx(0.2)
    assert Canary(0.5, 0.1, 3000, 1.0).epsilon_bound(1e-6) == pytest.approx(epsilon_of(5.0, 1e-6), rel=1e-9)
    assert Canary(0.2, 0.1, 3000, 1.0).epsilon_bound(1e-6) == 0.0
    assert np.isclose(Canary(1 / Z, 0.0, 3000, 1 / Z).epsilon_bound(1e-6), 2.0, atol=1e-3)
