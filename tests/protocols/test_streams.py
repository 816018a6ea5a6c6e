# SPDX-License-Identifier: Apache-2.0
import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, t

from tailweave.protocols.streams import stream

FALSE_ALARM = 1e-6
PART = st.one_of(st.text(alphabet="a/\\:1str", max_size=6), st.integers(0, 20))
PATH = st.lists(PART, min_size=1, max_size=3).map(tuple)


def first(*path, seed=7):
    return int(stream(seed, *path).integers(2**63))


def test_same_seed_and_path_give_the_same_draws():
    a, b = stream(3, "silo", 2, "fit"), stream(3, "silo", 2, "fit")
    assert a.standard_normal(50).tobytes() == b.standard_normal(50).tobytes()


def test_key_is_the_hash_of_the_typed_path():
    key = np.frombuffer(hashlib.sha256(b"str:silo/int:3").digest(), dtype="<u4")
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence([11, *key.tolist()])))
    assert stream(11, "silo", 3).random() == expected.random()


def test_global_state_is_neither_read_nor_written():
    np.random.seed(0)  # noqa: NPY002 - the state that must not matter
    before = np.random.get_state()[1].tobytes()  # noqa: NPY002
    stream(0, "a").random()
    assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", 1), ("a", "1")),
        (("a", "b"), ("b", "a")),
        (("a",), ("a", "a")),
        (("ab",), ("a", "b")),
        (("a/str:b",), ("a", "b")),
        (("a\\/str:b",), ("a\\", "b")),
        ((1,), (True,)),
    ],
    ids=["type", "order", "prefix", "joined", "separator", "escape", "bool"],
)
def test_different_paths_give_different_streams(one, other):
    assert first(*one) != first(*other)


def test_different_seeds_give_different_streams():
    assert len({first("a", seed=seed) for seed in (0, 1, 2**32, 2**32 + 1)}) == 4


@given(PATH, PATH)
@settings(max_examples=100, deadline=None)
def test_draws_agree_exactly_when_paths_do(one, other):
    # two different paths agree by chance with probability 2**-63
    assert (first(*one) == first(*other)) == (one == other)


def test_sibling_streams_are_uncorrelated():
    count, draws = 150, 400
    table = np.stack([stream(0, "silo", k).standard_normal(draws) for k in range(count)])
    r = np.corrcoef(table)[np.triu_indices(count, 1)]
    statistic = np.abs(r) * np.sqrt((draws - 2) / (1 - r**2))  # exactly Student t for independent normals
    assert statistic.max() < t.isf(FALSE_ALARM / 2 / r.size, draws - 2)


def test_first_draws_of_sibling_streams_are_uniform():
    count, bins = 4000, 20
    found = np.histogram(
        [stream(s, "x", k).random() for s in (0, 1) for k in range(count // 2)], bins, (0, 1)
    )[0]
    statistic = ((found - count / bins) ** 2 / (count / bins)).sum()
    assert statistic < chi2.isf(FALSE_ALARM, bins - 1)


def test_refuses_negative_seed_and_empty_path():
    with pytest.raises(ValueError, match="seed must be non-negative, got -1"):
        stream(-1, "a")
    with pytest.raises(ValueError, match="path must name the purpose"):
        stream(0)
