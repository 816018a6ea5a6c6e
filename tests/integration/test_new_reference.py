# SPDX-License-Identifier: Apache-2.0
"""A releasing reference that nothing in the product names: gate, controls, policy and audit ask its kind."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from tailweave.clients.release.policy import Policy, PolicyError, check
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.implementing import implements
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.calibration import noise_multiplier
from tailweave.protocols.privacy.mechanisms import Mechanism
from tailweave.protocols.privacy.mechanisms.grid import GRID, rounding
from tailweave.protocols.privacy.mechanisms.grid import noised as on_grid
from tailweave.protocols.privacy.noise import SeededNoise
from tailweave.protocols.references import Empirical, Summarised, proxy, weave
from tailweave.protocols.streams import stream
from tailweave.server.controls import inspect
from tailweave.simulation.audit.attacks.base import Attacks, attacks_on
from tailweave.simulation.audit.audit import _Case, examine
from tailweave.simulation.audit.channel import Channel
from tailweave.simulation.audit.scene import Scene

D = 3
SPACE = PublicSpace(np.zeros(D), 1.0, 0)
FAR = 50.0


@dataclass(frozen=True)
class Mean:
    total: Floats
    count: float

    def arrays(self):
        return {"total": self.total, "count": np.array([self.count])}


class Bare(SummarisedReference):
    """One mean a silo; nobody attacks it."""

    kind: Literal["bare"] = "bare"
    reach: float = 3.0


class Attacked(Bare):
    kind: Literal["attacked"] = "attacked"


def clipped(rows, reach):
    return rows * np.minimum(1.0, reach / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def noised(rows, spec, space, z, *, noise):
    known = np.column_stack([clipped(rows, spec.reach), np.ones(len(rows))])
    scale = z * (np.hypot(spec.reach, 1.0) + rounding(D + 1))
    sums = on_grid(np.rint(known / GRID).sum(axis=0), scale, noise)
    return Mean(sums[:-1], max(1.0, float(sums[-1])))


@implements(Bare, Attacked)
class Means(Summarised):
    summary = Mean
    mechanism = Mechanism("mean", "Gaussian noise on a mean", noised)

    def summarise(self, rows, space, smallest, rng):
        return Mean(rows.sum(axis=0), float(len(rows)))

    def read(self, arrays, dimension, exact):
        return Mean(arrays["total"], float(arrays["count"][0]))

    def weave(self, summaries, weights):
        return {"means": np.stack([summary.total / summary.count for summary in summaries])}

    def proxy(self, arrays, space):
        return Empirical.of(arrays["means"])


@implements(Attacked, part="attack")
class OnMeans(Attacks):
    def read(self, sent):
        return sent.total[None] / sent.count


def rows(seed, n=60):
    return stream(seed, "rows").standard_normal((n, D))


def released(spec, epsilon, paid):
    return gate.release(
        rows(0),
        spec,
        FeatureMap.of(SPACE),
        PrivacySpec(epsilon=epsilon, min_rows=20),
        seed=0,
        noise=SeededNoise(stream(0, "noise")),
        rng=stream(0, "rng"),
        charge=paid.append,
    )


def test_the_gate_noises_it_by_its_own_mechanism_and_pays_first():
    paid = []
    sent, exact = released(Bare(), 2.0, paid), released(Bare(), None, paid)
    z = noise_multiplier(2.0, 1e-6)
    assert [(cost.mechanism, cost.epsilon) for cost in paid] == [("mean", 2.0), ("none", None)]
    assert paid[0].rho == pytest.approx(0.5 / z**2)
    assert not np.allclose(sent.total, exact.total)
    points = proxy(weave([exact, exact], Bare()), Bare(), SPACE).points
    np.testing.assert_allclose(points, np.tile(rows(0).mean(axis=0), (2, 1)))


def test_the_server_sees_a_liar_by_the_potential_of_what_it_released():
    honest = {f"silo-{i}": Mean(rows(i).sum(axis=0), 60.0) for i in range(4)}
    seen = inspect(honest | {"liar": Mean(np.full(D, 60 * FAR), 60.0)}, Bare(), SPACE)
    assert list(seen.quarantined) == ["liar"]
    assert not inspect(honest, Bare(), SPACE).quarantined
    with pytest.raises(ValueError, match="bare needs summaries of its own kind, got others from other"):
        inspect(honest | {"other": object()}, Bare(), SPACE)


def test_an_owner_who_has_not_named_it_refuses_it():
    request = ReleaseRequest(Bare(), PrivacySpec(epsilon=1.0), FeatureMap.of(SPACE), 0)
    with pytest.raises(PolicyError, match="kind bare asked, allowed: quantized, sliced"):
        check(Policy(), request)
    with pytest.raises(ValueError, match="'slicd' is unknown; did you mean 'sliced'"):
        Policy(kinds=("slicd",))
    with pytest.raises(ValueError, match="'local' is unknown"):
        Policy(kinds=("local",))
    with pytest.raises(ValueError, match="'oracle' is unknown"):
        Policy(references=("oracle",))


@pytest.fixture(scope="module")
def scene():
    tree = {
        "name": "small",
        "data": {"source": "gaussian-modes", "rows": 300, "dimensions": D, "modes": 2, "rare-modes": 0},
        "silos": {"count": 2, "partition": {"kind": "iid"}},
        "generator": {"kind": "gaussian"},
        "recursion": {"generations": 1, "samples": 20},
        "arms": [{"name": "a", "rule": "random"}],
    }
    return Scene.of(Experiment.model_validate(tree), 0)


@pytest.mark.parametrize("epsilon", [None, 2.0])
def test_without_an_attack_it_is_not_attacked_whatever_it_promises(scene, epsilon):
    case = _Case(Bare(), PrivacySpec(epsilon=epsilon, min_rows=20), ("a",), "as configured")
    found = examine(scene, case, runs=100)
    assert (found.verdict, found.attacks, found.promises) == ("not attacked", (), ())
    assert "reference bare names no attack" in found.note


def test_with_an_attack_it_is_attacked_by_what_that_says_and_the_canary_watches(scene):
    case = _Case(Attacked(), PrivacySpec(epsilon=2.0, min_rows=20), ("a",), "as configured")
    found = examine(scene, case, runs=100)
    assert [attack.name for attack in found.attacks] == ["direct reading"]
    assert (found.protocol, found.verdict, found.membership) == ("attacked", "holds", None)
    assert found.canary.mu_bound <= found.canary.allowed
    assert type(attacks_on(Channel.of(Attacked(), SPACE, PrivacySpec(), silos=1))) is OnMeans


def test_the_canary_sees_a_mechanism_that_noises_too_little(scene, monkeypatch):
    halved = Mechanism(
        "mean", "", lambda r, spec, space, z, *, noise: noised(r, spec, space, z / 4, noise=noise)
    )
    monkeypatch.setattr(Means, "mechanism", halved)
    case = _Case(Attacked(), PrivacySpec(epsilon=2.0, min_rows=20), ("a",), "as configured")
    assert examine(scene, case, runs=200).verdict == "broken"
