# SPDX-License-Identifier: Apache-2.0
"""What a silo answers to a support, what its ledger says then, and when it does not answer."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.clients.transport_round import transport
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.transported import BarycenterReference, GeodesicReference
from tailweave.protocols.messages import TransportSupport
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.transport import coupling
from tailweave.protocols.transport.projection import project

ATOMS = 12
BARYCENTER = BarycenterReference(kind="barycenter", support=ATOMS)
GEODESIC = GeodesicReference(kind="geodesic", support=ATOMS, interpolation=0.25)
LEAKING = Policy(
    kinds=("barycenter", "geodesic"),
    min_rows=10,
    releases_per_data_version=2,
    lifetime_epsilon=None,
    allow_raw_row_leakage=True,
    allow_no_privacy=True,
)


def question(kit, spec=BARYCENTER, *, first=0, columns=2):
    support = kit.samples[first : first + ATOMS, :columns]
    arrays = with_prefix("features", kit.features.arrays()) | {"support": support}
    return TransportSupport(run="r", seed=7, reference=spec, privacy=PrivacySpec(), turn=3, arrays=arrays)


def charges(node):
    path = node.state / "releases" / node.silo.name / "ledger.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if line["kind"] == "charge"]


@pytest.mark.parametrize(("spec", "share"), [(BARYCENTER, 1.0), (GEODESIC, 0.25)])
def test_the_answer_is_the_map_onto_its_own_features(node, kit, spec, share):
    reply = transport(node, question(kit, spec))
    support = kit.samples[:ATOMS]
    image = project(support, kit.features(node.silo.train.values)).image
    np.testing.assert_allclose(reply.arrays["moved"], support + share * (image - support), atol=1e-12)
    assert (reply.silo, reply.reference, reply.turn) == ("silo-0", spec, 3)


def test_the_entropic_answer_is_the_debiased_map(node, kit):
    spec = BarycenterReference(kind="barycenter", support=ATOMS, transport="entropic", entropic_reg=2.0)
    found = transport(node, question(kit, spec)).arrays["moved"]
    rows = kit.features(node.silo.train.values)
    expected = project(kit.samples[:ATOMS], rows, entropic_reg=2.0).image
    assert found.tobytes() == expected.tobytes()


def test_every_support_is_charged_once_as_a_release_without_noise(node, kit):
    one = transport(node, question(kit))
    again = transport(node, question(kit, BARYCENTER.model_copy(update={"iterations": 99})))
    assert again.arrays["moved"].tobytes() == one.arrays["moved"].tobytes()
    assert len(charges(node)) == 1  # how many iterations are planned is not part of what leaves
    transport(node, question(kit, first=ATOMS))
    transport(node, question(kit, GEODESIC))
    assert [(line["epsilon"], line["rho"], line["noise"]) for line in charges(node)] == [
        (None, None, "none")
    ] * 3


def test_the_default_policy_refuses(node, kit):
    with pytest.raises(PolicyError, match="kind barycenter asked, allowed: quantized, sliced"):
        transport(replace(node, policy=Policy()), question(kit))
    assert not (node.state / "releases").exists()


def test_an_owner_must_say_that_rows_may_leak_and_that_there_is_no_privacy(node, kit):
    shut = LEAKING.model_copy(update={"allow_raw_row_leakage": False})
    with pytest.raises(PolicyError, match="kind geodesic asked, allow-raw-row-leakage is false"):
        transport(replace(node, policy=shut), question(kit, GEODESIC))
    private = LEAKING.model_copy(update={"allow_no_privacy": False})
    with pytest.raises(PolicyError, match="epsilon null asked, allow-no-privacy is false"):
        transport(replace(node, policy=private), question(kit))


def test_an_owner_bounds_the_number_of_supports(node, kit):
    node = replace(node, policy=LEAKING)
    transport(node, question(kit))
    transport(node, question(kit, first=1))
    with pytest.raises(BudgetError, match="2 releases of these data were charged"):
        transport(node, question(kit, first=2))


def test_too_few_rows_are_refused(node, kit):
    strict = LEAKING.model_copy(update={"min_rows": 61})
    with pytest.raises(PolicyError, match="fewer than min-rows = 61 rows"):
        transport(replace(node, policy=strict), question(kit))


def test_what_cannot_be_solved_is_refused_without_a_count_of_rows_and_costs_nothing(node, kit, monkeypatch):
    monkeypatch.setattr(coupling, "MARGIN", -1.0)  # no error of a marginal is small enough
    spec = GeodesicReference(kind="geodesic", support=ATOMS, transport="entropic", entropic_reg=1e-3)
    with pytest.raises(Refusal, match="transport: entropic, entropic-reg: 0.001; a larger") as refused:
        transport(node, question(kit, spec))
    assert "60" not in str(refused.value)
    assert charges(node) == []


def test_a_support_of_another_space_is_refused(node, kit):
    with pytest.raises(ValueError, match="support must have 2 columns, got 1"):
        transport(node, question(kit, columns=1))
