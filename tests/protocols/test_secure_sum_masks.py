# SPDX-License-Identifier: Apache-2.0
"""The server's view of a secure sum: the sum is exact, and nothing short of all vectors says anything."""

import hashlib
import hmac
import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tailweave.protocols.features import PublicSpace
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.secure_sum.keys import SumRound, identity, keypair, shared_secret, signed_offer
from tailweave.protocols.secure_sum.masks import DroppedOut, Masked, mask, unmask_sum
from tailweave.protocols.secure_sum.sketches import from_words, integer_sketch, to_words

SILOS = tuple(f"silo-{i}" for i in range(5))
ROUND = SumRound("run-a", 1, "schema", SILOS)
IDENTITIES = {silo: identity() for silo in SILOS}
ENROLLED = {silo: public for silo, (_, public) in IDENTITIES.items()}
SPEC = SlicedReference(kind="sliced", directions=128, coefficients=8)
SPACE = PublicSpace(np.zeros(6), 1.0, 0)
FALSE_ALARM = 1e-6


def offered(sum_round=ROUND, keys=None):
    keys = keys or {silo: keypair(sum_round, silo) for silo in sum_round.silos}
    return keys, [signed_offer(key, IDENTITIES[silo][0]) for silo, key in keys.items()]


@pytest.fixture(scope="module")
def keys_and_offers():
    return offered()


@pytest.fixture(scope="module")
def sketches():
    rng = np.random.default_rng(0)
    return {
        silo: integer_sketch(rng.standard_normal((200 + 50 * i, 6)) + 0.3 * i, SPEC, SPACE)
        for i, silo in enumerate(SILOS)
    }


@pytest.fixture(scope="module")
def masked(keys_and_offers, sketches):
    keys, offers = keys_and_offers
    return {
        silo: mask(to_words(sketch, len(SILOS)), keys[silo], offers, ENROLLED)
        for silo, sketch in sketches.items()
    }


def looks_uniform(values, false_alarm):
    """Bytes by chi-square (255 degrees of freedom), and each bit position's balance; two-sided."""
    raw = np.frombuffer(np.ascontiguousarray(values).tobytes(), dtype=np.uint8)
    counts = np.bincount(raw, minlength=256)
    chi_sq = ((counts - raw.size / 256) ** 2).sum() / (raw.size / 256)
    bytes_p = 2 * min(stats.chi2.sf(chi_sq, 255), stats.chi2.cdf(chi_sq, 255))
    bits = np.unpackbits(raw.reshape(-1, values.itemsize), axis=1)  # (n, word bits)
    z = np.abs(bits.sum(axis=0) - len(bits) / 2) / np.sqrt(len(bits) / 4)
    bits_p = 2 * stats.norm.sf(z.max()) * bits.shape[1]
    return min(bytes_p, bits_p) > false_alarm / 2


def test_the_sum_is_exact(masked, sketches):
    total = from_words(unmask_sum(list(masked.values()), ROUND))
    assert total.tolist() == sum(sketches.values()).tolist()
    assert unmask_sum(list(masked.values())[::-1], ROUND).tobytes() == total.astype(np.uint32).tobytes()


def test_any_four_vectors_look_uniform_and_so_does_every_sum_of_them(masked):
    """30 proper subsets: each as it stands and summed, so 60 looks; false alarm 1e-6 for all together."""
    subsets = [s for size in range(1, 5) for s in itertools.combinations(SILOS, size)]
    for subset in subsets:
        vectors = [masked[silo].values for silo in subset]
        assert looks_uniform(np.concatenate(vectors), FALSE_ALARM / 60), subset
        assert looks_uniform(np.sum(vectors, axis=0, dtype=np.uint32), FALSE_ALARM / 60), subset


def test_the_same_look_sees_what_is_not_masked(masked, sketches):
    assert not looks_uniform(unmask_sum(list(masked.values()), ROUND), FALSE_ALARM)
    assert not looks_uniform(to_words(sketches["silo-0"], 5), FALSE_ALARM)


