# SPDX-License-Identifier: Apache-2.0
"""A silo in a secure sum: what it offers, what it masks, and every roster that it does not take."""

import re
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from tailweave.clients import secure_sum_round
from tailweave.clients.data.silo import Silo
from tailweave.clients.node import Node
from tailweave.clients.release.budget import BudgetError
from tailweave.clients.release.chain import read_ledger
from tailweave.clients.release.ledger import Ledger
from tailweave.clients.release.policy import Policy, PolicyError
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.privacy.calibration import analytic_gaussian_z
from tailweave.protocols.secure_sum.keys import SumRound, identity, keypair, signed_offer
from tailweave.protocols.secure_sum.masks import Masked, unmask_sum
from tailweave.protocols.secure_sum.schema import schema
from tailweave.protocols.secure_sum.share import noise_variance
from tailweave.protocols.secure_sum.sketches import from_words, integer_sketch
from tailweave.protocols.secure_sum_messages import OfferKey, SendMasked, SignedKey
from tailweave.protocols.streams import stream

SPEC = SlicedReference(kind="sliced", directions=16, coefficients=3)
PRIVACY = PrivacySpec(epsilon=2.0, min_rows=20, secure_aggregation=True, honest_silos=3)
NAMES = ("silo-0", "silo-1", "silo-2", "silo-3")
WIDTH = 16 * 3 + 1


def rows(count, *path):
    return Samples.of(stream(0, "rows", *path).normal(size=(count, 3)))


@pytest.fixture
def trusted(tmp_path) -> Path:
    """The identities that the owners exchanged; each has its own private one in its state."""
    listed = {}
    for name in NAMES:
        path = tmp_path / name / "secure-sums" / name / "identity.key"
        path.parent.mkdir(parents=True, mode=0o700)
        private, listed[name] = identity()
        path.touch(mode=0o600)
        path.write_text(private)
    (tmp_path / "trusted.yaml").write_text(yaml.safe_dump(listed))
    return tmp_path / "trusted.yaml"


@pytest.fixture
def silos(node, tmp_path, trusted) -> list[Node]:
    """Four real nodes: they draw their noise from the operating system."""
    policy = node.policy.model_copy(update={"trusted_identities": trusted})
    return [
        replace(
            node,
            silo=Silo(name, rows(40, name), rows(10, name, "out")),
            state=tmp_path / name,
            policy=policy,
        )
        for name in NAMES
    ]


@pytest.fixture
def ask(kit, silos):
    """Return both questions: ``ask.offer(i, number)`` and ``ask.masked(i, number, roster)``."""

    class Ask:
        fields = {"run": "a-run", "seed": 7, "reference": SPEC, "privacy": PRIVACY}
        arrays = with_prefix("features", kit.features.arrays())

        def offer(self, i, number=1, names=NAMES, **changes):
            fields = self.fields | changes
            return secure_sum_round.offer(
                silos[i], OfferKey(**fields, number=number, silos=names, arrays=self.arrays)
            )

        def masked(self, i, roster, number=1, **changes):
            fields = self.fields | changes
            return secure_sum_round.masked(
                silos[i], SendMasked(**fields, number=number, roster=tuple(roster), arrays=self.arrays)
            )

        def roster(self, number=1, count=4):
            return [self.offer(i, number, NAMES[:count]).key for i in range(count)]

    return Ask()


def charges(node):
    path = node.state / "releases" / node.silo.name / "ledger.jsonl"
    return [e for e in read_ledger(path) if e.kind == "charge"] if path.exists() else []


def keys(node):
    folder = node.state / "secure-sums" / node.silo.name
    return [path for path in folder.glob("*.key") if path.name != "identity.key"]


def sum_round(kit, number, names=NAMES):
    return SumRound("a-run", number, schema(SPEC, PRIVACY, kit.features, 7), names)


def test_the_sum_is_that_of_all_sketches_and_the_noise(ask, silos, kit):
    roster = ask.roster()
    replies = [ask.masked(i, roster) for i in range(4)]
    assert {reply.noise for reply in replies} == {"system"}
    total = unmask_sum([Masked.from_arrays(r.silo, 1, r.arrays) for r in replies], sum_round(kit, 1))
    space = kit.features.space(7)
    exact = sum(integer_sketch(kit.features(s.silo.train.values), SPEC, space) for s in silos)
    noise = from_words(total) - exact
    assert noise.shape == (WIDTH,)
    # 49 draws of variance K / K_h (z D)^2: outside .35 to 2.2 of it with probability below 1e-6.
    assert 0.35 < np.var(noise / 256.0) / noise_variance(SPEC, PRIVACY, 4).mean() < 2.2


