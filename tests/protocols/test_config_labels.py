# SPDX-License-Identifier: Apache-2.0
"""What needs labels is refused where there are none, before anything runs."""

import pytest
from pydantic import ValidationError

from tailweave.protocols.config.experiment import Experiment

SKETCH = {"kind": "sliced", "basis": "cosine", "directions": 32, "coefficients": 4}
LABELLING = {"kind": "self-labelling"}
JOINT = {"kind": "pca", "dimensions": 4, "label-weight": 2.0}


def experiment(arm: dict, **keys) -> Experiment:
    raw = {
        "name": "small",
        "data": {"source": "wine"},
        "features": JOINT,
        "silos": {"count": 2, "partition": {"kind": "iid"}, "labelled": 20},
        "generator": LABELLING,
        "recursion": {"generations": 1, "samples": 10},
        "arms": [{"name": "one", **arm}],
    }
    return Experiment.model_validate(raw | keys)


@pytest.mark.parametrize(
    "arm",
    [
        {"rule": "most-confident"},
        {"rule": "dsbr"},
        {"rule": "class-balanced", "reference": "public"},
        {"rule": "confident-herding", "reference": SKETCH},
        {"rule": "random", "reference": SKETCH, "generator": {"prior": "reference"}},
        {"rule": "random", "generator": {"labeller": "truth"}},
    ],
)
def test_arms_of_labelled_candidates_are_read_back_as_they_were(arm):
    made = experiment(arm)
    assert Experiment.model_validate(made.model_dump(mode="json", by_alias=True)) == made


@pytest.mark.parametrize(
    ("arm", "keys", "message"),
    [
        (
            {"rule": "dsbr"},
            {"generator": {"kind": "gaussian"}, "features": "identity"},
            r"rule dsbr needs a generator whose candidates have labels \(self-labelling\), got gaussian",
        ),
        (
            {"rule": "random"},
            {"generator": {"kind": "gaussian"}},
            r"arm one: features.label-weight needs a generator whose candidates have labels",
        ),
        (
            {"rule": "class-balanced", "reference": "public"},
            {"features": "identity"},
            "rule class-balanced reads shares of classes from the reference: set features.label-weight",
        ),
        (
            {"rule": "random", "reference": SKETCH, "generator": {"prior": "reference"}},
            {"features": "identity"},
            "arm one: generator.prior: reference reads shares of classes",
        ),
        ({"rule": "random", "reference": SKETCH}, {}, "rule random compares with nothing: remove reference"),
        (
            {"rule": "random", "reference": SKETCH, "generator": {"prior": "public"}},
            {},
            "arm one: rule random compares with nothing: remove reference",
        ),
        (
            {"rule": "random", "generator": {"inputs": "own"}},
            {},
            "generator.inputs may not differ between arms",
        ),
        (
            {"rule": "random", "generator": {"labeller": "truth"}},
            {"generator": {"kind": "self-labelling", "inputs": "own"}},
            "labeller: truth needs inputs: public",
        ),
        ({"rule": "random", "generator": {"prior": "best"}}, {}, "generator.prior: Input should be"),
    ],
)
def test_what_does_not_go_together_is_refused(arm, keys, message):
    with pytest.raises(ValidationError, match=message):
        experiment(arm, **keys)
