# SPDX-License-Identifier: Apache-2.0
"""Where generation 0 comes from: public samples, a silo's own rows, all silos' rows by FedAvg, or a file."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.generators.base import GeneratorKind

Word = Literal["shared", "local", "federated"]
PARAMETER_LEAK = (
    "reveals each silo's own fit to the server, without noise: of a gaussian the mean and covariance of its "
    "rows, of a mixture the same of every component, which is a row itself where a component fits one row"
)
"""What FedAvg leaks: said when it is refused, and when it is used."""
_DEFAULT_ROUNDS = {"gaussian": 1, "gaussian-mixture": 10}


class BasePath(Spec):
    """A file that each node has (``protocols.base_file``); relative to the folder of the experiment."""

    path: Annotated[str, Field(min_length=1, max_length=1000)]


def _word_or_file(*words: str) -> BeforeValidator:
    """Say in one sentence what is wrong, where a union would say it once for each of its parts."""

    def checked(raw: object) -> object:
        if isinstance(raw, BasePath) or raw in words:
            return raw
        try:
            return BasePath.model_validate(raw)
        except ValidationError:
            allowed = ", ".join(words)
            raise ValueError(f"must be one of {allowed}, or {{path: FILE}}, got {str(raw)[:60]!r}") from None

    return BeforeValidator(checked)


Start = Annotated[Word | BasePath, _word_or_file(*get_args(Word))]
SharedOrLocal = Literal["shared", "local"]
UnaveragedStart = Annotated[SharedOrLocal | BasePath, _word_or_file(*get_args(SharedOrLocal))]
"""Of a generator whose parameters cannot be averaged over silos."""


def anchored_start(start: Word | BasePath, folder: Path) -> Word | BasePath:
    """Return the same with a relative file taken from ``folder``."""
    if not isinstance(start, BasePath) or Path(start.path).is_absolute():
        return start
    return BasePath(path=str((folder / start.path).resolve()))


class StartedSpec(GeneratorKind):
    """What the generators share that can start in all four ways; no kind of its own.

    ``start: federated`` makes ``federated_rounds`` rounds of FedAvg over all silos (null: 1 for a gaussian,
    which is exact then, 10 for a mixture), each of ``federated_steps`` local steps (of EM, for a mixture)
    from the model of the round before; the first round begins with the public base.
    """

    ridge: Annotated[float, Field(gt=0.0)] = 1e-6
    start: Start = "shared"
    federated_rounds: Annotated[int, Field(ge=1, le=1000)] | None = None
    federated_steps: Annotated[int, Field(ge=1, le=1000)] = 1

    @property
    def rounds(self) -> int:
        """How many rounds of FedAvg come before generation 0."""
        if self.start != "federated":
            return 0
        return self.federated_rounds or _DEFAULT_ROUNDS[self.kind]

    def anchored(self, folder: Path) -> Self:
        """Return the same with a file of the start taken from ``folder``."""
        return self.model_copy(update={"start": anchored_start(self.start, folder)})

    @model_validator(mode="after")
    def _rounds_only_where_federated(self) -> Self:
        if self.start != "federated" and (self.federated_rounds, self.federated_steps) != (None, 1):
            raise ValueError(
                "federated-rounds and federated-steps are for start: federated only: remove them"
            )
        return self


def check_parameter_release(
    generator: object, privacy: PrivacySpec, epsilons: Iterable[tuple[str, float | None]]
) -> None:
    """Refuse FedAvg where something is promised that it breaks, or where nobody has agreed to it.

    Raises:
        ValueError: If parameters would be released although nobody said so, an epsilon is promised, or
            secure aggregation is on.
    """
    if not isinstance(generator, StartedSpec) or generator.start != "federated":
        return
    if not privacy.allow_parameter_release:
        raise ValueError(
            f"generator.start: federated {PARAMETER_LEAK}; where that may be, say "
            "privacy.allow-parameter-release: true"
        )
    if privacy.secure_aggregation:
        raise ValueError(
            f"generator.start: federated {PARAMETER_LEAK}: it cannot stand beside "
            "privacy.secure-aggregation: true"
        )
    promised = [("privacy", privacy.epsilon), *((f"arm {name}", epsilon) for name, epsilon in epsilons)]
    for where, epsilon in promised:
        if epsilon is not None:
            raise ValueError(
                f"generator.start: federated {PARAMETER_LEAK}: no epsilon holds beside it; set epsilon: "
                f"null, got {epsilon:g} in {where}"
            )
