# SPDX-License-Identifier: Apache-2.0
"""Offered keys across restarts: every method is called on a fresh ``Offers``, as after a crash."""

import pytest

from tailweave.clients.release.offers import OfferError, Offers
from tailweave.clients.storage import StorageError
from tailweave.protocols.secure_sum.keys import Offer, SumRound, identity, verify_offer

SILOS = ("a", "b", "c")
PRIVATE, PUBLIC = identity()


@pytest.fixture
def book(tmp_path):
    with Offers(tmp_path / "sums", "run", "s" * 64).locked():
        pass
    return lambda schema="s" * 64, run="run": Offers(tmp_path / "sums", run, schema)


def at(number, silos=SILOS, schema="s" * 64):
    return SumRound("run", number, schema, silos)


def test_an_offer_is_kept_and_signed(book):
    offered = book().offer(at(1), "a", PRIVATE)
    assert book().offer(at(1), "a", PRIVATE) == book().found(1) == offered
    verify_offer(Offer("a", offered.public, offered.signature), at(1), {"a": PUBLIC})
    key = book().key(at(1), "a")
    assert (key.public, key.round) == (offered.public, at(1))
    assert book().found(2) is None


def test_numbers_only_rise_but_an_old_question_keeps_its_answer(book):
    first = book().offer(at(1), "a", PRIVATE)
    fourth = book().offer(at(4, SILOS[:3]), "a", PRIVATE)
    assert fourth.public != first.public
    assert book().offer(at(1), "a", PRIVATE) == first
    for number in (2, 3):
        with pytest.raises(OfferError, match=f"number must be above 4, .* got {number}"):
            book().offer(at(number), "a", PRIVATE)
    with pytest.raises(OfferError, match="number 1 was offered to a, b, c .* numbers above 4 are free"):
        book().offer(at(1, ("a", "b", "d")), "a", PRIVATE)


def test_sums_and_runs_count_apart(book):
    one = book().offer(at(3), "a", PRIVATE)
    other = book("t" * 64).offer(at(1, schema="t" * 64), "a", PRIVATE)
    again = book(run="run-2").offer(at(1), "a", PRIVATE)
    assert len({one.public, other.public, again.public}) == 3


def test_a_key_is_gone_after_it_was_used(book):
    book().offer(at(1), "a", PRIVATE)
    book().burn(1)
    book().burn(1)
    with pytest.raises(OfferError, match="the key of number 1 is used up"):
        book().key(at(1), "a")
    with pytest.raises(OfferError, match="the key of number 2 is used up"):
        book().key(at(2), "a")
    assert book().found(1) is not None


def test_a_number_is_bound_to_one_set_of_keys(book):
    book().offer(at(1), "a", PRIVATE)
    book().offer(at(2), "a", PRIVATE)
    book().bind(1, "e" * 64)
    book().bind(1, "e" * 64)
    with pytest.raises(OfferError, match="number 1 was masked for other keys"):
        book().bind(1, "f" * 64)
    book().bind(2, "f" * 64)
    assert [book().found(n).roster for n in (1, 2)] == ["e" * 64, "f" * 64]
    with pytest.raises(OfferError, match="number 3"):
        book().bind(3, "f" * 64)


def test_a_book_that_cannot_be_read_is_not_begun_anew(book):
    book().offer(at(1), "a", PRIVATE)
    path = next(book().folder.glob("*.json"))
    path.write_text("{")
    with pytest.raises(StorageError, match="cannot be read back"):
        book().offer(at(1), "a", PRIVATE)
    assert path.read_text() == "{"
