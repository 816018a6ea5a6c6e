# SPDX-License-Identifier: Apache-2.0
"""Identity keys on disk, and who is taken for whom."""

import stat

import pytest

from tailweave.clients.release.identities import (
    IdentityError,
    check_first_met,
    check_trusted,
    own_identity,
    read_identities,
)
from tailweave.clients.release.policy import load_policy
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.secure_sum.keys import Offer, SumRound, keypair, signed_offer, verify_offer

A, B = "aa" * 32, "bb" * 32


def test_an_identity_is_made_once_and_signs(tmp_path):
    path = tmp_path / "identity.key"
    private, public = own_identity(path, make=True)
    assert own_identity(path, make=True) == own_identity(path, make=False) == (private, public)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert own_identity(tmp_path / "other.key", make=True)[0] != private
    sum_round = SumRound("run", 1, "s", ("a", "b", "c"))
    offer = signed_offer(keypair(sum_round, "a"), private)
    verify_offer(Offer("a", offer.public, offer.signature), sum_round, {"a": public})


@pytest.mark.parametrize("text", ["", "ab" * 31, "zz" * 32, "ab" * 33, "é" * 64])
def test_a_file_that_is_no_key_is_refused(tmp_path, text):
    path = tmp_path / "identity.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(IdentityError, match="identity.key: (an identity key is 64 hex digits|no identity)"):
        own_identity(path, make=True)
    assert path.read_text(encoding="utf-8") == text  # never replaced


def test_a_policy_names_identities_beside_it(tmp_path):
    (tmp_path / "trusted.yaml").write_text(f"silo-0: '{A}'\nsilo-1: '{B}'\n")
    (tmp_path / "policy.yaml").write_text("honest-silos: 3\ntrusted-identities: trusted.yaml\n")
    policy = load_policy(tmp_path / "policy.yaml")
    assert policy.honest_silos == 3
    assert read_identities(policy.trusted_identities) == {"silo-0": A, "silo-1": B}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("a: [", "cannot be read"),
        ("", "64 hex digits"),
        ("silo-0: 12", "64 hex digits .* by silo name; silo-0: "),
        (f"silo-0: '{A}b'", "64 hex digits .* by silo name; silo-0: "),
        (f"Silo 0: '{A}'", "64 hex digits .* by silo name; Silo 0"),
    ],
)
def test_a_policy_whose_identities_are_none_is_refused_when_it_is_read(tmp_path, text, said):
    if text is not None:
        (tmp_path / "trusted.yaml").write_text(text)
    (tmp_path / "policy.yaml").write_text("trusted-identities: trusted.yaml\n")
    with pytest.raises(ConfigError, match=f"trusted.yaml: trusted identities .*{said}|{said}"):
        load_policy(tmp_path / "policy.yaml")


def test_only_the_trusted_pass():
    check_trusted({"a": A}, {"a": A, "b": B})
    with pytest.raises(IdentityError, match="b is not among"):
        check_trusted({"a": A, "b": B}, {"a": A})
    with pytest.raises(IdentityError, match="a comes with another identity"):
        check_trusted({"a": B}, {"a": A})


def test_who_is_met_first_stays(tmp_path):
    path = tmp_path / "run.met.yaml"
    check_first_met({"a": A}, path)
    check_first_met({"b": B}, path)
    assert read_identities(path) == {"a": A, "b": B}
    with pytest.raises(IdentityError, match="a comes with another identity than it first had in this run"):
        check_first_met({"a": B, "c": A}, path)
    assert read_identities(path) == {"a": A, "b": B}