def test_a_message_that_comes_again_gets_the_same_bytes(ask, silos):
    first = ask.offer(0)
    assert ask.offer(0) == first
    roster = ask.roster()
    assert roster[0] == first.key
    assert len(keys(silos[0])) == 1
    reply = ask.masked(0, roster)
    assert keys(silos[0]) == []
    again = ask.masked(0, roster)
    assert again.arrays["words"].tobytes() == reply.arrays["words"].tobytes()
    assert ask.offer(0) == first  # also when its private half is gone
    assert keys(silos[0]) == []
    assert len(charges(silos[0])) == 1


def test_a_key_that_a_killed_process_left_is_deleted_the_next_time(ask, silos):
    roster = ask.roster()
    (path,) = keys(silos[0])
    private = path.read_bytes()
    reply = ask.masked(0, roster)
    path.write_bytes(private)
    assert ask.masked(0, roster).arrays["words"].tobytes() == reply.arrays["words"].tobytes()
    assert keys(silos[0]) == []


def test_the_ledger_says_under_which_condition_its_epsilon_holds(ask, silos):
    ask.masked(0, ask.roster())
    (entry,) = charges(silos[0])
    assert (entry.epsilon, entry.delta, entry.noise) == (2.0, 1e-6, "system")
    found = re.fullmatch(
        r"masked cosine: needs 3 honest of 4 silos, epsilon (\d\.\d+) alone", entry.mechanism
    )
    # By the closed form: the share of one of three is z / sqrt(3), and z at epsilon 2 is 2.230 (3 digits).
    assert analytic_gaussian_z(float(found[1]), 1e-6) * np.sqrt(3) == pytest.approx(2.230, rel=1e-3)


def test_every_attempt_draws_anew_and_is_charged_anew(ask, silos, kit):
    """Or the difference of a finished sum and its rerun would be one silo's sketch with a share of noise."""
    sums = []
    for number in (1, 2):
        roster = ask.roster(number)
        replies = [ask.masked(i, roster, number) for i in range(4)]
        vectors = [Masked.from_arrays(r.silo, number, r.arrays) for r in replies]
        sums.append(from_words(unmask_sum(vectors, sum_round(kit, number))))
    assert (sums[0] != sums[1]).mean() > 0.9
    assert [len(charges(s)) for s in silos] == [2] * 4


def test_private_files_are_for_their_owner_only(ask, silos):
    ask.offer(0)
    folder = silos[0].state / "secure-sums" / "silo-0"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"identity.key", "identity.pub"} < set(modes)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def stranger(kit, name, number=1, names=NAMES):
    """A key that the server made itself, under its own identity."""
    private, public = identity()
    offer = signed_offer(keypair(sum_round(kit, number, names), name), private)
    return SignedKey(silo=name, public=offer.public, signature=offer.signature, identity=public)


def test_a_forged_signature_is_refused(ask, silos, kit):
    roster = ask.roster()
    forged = stranger(kit, "silo-2").model_copy(update={"identity": roster[2].identity})
    with pytest.raises(ValueError, match="the signature of silo-2 does not fit its key for round 1 of a-run"):
        ask.masked(0, [*roster[:2], forged, roster[3]])
    assert charges(silos[0]) == []
    ask.masked(0, roster)  # the refusal left nothing behind


def test_a_key_swapped_between_silos_is_refused(ask):
    one, two, three, four = ask.roster()
    swapped = [
        one,
        two.model_copy(update={"public": three.public}),
        three.model_copy(update={"public": two.public}),
        four,
    ]
    with pytest.raises(ValueError, match="the signature of silo-1 does not fit"):
        ask.masked(0, swapped)


def test_another_key_or_identity_for_this_silo_is_refused(ask, kit):
    roster = ask.roster()
    with pytest.raises(ValueError, match="another key or identity for silo-0 than its own"):
        ask.masked(0, [stranger(kit, "silo-0"), *roster[1:]])