def test_a_masked_vector_says_nothing_about_which_sketch_it_hides(keys_and_offers, sketches):
    """All zeros and a real sketch: the masks are the same stream, so the difference is the vector itself.

    That is also why one key masks one vector only.
    """
    keys, offers = keys_and_offers
    real = to_words(sketches["silo-2"], 5)
    hidden = mask(real, keys["silo-2"], offers, ENROLLED).values
    empty = mask(np.zeros_like(real), keys["silo-2"], offers, ENROLLED).values
    assert looks_uniform(empty, FALSE_ALARM)
    assert (hidden - empty).tobytes() == real.tobytes()


def test_masks_change_with_the_round_even_under_the_same_keys(keys_and_offers):
    """A silo that reuses its key: the difference of its two masked vectors must not give its data away."""
    keys, offers = keys_and_offers
    zeros = np.zeros(4096, dtype=np.uint32)
    first = {silo: mask(zeros, keys[silo], offers, ENROLLED).values for silo in SILOS}
    for other in (replace(ROUND, number=2), replace(ROUND, run="run-b"), replace(ROUND, schema="else")):
        reused, again = offered(other, {silo: replace(key, round=other) for silo, key in keys.items()})
        for silo in SILOS:
            second = mask(zeros, reused[silo], again, ENROLLED).values
            assert looks_uniform(second - first[silo], FALSE_ALARM / 15)


def test_a_key_of_another_round_is_refused(keys_and_offers):
    keys, _ = keys_and_offers
    _, later = offered(replace(ROUND, number=2))
    with pytest.raises(ValueError, match="the signature of silo-0 does not fit its key for round 1"):
        mask(np.zeros(4, dtype=np.uint32), keys["silo-0"], later, ENROLLED)


def test_masks_are_hkdf_and_chacha20_to_the_letter(keys_and_offers):
    """RFC 5869 and RFC 8439 written out here, for the pair silo-0 and silo-1 of a round of three."""
    three = SumRound("run", 0, "s", SILOS[:3])
    keys, offers = offered(three)
    words = 40
    expected = np.zeros(words, dtype=np.uint32)
    for other in (1, 2):
        info = '["tailweave/secure-sum/1/mask","run",0,"s",["silo-0","silo-1","silo-2"],["silo-0",'
        info += f'"silo-{other}"]]'
        extracted = hmac.digest(bytes(32), shared_secret(keys["silo-0"], offers[other]), hashlib.sha256)
        key = hmac.digest(extracted, info.encode() + b"\x01", hashlib.sha256)
        expected = expected + np.concatenate([chacha20_block(key, block) for block in range(3)])[:words]
    found = mask(np.zeros(words, dtype=np.uint32), keys["silo-0"], offers, ENROLLED).values
    assert found.tolist() == expected.tolist()


def chacha20_block(key, counter):
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    state += np.frombuffer(key, dtype="<u4").tolist() + [counter, 0, 0, 0]
    x = list(state)

    def quarter(a, b, c, d):
        for p, q, r, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[p] = (x[p] + x[q]) & 0xFFFFFFFF
            x[r] ^= x[p]
            x[r] = ((x[r] << turn) | (x[r] >> (32 - turn))) & 0xFFFFFFFF

    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(a, b, c, d)
        for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(a, b, c, d)
    return np.array([(a + b) & 0xFFFFFFFF for a, b in zip(x, state, strict=True)], dtype=np.uint32)


@pytest.mark.parametrize("count", [3, 4])
def test_sums_wrap_and_cross_the_wire(count):
    dtype = np.uint32
    sum_round = SumRound("run", 7, "s", SILOS[:count])
    keys, offers = offered(sum_round)
    vectors = {silo: np.arange(6, dtype=dtype) - dtype(3 * i) for i, silo in enumerate(sum_round.silos)}
    sent = [mask(vector, keys[silo], offers, ENROLLED) for silo, vector in vectors.items()]
    received = [Masked.from_arrays(m.silo, m.number, m.arrays()) for m in sent]
    for before, after in zip(sent, received, strict=True):
        assert after.values.dtype == dtype
        assert after.values.tobytes() == before.values.tobytes()
    total = unmask_sum(received, sum_round)
    assert total.dtype == dtype
    assert total.tobytes() == np.sum(list(vectors.values()), axis=0, dtype=dtype).tobytes()


