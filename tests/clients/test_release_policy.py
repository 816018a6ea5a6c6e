# SPDX-License-Identifier: Apache-2.0
"""The owner's policy: what it says, how it is read, and that nothing beyond it passes."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailweave.clients.release.policy import (
    Policy,
    PolicyError,
    check,
    check_rows,
    load_policy,
    simulation_policy,
)
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.config.load import ConfigError
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.quantized import QuantizedReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import rows_bucket

FEATURES = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0)


def request(reference=None, *, features=FEATURES, seed=0, **privacy) -> ReleaseRequest:
    asked = PrivacySpec.model_construct(**({"epsilon": 2.0} | privacy))
    return ReleaseRequest(reference or SlicedReference(kind="sliced"), asked, features, seed)


def beyond(policy: Policy, asked: ReleaseRequest) -> list[str]:
    try:
        check(policy, asked)
    except PolicyError as error:
        return str(error).removeprefix("refused by the silo's policy: ").split("; ")
    return []


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    return path


def test_defaults_are_the_recommended_ones():
    policy = Policy()
    assert (policy.epsilon, policy.delta, policy.lifetime_epsilon) == (2.0, 1e-6, 8.0)
    assert (policy.releases_per_data_version, policy.min_rows) == (1, 200)
    assert not policy.allow_raw_row_leakage
    assert not policy.allow_no_privacy
    recommended = [SlicedReference(kind="sliced", directions=512), QuantizedReference(kind="quantized")]
    assert [beyond(policy, request(reference)) for reference in recommended] == [[], []]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request(epsilon=2.5), ["epsilon 2.5 asked, at most 2 allowed"]),
        (request(epsilon=None), ["epsilon null asked, allow-no-privacy is false"]),
        (request(epsilon=float("nan")), ["epsilon nan asked, at most 2 allowed"]),
        (request(delta=1e-5), ["delta 1e-05 asked, at most 1e-06 allowed"]),
        (
            request(SlicedReference(kind="sliced", directions=1025, coefficients=13), epsilon=4, delta=0.1),
            [
                "epsilon 4 asked, at most 2 allowed",
                "delta 0.1 asked, at most 1e-06 allowed",
                "directions 1025 asked, at most 1024 allowed",
                "coefficients 13 asked, at most 12 allowed",
            ],
        ),
        (
            request(SlicedReference(kind="sliced", basis="histogram", bins=65, coefficients=1024)),
            ["bins 65 asked, at most 64 allowed"],
        ),
        (request(SlicedReference(kind="sliced", bins=4096)), []),
        (
            request(QuantizedReference(kind="quantized", clusters=33), min_cluster_size=9),
            ["clusters 33 asked, at most 32 allowed", "min-cluster-size 9 asked, at least 10 allowed"],
        ),
        (
            request(SimpleNamespace(kind="barycenter")),
            ["kind barycenter asked, allowed: quantized, sliced"],
        ),
    ],
)
def test_names_all_that_is_beyond(asked, said):
    assert beyond(Policy(), asked) == said


def test_raw_rows_leave_only_where_the_owner_says_so_twice():
    leaking = Policy(kinds=("geodesic",), allow_raw_row_leakage=True)
    assert beyond(leaking, request(SimpleNamespace(kind="geodesic"))) == []
    shut = leaking.model_copy(update={"allow_raw_row_leakage": False})
    assert beyond(shut, request(SimpleNamespace(kind="geodesic"))) == [
        "kind geodesic asked, allow-raw-row-leakage is false"
    ]


def test_a_simulation_lets_everything_pass_that_the_configuration_has():
    widest = SlicedReference(kind="sliced", directions=8192, coefficients=1024, bins=4096)
    assert beyond(simulation_policy(), request(widest, epsilon=None)) == []
    most = QuantizedReference(kind="quantized", clusters=4096)
    assert beyond(simulation_policy(), request(most, epsilon=100.0, delta=0.999, min_cluster_size=1)) == []
    check_rows(simulation_policy(), request(epsilon=None), 1)


@given(
    directions=st.integers(1, 8192),
    coefficients=st.integers(1, 1024),
    epsilon=st.one_of(st.none(), st.floats(0.01, 100.0)),
    delta=st.floats(1e-12, 0.5),
)
@settings(max_examples=100)
def test_passes_exactly_what_lies_inside(directions, coefficients, epsilon, delta):
    policy = Policy()
    reference = SlicedReference(kind="sliced", directions=directions, coefficients=coefficients)
    inside = (
        epsilon is not None and epsilon <= 2.0 and delta <= 1e-6 and directions <= 1024 and coefficients <= 12
    )
    assert (beyond(policy, request(reference, epsilon=epsilon, delta=delta)) == []) == inside


def test_small_silos_are_refused_without_saying_how_small():
    for rows in (1, 199):
        with pytest.raises(PolicyError, match="fewer than min-rows = 200 rows") as caught:
            check_rows(Policy(), request(min_rows=5), rows)
        assert not re.search(rf"\b{rows}\b", str(caught.value))
    check_rows(Policy(), request(min_rows=5), 200)
    with pytest.raises(PolicyError, match="min-rows = 201"):
        check_rows(Policy(), request(min_rows=201), 200)
    check_rows(simulation_policy(), request(epsilon=None, min_rows=201), 200)


def test_delta_is_at_most_a_tenth_of_one_over_the_rows():
    check_rows(Policy(), request(delta=1e-6), 99_999)
    with pytest.raises(PolicyError, match="delta 1e-06 asked"):
        check_rows(Policy(), request(delta=1e-6), 100_000)


def passes(rows: int, **privacy) -> bool:
    try:
        check_rows(Policy(), request(**privacy), rows)
    except PolicyError:
        return False
    return True


@given(rows=st.integers(200, 10**7), min_rows=st.integers(1, 10**7), delta=st.floats(1e-9, 1e-6))
@settings(max_examples=200, deadline=None)
def test_whatever_a_server_asks_it_learns_no_more_than_the_bucket(rows, min_rows, delta):
    """Asking again and again with other bounds must not narrow the number of rows down."""
    asked = {"min_rows": min_rows, "delta": delta}
    first = rows_bucket(rows)
    last = rows_bucket(5 * first // 2) - 1
    assert rows_bucket(last) == first
    assert passes(rows, **asked) == passes(first, **asked) == passes(last, **asked)
    if passes(rows, **asked):
        assert min_rows <= rows
        assert delta * rows <= 0.1


def test_reads_what_is_written_and_defaults_for_the_rest(tmp_path):
    text = "epsilon: 1\nkinds: [sliced]\nlifetime-epsilon: 4.0\nreleases-per-data-version: 3\n"
    assert load_policy(written(tmp_path, text)) == Policy(
        epsilon=1.0, kinds=("sliced",), lifetime_epsilon=4.0, releases_per_data_version=3
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "epsilom: 1",
            r"policy.yaml: epsilom: unknown key; did you mean 'epsilon'\? allowed: epsilon, delta",
        ),
        ("allow-no-privcy: true", "did you mean 'allow-no-privacy'"),
        ("epsilon: 0", "epsilon: input should be greater than 0, got 0"),
        ("epsilon: .nan", "epsilon: "),
        ("epsilon: null", "epsilon: "),
        ("min-rows: true", "min-rows must be a number"),
        ("kinds: []", "kinds: "),
        ("kinds: [slicd]", "did you mean 'sliced'"),
        ("kinds: [barycenter]", "barycenter hand out raw rows: they need allow-raw-row-leakage: true"),
        ("allow-no-privacy: true", "set lifetime-epsilon: null, got 8"),
        ("epsilon: 9", "lifetime-epsilon must reach epsilon = 9, got 8"),
        ("epsilon: 1\nepsilon: 50", "key 'epsilon' stands twice .*line 2"),
        ("", "must be a mapping of keys, found NoneType"),
        ("- epsilon", "must be a mapping of keys, found list"),
        ("{", "not valid YAML"),
    ],
)
def test_a_policy_that_is_wrong_stops_the_silo(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        load_policy(written(tmp_path, text))


def test_a_policy_that_is_missing_stops_the_silo(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_policy(tmp_path / "nowhere.yaml")


def test_requests_that_release_the_same_have_one_digest():
    moved = FeatureMap(np.zeros(3), np.eye(3), np.full(3, 1e-9), 1.0)
    turned = FeatureMap(np.zeros(3), np.eye(3)[::-1].copy(), np.zeros(3), 1.0)
    histogram = SlicedReference(kind="sliced", basis="histogram")
    woven = SlicedReference(kind="sliced", basis="histogram", aggregate="barycenter")
    assert request(histogram).digest == request(woven).digest
    few, many = (QuantizedReference(kind="quantized", samples=n) for n in (10, 20))
    assert request(few).digest == request(many).digest
    different = [
        request(),
        request(seed=1),
        request(epsilon=1.0),
        request(delta=1e-7),
        request(histogram),
        request(few),
        request(features=moved),
        request(features=turned),
        request(SlicedReference(kind="sliced", range=5.0)),
    ]
    assert len({asked.digest for asked in different}) == len(different)
    assert all(re.fullmatch("[0-9a-f]{64}", asked.digest) for asked in different)
