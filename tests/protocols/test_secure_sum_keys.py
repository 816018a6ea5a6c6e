# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from tailweave.protocols.secure_sum.keys import (
    KeyPair,
    Offer,
    SumRound,
    identity,
    keypair,
    shared_secret,
    signed_offer,
    verify_offer,
)

SILOS = ("silo-0", "silo-1", "silo-2")
ROUND = SumRound("run-a", 1, "0" * 64, SILOS)


@pytest.fixture(scope="module")
def identities():
    return {silo: identity() for silo in SILOS}


@pytest.fixture(scope="module")
def enrolled(identities):
    return {silo: public for silo, (_, public) in identities.items()}


@pytest.fixture(scope="module")
def keys():
    return {silo: keypair(ROUND, silo) for silo in SILOS}


@pytest.fixture(scope="module")
def offers(keys, identities):
    return {silo: signed_offer(key, identities[silo][0]) for silo, key in keys.items()}


def test_an_honest_offer_is_accepted(offers, enrolled):
    for offer in offers.values():
        verify_offer(offer, ROUND, enrolled)


def test_both_ends_share_one_secret_and_no_two_pairs_do(keys, offers):
    secrets = {(a, b): shared_secret(keys[a], offers[b]) for a in SILOS for b in SILOS if a != b}
    assert all(secrets[a, b] == secrets[b, a] for a, b in secrets)
    assert len(set(secrets.values())) == 3


def test_every_key_is_new(keys):
    again = [keypair(ROUND, "silo-0") for _ in range(3)]
    assert len({key.private for key in (*keys.values(), *again)}) == 6


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(ROUND, number=2),
        replace(ROUND, run="run-b"),
        replace(ROUND, schema="1" * 64),
        replace(ROUND, silos=(*SILOS, "silo-3")),
    ],
    ids=["round", "run", "schema", "roster"],
)
def test_a_replayed_offer_is_refused(offers, enrolled, elsewhere):
    with pytest.raises(ValueError, match="the signature of silo-1 does not fit its key for round"):
        verify_offer(offers["silo-1"], elsewhere, enrolled)


def test_a_swapped_pair_is_refused(offers, enrolled):
    for silo, other in (("silo-0", "silo-1"), ("silo-1", "silo-0")):
        with pytest.raises(ValueError, match=f"the signature of {silo} does not fit"):
            verify_offer(replace(offers[other], silo=silo), ROUND, enrolled)
        with pytest.raises(ValueError, match=f"the signature of {silo} does not fit"):
            verify_offer(replace(offers[silo], public=offers[other].public), ROUND, enrolled)


def test_a_server_that_puts_its_own_key_in_is_refused(keys, enrolled):
    forged = signed_offer(keys["silo-1"], identity()[0])
    with pytest.raises(ValueError, match="the signature of silo-1 does not fit"):
        verify_offer(forged, ROUND, enrolled)


@pytest.mark.parametrize("position", [0, 31, 32, 63])
def test_one_flipped_bit_of_the_signature_is_refused(offers, enrolled, position):
    raw = bytearray.fromhex(offers["silo-2"].signature)
    raw[position] ^= 1
    with pytest.raises(ValueError, match="the signature of silo-2 does not fit"):
        verify_offer(replace(offers["silo-2"], signature=raw.hex()), ROUND, enrolled)


def test_strangers_are_refused(offers, enrolled, identities):
    with pytest.raises(ValueError, match="offer must come from one of"):
        verify_offer(replace(offers["silo-0"], silo="silo-7"), ROUND, enrolled)
    few = {silo: key for silo, key in enrolled.items() if silo != "silo-2"}
    with pytest.raises(ValueError, match="silo-2 is not enrolled"):
        verify_offer(offers["silo-2"], ROUND, few)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("public", "zz" * 32, "public key must be hexadecimal text"),
        ("public", "00" * 31, "public key must have 32 bytes, got 31"),
        ("signature", "not hex", "signature must be hexadecimal text"),
        ("signature", "", "the signature of silo-0 does not fit"),
    ],
)
def test_malformed_offers_are_refused(offers, enrolled, field, value, said):
    with pytest.raises(ValueError, match=said):
        verify_offer(replace(offers["silo-0"], **{field: value}), ROUND, enrolled)


def test_a_point_of_small_order_is_refused(keys, identities, enrolled):
    """With the zero point every secret is zero, so the server would know the mask."""
    bad = signed_offer(replace(keys["silo-1"], public="00" * 32), identities["silo-1"][0])
    verify_offer(bad, ROUND, enrolled)
    with pytest.raises(ValueError, match="the public key of silo-1 is of small order"):
        shared_secret(keys["silo-0"], bad)


@pytest.mark.parametrize("silos", [(), ("a",), ("a", "b")])
def test_fewer_than_three_silos_are_refused(silos):
    with pytest.raises(ValueError, match=f"a secure sum needs at least 3 silos, got {len(silos)}"):
        SumRound("run", 0, "s", silos)


@pytest.mark.parametrize("silos", [("b", "a", "c"), ("a", "a", "b")])
def test_rosters_that_could_be_read_differently_are_refused(silos):
    with pytest.raises(ValueError, match="silos must be different and sorted"):
        SumRound("run", 0, "s", silos)


def test_bad_rounds_and_keys_are_refused(identities):
    with pytest.raises(ValueError, match="number must not be negative, got -1"):
        SumRound("run", -1, "s", SILOS)
    with pytest.raises(ValueError, match="silo must be one of the round's"):
        keypair(ROUND, "silo-9")
    with pytest.raises(ValueError, match="identity_private must have 32 bytes"):
        signed_offer(keypair(ROUND, "silo-0"), "00")


def test_no_two_statements_run_together():
    """Fields are kept apart: a silo named ``b`` in run ``ra`` never signs what ``ab`` in ``r`` would."""
    told = {
        SumRound(run, number, schema, ("a", "b", "c")).statement("mask", *pair)
        for run, number, schema in (("r", 11, "s"), ("r1", 1, "s"), ("r", 1, "1s"), ('r","', 1, "s"))
        for pair in (("a", "b"), ("ab",), ("a", "b", ""), ('a","b',))
    }
    assert len(told) == 16
    assert ROUND.statement("mask", "a") != ROUND.statement("offer", "a")


def test_the_private_key_is_not_shown(keys):
    assert keys["silo-0"].private not in repr(keys["silo-0"])
    assert isinstance(keys["silo-0"], KeyPair)
    assert Offer("a", "b", "c") == Offer("a", "b", "c")