@pytest.mark.parametrize("gone", [("silo-3",), ("silo-0", "silo-4")])
def test_a_drop_out_aborts_and_names_who(masked, gone):
    left = [vector for silo, vector in masked.items() if silo not in gone]
    with pytest.raises(DroppedOut, match=f"{', '.join(gone)} dropped out of secure sum 1: .* new keys"):
        unmask_sum(left, ROUND)


def test_after_a_drop_out_a_new_round_of_the_rest_is_exact(sketches):
    rest = replace(ROUND, number=2, silos=SILOS[:4])
    keys, offers = offered(rest)
    sent = [mask(to_words(sketches[silo], 4), keys[silo], offers, ENROLLED) for silo in rest.silos]
    assert from_words(unmask_sum(sent, rest)).tolist() == sum(sketches[s] for s in rest.silos).tolist()


def test_the_server_cannot_choose_who_masks_with_whom(keys_and_offers):
    keys, offers = keys_and_offers
    vector = np.zeros(4, dtype=np.uint32)
    for passed_on in (offers[:-1], [*offers[:-1], offers[0]], [*offers, offers[0]], []):
        with pytest.raises(ValueError, match="offers must be one of each of"):
            mask(vector, keys["silo-0"], passed_on, ENROLLED)
    mine = signed_offer(keypair(ROUND, "silo-0"), IDENTITIES["silo-0"][0])
    with pytest.raises(ValueError, match="the server passed on another key for silo-0"):
        mask(vector, keys["silo-0"], [mine, *offers[1:]], ENROLLED)


def test_an_unsigned_key_among_the_offers_is_refused(keys_and_offers):
    keys, offers = keys_and_offers
    swapped = [
        *offers[:3],
        replace(offers[3], public=offers[4].public),
        replace(offers[4], public=offers[3].public),
    ]
    with pytest.raises(ValueError, match="the signature of silo-3 does not fit"):
        mask(np.zeros(4, dtype=np.uint32), keys["silo-0"], swapped, ENROLLED)


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(4),
        np.zeros(4, dtype=np.int64),
        np.zeros(4, dtype=np.uint64),
        np.zeros((2, 2), dtype=np.uint32),
        np.zeros(0, dtype=np.uint32),
    ],
)
def test_vectors_of_another_kind_are_refused(keys_and_offers, vector):
    keys, offers = keys_and_offers
    with pytest.raises(ValueError, match="vector must be non-empty, of uint32"):
        mask(vector, keys["silo-0"], offers, ENROLLED)


def test_vectors_that_do_not_belong_together_are_refused(masked):
    vectors = list(masked.values())
    for wrong in (
        [*vectors[:-1], vectors[0]],
        [*vectors[:-1], replace(vectors[-1], silo="silo-9")],
        [*vectors[:-1], replace(vectors[-1], number=0)],
    ):
        with pytest.raises(ValueError, match="round 1 needs one vector of each of"):
            unmask_sum(wrong, ROUND)
    for values in (vectors[-1].values[:-1], vectors[-1].values.astype(np.uint64)):
        with pytest.raises(ValueError, match="vectors must agree in length and words"):
            unmask_sum([*vectors[:-1], replace(vectors[-1], values=values)], ROUND)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({}, "needs one array 'words'"),
        ({"words": np.zeros((2, 2))}, "needs one array 'words'"),
        ({"words": np.zeros(2)}, "needs one array 'words'"),
        ({"words": np.array([[0.5]])}, "words must be whole numbers"),
        ({"words": np.array([[-1.0]])}, "words must be whole numbers"),
        ({"words": np.array([[2.0**32]])}, "words must be whole numbers"),
        ({"words": np.array([[np.nan]])}, "words must be whole numbers"),
    ],
)
def test_malformed_words_are_refused(arrays, said):
    with pytest.raises(ValueError, match=said):
        Masked.from_arrays("silo-0", 1, arrays)
