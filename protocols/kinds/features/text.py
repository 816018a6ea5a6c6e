# SPDX-License-Identifier: Apache-2.0
"""Maps of documents."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from tailweave.protocols.kinds.features.base import Dimensions, FeaturesKind


class HiddenStates(FeaturesKind):
    """Documents: mean hidden state of a public language model, then principal axes of public samples.

    The model is the public base of generator ``language-model``, or ``model``: the folder or hub name of any
    text model for the ``transformers`` library, such as sentence-transformers/all-MiniLM-L6-v2.
    """

    kind: Literal["hidden-states"]
    takes: ClassVar = ("text",)
    dimensions: Dimensions = 32
    model: Annotated[str, Field(min_length=1, max_length=300)] | None = None

    @property
    def reduces_to(self) -> int:
        """As given."""
        return self.dimensions

    @property
    def encoder(self) -> str:
        """The model's name."""
        return self.model or "the public base"


class TfIdf(FeaturesKind):
    """Documents: hashed words, weighed by how rare they are in public samples, then singular vectors."""

    kind: Literal["tf-idf"]
    takes: ClassVar = ("text",)
    dimensions: Dimensions = 32
    columns: Annotated[int, Field(ge=2, le=65_536)] = 2048

    @property
    def reduces_to(self) -> int:
        """As given."""
        return self.dimensions

    @property
    def encoder(self) -> str:
        """Not a network, but in its place."""
        return "tf-idf"
