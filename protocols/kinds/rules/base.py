# SPDX-License-Identifier: Apache-2.0
"""What every selection rule says of itself."""

from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tailweave.protocols.config.base import Spec

SURPRISE = "surprise"
"""Score of how unlikely the generator finds a candidate: minus the log probability."""


class RuleKind(Spec):
    """A selection rule with its options; the docstring's first line stands in ``tailweave list``.

    ``compares`` says with what: ``nothing`` (no reference is allowed), ``points`` (a reference that has
    them), or ``potential`` (any reference; a sketch is enough). ``scores`` names the numbers beside the
    features that it needs of each candidate, which only some generators give. ``implemented_in`` names the
    file in ``clients/selection``, if it is not the rule's own name.
    """

    kind: str
    implemented_in: ClassVar[str | None] = None
    compares: ClassVar[Literal["nothing", "points", "potential"]] = "points"
    scores: ClassVar[tuple[str, ...]] = ()

    @property
    def fewest(self) -> int:
        """Fewest candidates that it can choose from."""
        return 1

    @model_serializer(mode="wrap")
    def _by_its_name_alone(self, write: SerializerFunctionWrapHandler) -> Any:  # noqa: ANN401 - JSON
        """Where every option is as published, the name says all."""
        return write(self) if self != type(self)(kind=self.kind) else self.kind
