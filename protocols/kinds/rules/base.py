# SPDX-License-Identifier: Apache-2.0
"""What every selection rule says of itself."""

from typing import Any, ClassVar, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tailweave.protocols.config.base import Spec


class RuleKind(Spec):
    """A selection rule with its options; the docstring's first line stands in ``tailweave list``.

    ``compares`` says with what: ``nothing`` (no reference is allowed), ``points`` (a reference that has
    them), or ``potential`` (any reference; a sketch is enough).
    """

    kind: str
    compares: ClassVar[Literal["nothing", "points", "potential"]] = "points"

    @property
    def fewest(self) -> int:
        """Fewest candidates that it can choose from."""
        return 1

    @model_serializer(mode="wrap")
    def _by_its_name_alone(self, write: SerializerFunctionWrapHandler) -> Any:  # noqa: ANN401 - JSON
        """Where every option is as published, the name says all."""
        return write(self) if self != type(self)(kind=self.kind) else self.kind
