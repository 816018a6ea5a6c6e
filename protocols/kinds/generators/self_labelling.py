# SPDX-License-Identifier: Apache-2.0
"""The generator of labelled inputs: a classifier that labels real inputs by itself."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.classifier import ClassifierOptions, ClassifierSpec
from tailweave.protocols.kinds.generators.base import LocalOrShared
from tailweave.protocols.kinds.rules.base import CONFIDENCE
from tailweave.protocols.sorts import SORTS, SortName


def _logistic() -> ClassifierOptions:
    return ClassifierOptions(name="logistic-regression", options={"max-iter": 1000})


class SelfLabelling(LocalOrShared):
    """A classifier that labels real inputs by itself, and is retrained on what it labelled.

    A candidate is a real input with the label that the current model gives it. Inputs are ``public`` ones,
    alike for all silos, or a silo's ``own`` rows without a label (``silos.labelled``). The ``truth`` as
    ``labeller`` is a ceiling, for simulation. With ``prior`` a class's probability is divided by the share of
    the class among what the model was trained on, and multiplied by that in the arm's ``reference``, or among
    the ``public`` rows: a model of few labels thinks that what its silo has most of is frequent everywhere.
    """

    kind: Literal["self-labelling"]
    start: Literal["local", "shared"] = "local"
    classifier: ClassifierSpec = Field(default_factory=_logistic)
    inputs: Literal["public", "own"] = "public"
    labeller: Literal["model", "truth"] = "model"
    prior: Literal["none", "public", "reference"] = "none"
    takes: ClassVar[tuple[SortName, ...]] = SORTS
    scores: ClassVar[tuple[str, ...]] = (CONFIDENCE,)
    varies: ClassVar[tuple[str, ...]] = ("labeller", "prior")
    labels: ClassVar[bool] = True

    @property
    def sees_own(self) -> str | None:
        """A silo's inputs without a label, where these are labelled."""
        return "generator.inputs: own" if self.inputs == "own" else None

    @property
    def looks_at_base(self) -> bool:
        """The public inputs and their shares of classes are the base's."""
        return "public" in (self.inputs, self.prior)

    @property
    def looks_at_reference(self) -> bool:
        """Whether models look at the arm's reference, even where the rule compares with nothing."""
        return self.prior == "reference"

    @model_validator(mode="after")
    def _truth_of_public_inputs(self) -> Self:
        if self.labeller == "truth" and self.inputs == "own":
            raise ValueError(
                "labeller: truth needs inputs: public: nobody knows the labels of a silo's unlabelled rows"
            )
        return self
