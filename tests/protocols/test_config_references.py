# SPDX-License-Identifier: Apache-2.0
"""The options of the transport references, and that no arm uses them unless the experiment says so."""

import pytest
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.references import RAW_ROW_KINDS, REFERENCES, ReferenceSpec
from tailweave.protocols.kinds.references.transported import BarycenterReference, GeodesicReference

PARSE = TypeAdapter(ReferenceSpec).validate_python


def experiment(reference, privacy=None, **arm):
    return Experiment.model_validate(
        {
            "name": "schemes",
            "seeds": [0],
            "data": {"source": "wine"},
            "silos": {"count": 3, "partition": {"kind": "iid"}},
            "generator": {"kind": "gaussian"},
            "recursion": {"generations": 1, "samples": 20},
            "arms": [{"name": "scheme", "rule": "herding", "reference": reference, **arm}],
            "privacy": privacy or {},
        }
    )


def test_a_kind_alone_has_defaults():
    assert PARSE("barycenter") == BarycenterReference(kind="barycenter", support=200, iterations=10)
    geodesic = PARSE("geodesic")
    assert geodesic == GeodesicReference(kind="geodesic", support=200, interpolation=0.5, rounds=10)
    assert (geodesic.transport, geodesic.entropic_reg, geodesic.weights) == ("exact", None, "equal")
    assert next(iter(geodesic.model_dump())) == "kind"


def test_all_options():
    options = {"support": 50, "transport": "entropic", "entropic-reg": 0.5, "weights": "rows"}
    assert PARSE({"kind": "barycenter", "iterations": 3, **options}).entropic_reg == 0.5
    assert PARSE({"kind": "geodesic", "rounds": 3, "interpolation": 0.2, **options}).rounds == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transport": "entropic"}, "transport: entropic needs entropic-reg, in units of the cost"),
        ({"entropic-reg": 0.5}, "transport: exact has no entropic-reg: remove it or use .*, got 0.5"),
        ({"transport": "entropic", "entropic-reg": 0}, "greater than 0"),
        ({"transport": "entropic", "entropic-reg": float("inf")}, "finite"),
        ({"support": 1}, "greater than or equal to 2"),
        ({"support": 4001}, "less than or equal to 4000"),
        ({"weights": "masses"}, "'equal' or 'rows'"),
        ({"interpolation": 1.0}, "less than 1"),
        ({"rounds": 0}, "greater than or equal to 1"),
        ({"iterations": 3}, "Extra inputs"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValidationError, match=message):
        PARSE({"kind": "geodesic", **options})


@pytest.mark.parametrize("kind", RAW_ROW_KINDS)
def test_without_the_permission_the_load_is_refused_and_says_what_leaks(kind):
    message = (
        rf"arm scheme: reference {kind} reveals projections of real rows: .* gives away 100 % of them .*"
        "say privacy.allow-raw-row-leakage: true"
    )
    for privacy in ({}, {"allow-raw-row-leakage": False}, {"epsilon": 1.0}):
        with pytest.raises(ValidationError, match=message):
            experiment(kind, privacy)
    assert experiment(kind, {"allow-raw-row-leakage": True}).arms[0].reference.kind == kind
    assert REFERENCES.kinds[kind].sees == "releases"


@pytest.mark.parametrize("kind", RAW_ROW_KINDS)
def test_an_epsilon_that_cannot_hold_is_refused(kind):
    privacy = {"epsilon": 2.0, "allow-raw-row-leakage": True}
    with pytest.raises(ValidationError, match="no epsilon holds; set epsilon: null for this arm"):
        experiment(kind, privacy)
    assert experiment(kind, privacy, epsilon=None)


def test_other_references_need_no_permission():
    assert experiment("sliced").privacy.allow_raw_row_leakage is False


@pytest.mark.parametrize("rule", ["nash", "top-potential", "partial-transport", "center-matching"])
@pytest.mark.parametrize("kind", RAW_ROW_KINDS)
def test_rules_that_need_points_take_them(kind, rule):
    assert experiment(kind, {"allow-raw-row-leakage": True}, rule=rule)


def test_masks_do_not_fit_projections():
    privacy = {"allow-raw-row-leakage": True, "secure-aggregation": True, "honest-silos": 3, "epsilon": 1.0}
    with pytest.raises(ValidationError, match="got kind: barycenter"):
        experiment("barycenter", privacy, epsilon=None)
