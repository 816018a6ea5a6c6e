# SPDX-License-Identifier: Apache-2.0
"""A classifier in a configuration: by scikit-learn's name, or as a mapping with options."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from tailweave.protocols.config.base import Spec


class ClassifierOptions(Spec):
    """A classifier of scikit-learn: its class's name in kebab-case, and its constructor's arguments.

    ``random-forest`` is ``RandomForestClassifier``; ``options: {max-depth: 20}`` is ``max_depth=20``. Whether
    there is such a classifier is known where classifiers are, on a client.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    options: dict[str, bool | int | float | str | None] = {}


def _alone(raw: object) -> object:
    return {"name": raw} if isinstance(raw, str) else raw


ClassifierSpec = Annotated[ClassifierOptions, BeforeValidator(_alone)]
