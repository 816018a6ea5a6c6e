# SPDX-License-Identifier: Apache-2.0
"""Classifiers by name."""

import pytest

from tailweave.clients.classifiers import classifier, kebab
from tailweave.protocols.config.classifier import ClassifierOptions


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RandomForestClassifier", "random-forest"),
        ("SVC", "svc"),
        ("GaussianNB", "gaussian-nb"),
        ("HistGradientBoostingClassifier", "hist-gradient-boosting"),
        ("KNeighborsClassifier", "k-neighbors"),
    ],
)
def test_a_name_is_that_of_the_class_in_kebab_case(name: str, expected: str) -> None:
    assert kebab(name) == expected


@pytest.mark.parametrize("name", ["random-forest", "logistic-regression", "gaussian-nb"])
def test_one_is_made_by_its_name_with_its_options(name: str) -> None:
    options = {"random-forest": {"max-depth": 3}, "logistic-regression": {"C": 0.5}}.get(name, {})
    made = classifier(ClassifierOptions(name=name, options=options), state=7, probabilities=True)
    assert kebab(type(made).__name__) == name
    found = made.get_params()
    assert {key.replace("-", "_"): value for key, value in options.items()}.items() <= found.items()
    assert found.get("random_state", 7) == 7


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("random-forrest", {}, "nearest: 'random-forest'"),
        ("linear-regression", {}, "no classifier 'linear-regression'"),
        ("voting", {}, "cannot be made of plain options alone"),
        ("random-forest", {"depth": 3}, "no option 'depth'; nearest: 'max-depth'"),
        ("linear-svc", {}, "has no predict_proba"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_is_allowed(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(ClassifierOptions(name=name, options=options), state=0, probabilities=True)
