# SPDX-License-Identifier: Apache-2.0
"""A server that invents the other silos of a secure sum would unmask one share, with a share of the noise."""

import pytest
from one_host import IDENTITY, edit, kit, table

from tailweave.clients import secure_sum_round
from tailweave.clients.node import open_node
from tailweave.clients.release.policy import PolicyError
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.secure_sum.keys import identity
from tailweave.protocols.secure_sum_messages import OfferKey
from tailweave.simulation.deploy.node_settings import load_node

QUESTION = OfferKey(
    run="a-run",
    seed=0,
    reference=SlicedReference(kind="sliced", directions=16, coefficients=3),
    privacy=PrivacySpec(epsilon=2.0, secure_aggregation=True, honest_silos=3),
    number=1,
    silos=("east", "north", "west"),
    arrays=with_prefix("features", IDENTITY.arrays()),
)


def test_a_real_silo_takes_no_part_among_strangers(tmp_path):
    silo = kit(tmp_path / "kit", table())
    policy = silo / "policy.yaml"
    policy.write_text(policy.read_text().replace("honest-silos: null", "honest-silos: 3"))
    with pytest.raises(PolicyError, match="secure aggregation asked, trusted-identities is not set"):
        secure_sum_round.offer(open_node(load_node(silo).node_config(), {}, seed=0), QUESTION)
    assert list((silo / "state").iterdir()) == []
    listed = "".join(f'{name}: "{identity()[1]}"\n' for name in QUESTION.silos)
    (silo / "trusted.yaml").write_text(listed)
    text = policy.read_text().replace("trusted-identities: null", "trusted-identities: trusted.yaml")
    policy.write_text(text)
    edit(silo, "state-dir: state ", "state-dir: new-state ")
    reply = secure_sum_round.offer(open_node(load_node(silo).node_config(), {}, seed=0), QUESTION)
    assert reply.silo == "north"