def test_an_old_number_is_refused(ask):
    ask.offer(0, 3)
    with pytest.raises(ValueError, match="number must be above 3, which was used in this run, got 2"):
        ask.offer(0, 2)
    assert ask.offer(0, 2, seed=8).number == 2  # another sum


def test_a_number_has_one_roster(ask, silos):
    ask.offer(0)
    with pytest.raises(ValueError, match="number 1 was offered to silo-0, silo-1, silo-2, silo-3 and is not"):
        ask.offer(0, 1, NAMES[:3])
    three = [ask.offer(i, 1, NAMES[:3]).key for i in (1, 2)]
    with pytest.raises(ValueError, match="the roster names silo-0, silo-1, silo-2: a sum goes on with all"):
        ask.masked(0, [ask.offer(0).key, *three])
    assert charges(silos[0]) == []


def test_a_number_that_was_never_offered_is_refused(ask):
    roster = ask.roster()
    with pytest.raises(ValueError, match="no key was offered for number 2 of this sum"):
        ask.masked(0, roster, 2)


def test_a_second_roster_under_one_number_is_refused_even_when_it_is_signed(ask, silos, kit):
    """A silo that lost its state signs a second key; the same vector under two masks would show both."""
    roster = ask.roster()
    ask.masked(0, roster)
    private = (silos[3].state / "secure-sums" / "silo-3" / "identity.key").read_text()
    offer = signed_offer(keypair(sum_round(kit, 1), "silo-3"), private)
    again = roster[3].model_copy(update={"public": offer.public, "signature": offer.signature})
    with pytest.raises(ValueError, match="number 1 was masked for other keys"):
        ask.masked(0, [*roster[:3], again])


def test_changed_data_do_not_reuse_a_key(ask, silos):
    roster = ask.roster()
    first = ask.masked(0, roster)
    silos[0] = replace(silos[0], silo=Silo("silo-0", rows(40, "changed"), silos[0].silo.heldout))
    assert ask.masked(0, roster).arrays["words"].tobytes() == first.arrays["words"].tobytes()
    with Ledger.open(
        silos[0].state / "releases" / "silo-0" / "ledger.jsonl", create=False, simulation=True
    ) as it:
        it.refresh()
    with pytest.raises(ValueError, match="the key of number 1 is used up"):
        ask.masked(0, roster)
    assert len(charges(silos[0])) == 1


def test_rosters_that_are_none_are_refused(ask):
    roster = ask.roster()
    with pytest.raises(ValueError, match="at least 3 silos, got 2"):
        ask.offer(0, 1, NAMES[:2])
    with pytest.raises(ValueError, match="different and sorted"):
        ask.offer(0, 1, ("silo-0", "silo-2", "silo-1"))
    with pytest.raises(ValueError, match="different and sorted"):
        ask.masked(0, [roster[0], *roster[:3]])
    with pytest.raises(
        ValueError, match="silo-0 is asked for a sum of silo-1, silo-2, silo-3, not of itself"
    ):
        ask.masked(0, roster[1:])
    four = PRIVACY.model_copy(update={"honest_silos": 4})
    with pytest.raises(ValueError, match="3 silos cannot hold honest-silos = 4 of them"):
        ask.offer(0, 1, NAMES[:3], privacy=four)


def test_a_policy_without_honest_silos_takes_no_part(ask, silos, trusted):
    silos[0] = replace(silos[0], policy=Policy(min_rows=20))
    with pytest.raises(PolicyError, match="secure aggregation asked, honest-silos is not set"):
        ask.offer(0)
    silos[0] = replace(silos[0], policy=Policy(min_rows=20, honest_silos=3))
    with pytest.raises(PolicyError, match="secure aggregation asked, trusted-identities is not set"):
        ask.offer(0)
    silos[0] = replace(silos[0], policy=Policy(min_rows=20, honest_silos=3, trusted_identities=trusted))
    four = PRIVACY.model_copy(update={"honest_silos": 4})
    with pytest.raises(PolicyError, match="honest-silos 4 asked, at most 3 allowed"):
        ask.offer(0, privacy=four)
    assert ask.offer(0).silo == "silo-0"


