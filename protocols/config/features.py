# SPDX-License-Identifier: Apache-2.0
"""The public feature map: in which space samples are compared."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec

SMALL_CONV = "small-conv"
"""Names the encoder that is trained on public samples; any other name is a pretrained model's."""


class FeaturesSpec(Spec):
    """The public map into the space in which samples are compared.

    ``encoder`` is for images: a frozen network, then PCA to ``dimensions``. ``model`` is ``small-conv``, a
    small network trained on public synthetic samples, or the folder or hub name of a vision model for the
    ``transformers`` library, such as facebook/dinov2-small.
    """

    kind: Literal["identity", "standard", "pca", "random-projection", "encoder"] = "identity"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    fit_on: Literal["generator"] = "generator"
    model: Annotated[str, Field(min_length=1, max_length=300)] | None = None

    @model_validator(mode="after")
    def _dimensions_where_needed(self) -> Self:
        reduces = self.kind in ("pca", "random-projection", "encoder")
        if reduces and self.dimensions is None:
            raise ValueError(f"features of kind {self.kind} need dimensions")
        if not reduces and self.dimensions is not None:
            raise ValueError(f"features of kind {self.kind} keep every column: remove dimensions")
        return self

    @model_validator(mode="after")
    def _model_where_needed(self) -> Self:
        if self.kind == "encoder" and self.model is None:
            raise ValueError(
                f"features of kind encoder need a model: {SMALL_CONV}, or a folder or hub name of a vision "
                "model such as facebook/dinov2-small"
            )
        if self.kind != "encoder" and self.model is not None:
            raise ValueError(f"features of kind {self.kind} have no model: remove it")
        return self
