# SPDX-License-Identifier: Apache-2.0
"""Any classifier of scikit-learn by its name, untrained."""

import importlib
import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from tailweave.clients.data.naming import unknown_name
from tailweave.protocols.config.classifier import ClassifierOptions

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

_SUFFIX = "Classifier"
_NEAR = ("sklearn.ensemble", "sklearn.linear_model")
"""Looked into first: to look through all of scikit-learn takes 3 s more."""


def classifier(spec: ClassifierOptions, *, state: int, probabilities: bool = False) -> "ClassifierMixin":
    """Make an untrained classifier.

    Args:
        spec: Its name in kebab-case, without "classifier" at the end, and its options.
        state: Seed of what is random in it, where anything is.
        probabilities: Whether it must say how sure it is (``predict_proba``).

    Returns:
        The classifier, which runs in one process.

    Raises:
        ValueError: If there is none of that name, it takes no such option, cannot be made of plain options
            alone, or has no probabilities and must.
    """
    found = _found(spec.name)
    allowed = sorted(_options(found))
    options = {name.replace("-", "_"): value for name, value in spec.options.items()}
    for name in options:
        if name not in allowed:
            kebab = [one.replace("_", "-") for one in allowed]
            said = unknown_name("option", name.replace("_", "-"), kebab)
            raise ValueError(f"classifier {spec.name}: {said}")
    if "random_state" in allowed:
        options.setdefault("random_state", state)
    try:
        made = found(**options)
    except TypeError as error:
        raise ValueError(f"classifier {spec.name} cannot be made of plain options alone: {error}") from None
    if probabilities and not hasattr(made, "predict_proba"):
        raise ValueError(
            f"classifier {spec.name} says no probabilities (it has no predict_proba), which are needed here; "
            "random-forest, logistic-regression and gradient-boosting do"
        )
    return made


def kebab(name: str) -> str:
    """Return what a class is called in a configuration: ``RandomForestClassifier`` is ``random-forest``."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name.removesuffix(_SUFFIX))
    return words.lower()


def _found(name: str) -> Any:  # noqa: ANN401 - a class of scikit-learn, which has no types
    from sklearn.base import ClassifierMixin

    for place in _NEAR:
        for found in vars(importlib.import_module(place)).values():
            if (
                inspect.isclass(found)
                and issubclass(found, ClassifierMixin)
                and kebab(found.__name__) == name
            ):
                return found
    if name not in _all():
        raise ValueError(unknown_name("classifier", name, sorted(_all())))
    return _all()[name]


@cache
def _all() -> dict[str, Any]:
    from sklearn.utils.discovery import all_estimators

    return {kebab(name): found for name, found in all_estimators(type_filter="classifier")}


def _options(found: Any) -> set[str]:  # noqa: ANN401 - as above
    return set(inspect.signature(found).parameters)