def test_a_rerun_is_a_release_that_the_budget_may_refuse(ask, silos, trusted):
    silos[0] = replace(silos[0], policy=Policy(min_rows=20, honest_silos=3, trusted_identities=trusted))
    ask.masked(0, ask.roster())
    with pytest.raises(BudgetError, match="1 releases of these data were charged"):
        ask.masked(0, ask.roster(2), 2)


def test_identities_are_those_that_the_policy_trusts(ask, silos, kit, tmp_path):
    roster = ask.roster()
    path = tmp_path / "others.yaml"
    trusted = {key.silo: key.identity for key in roster}
    silos[0] = replace(silos[0], policy=silos[0].policy.model_copy(update={"trusted_identities": path}))
    path.write_text(yaml.safe_dump(trusted | {"silo-2": identity()[1]}))
    with pytest.raises(ValueError, match="silo-2 comes with another identity than this silo's trusted-ident"):
        ask.masked(0, roster)
    del trusted["silo-3"]
    path.write_text(yaml.safe_dump(trusted))
    with pytest.raises(ValueError, match="silo-3 is not among this silo's trusted-identities"):
        ask.masked(0, roster)
    assert charges(silos[0]) == []
    path.write_text(yaml.safe_dump(trusted | {"silo-3": roster[3].identity}))
    assert ask.masked(0, roster).silo == "silo-0"


def test_a_real_silo_masks_nothing_among_strangers(ask, silos):
    roster = ask.roster()
    silos[0] = replace(silos[0], policy=silos[0].policy.model_copy(update={"trusted_identities": None}))
    with pytest.raises(PolicyError, match="trusted-identities is not set"):
        ask.masked(0, roster)
    assert charges(silos[0]) == []


def test_without_a_list_the_epsilon_alone_is_charged(ask, silos, world):
    """In simulation alone: the epsilon of a share against all others together, 3.67 where 2 was asked."""
    alone = silos[0].policy.model_copy(update={"trusted_identities": None})
    silos[0] = replace(silos[0], policy=alone, truth=world)
    roster = ask.roster()
    ask.masked(0, roster)
    ask.masked(1, roster)
    ((stranger,), (known,)) = (charges(silo) for silo in silos[:2])
    assert (known.epsilon, stranger.rho / known.rho) == (2.0, pytest.approx(3.0, rel=1e-12))
    # The share of one of three is z / sqrt(3), and z at epsilon 2 is 2.230 (3 digits).
    assert analytic_gaussian_z(stranger.epsilon, 1e-6) * np.sqrt(3) == pytest.approx(2.230, rel=1e-3)


def test_without_a_list_the_first_identity_of_a_run_is_kept(ask, silos, kit, world):
    alone = silos[0].policy.model_copy(update={"trusted_identities": None})
    silos[0] = replace(silos[0], policy=alone, truth=world)
    ask.masked(0, ask.roster())
    roster = ask.roster(2)
    with pytest.raises(ValueError, match="silo-3 comes with another identity than it first had in this run"):
        ask.masked(0, [*roster[:3], stranger(kit, "silo-3", 2)], 2)
    assert len(charges(silos[0])) == 1


def test_a_deployment_brings_its_own_identity(ask, silos, tmp_path):
    private, public = identity()
    path = tmp_path / "mine.key"
    silos[0] = replace(silos[0], identity_key=path)
    with pytest.raises(ValueError, match="mine.key: no identity key .*openssl rand -hex 32"):
        ask.offer(0)
    path.write_text(private + "\n")
    path.chmod(0o640)
    with pytest.raises(ValueError, match="others may read this private key: chmod 600"):
        ask.offer(0)
    path.chmod(0o600)
    assert ask.offer(0).identity == public
    shown = silos[0].state / "secure-sums" / "silo-0" / "identity.pub"
    assert shown.read_text() == public


def test_too_few_rows_are_refused_before_anything_is_charged(ask, silos):
    roster = [ask.offer(i, privacy=PRIVACY.model_copy(update={"min_rows": 41})).key for i in range(4)]
    with pytest.raises(PolicyError, match="fewer than min-rows = 41"):
        ask.masked(0, roster, privacy=PRIVACY.model_copy(update={"min_rows": 41}))
    assert charges(silos[0]) == []
