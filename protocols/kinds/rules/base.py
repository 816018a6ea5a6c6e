# SPDX-License-Identifier: Apache-2.0
"""What every selection rule says of itself."""

from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tailweave.protocols.config.base import Spec
from tailweave.protocols.sorts import SORTS, SortName

SURPRISE = "surprise"
"""Score of how unlikely the generator finds a candidate: minus the log probability."""


CONFIDENCE = "confidence"
"""Score of how sure the generator is of the label that it gave a candidate: the probability of the label."""


class RuleKind(Spec):
    """A selection rule with its options; the docstring's first line stands in ``tailweave list``.

    ``compares`` says with what: ``nothing`` (no reference is allowed), ``points`` (a reference that has
    them), or ``potential`` (any reference; a sketch is enough). With ``compares_samples`` it reads the
    samples themselves that the reference was made of, so they must be on the silo's node. ``takes`` names
    the sorts of sample that it is for; with ``reads_labels`` they need labels. ``scores`` names the numbers
    beside the features that it needs of each candidate, which only some generators give; ``keeps_surprise``
    says that it keeps what surprises the generator most. ``chooses_among`` says whether it needs candidates
    of several ``generations``, or ``real`` ones too. ``implemented_in`` names the file in
    ``clients/selection``, if it is not the rule's own name.
    """

    kind: str
    implemented_in: ClassVar[str | None] = None
    compares: ClassVar[Literal["nothing", "points", "potential"]] = "points"
    compares_samples: ClassVar[bool] = False
    takes: ClassVar[tuple[SortName, ...]] = SORTS
    scores: ClassVar[tuple[str, ...]] = ()
    keeps_surprise: ClassVar[bool] = False
    reads_labels: ClassVar[bool] = False
    chooses_among: ClassVar[Literal["any", "generations", "real"]] = "any"

    @property
    def fewest(self) -> int:
        """Fewest candidates that it can choose from."""
        return 1

    @model_serializer(mode="wrap")
    def _by_its_name_alone(self, write: SerializerFunctionWrapHandler) -> Any:  # noqa: ANN401 - JSON
        """Where every option is as published, the name says all."""
        return write(self) if self != type(self)(kind=self.kind) else self.kind
