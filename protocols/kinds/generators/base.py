# SPDX-License-Identifier: Apache-2.0
"""What every generator says of itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import ValidationError

from tailweave.protocols.config.base import Spec
from tailweave.protocols.sorts import ROWS, SortName

if TYPE_CHECKING:
    from numpy.typing import NDArray


class GeneratorKind(Spec):
    """A generator with its options; the docstring's first paragraph stands in ``tailweave list``.

    ``large`` says that a model is many big arrays: then its checkpoint has a file of its own for them.
    ``public_samples`` of the base are drawn to fit the feature map.
    ``takes`` names the sorts of sample that it is fitted on, ``scores`` what it can say of a candidate.
    ``varies`` names options in which arms may differ, for they do not change the public base. ``labels`` says
    that what it draws has labels, which it learns from.
    """

    kind: str
    start: Any = "shared"
    large: ClassVar[bool] = False
    public_samples: ClassVar[int] = 4000
    takes: ClassVar[tuple[SortName, ...]] = ROWS
    scores: ClassVar[tuple[str, ...]] = ()
    varies: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[bool] = False

    @property
    def fewest_rows(self) -> tuple[int, str]:
        """Fewest training rows that it can be fitted on, and the option that says so."""
        return 1, "rows"

    @property
    def sees_own(self) -> str | None:
        """Setting by which models look at the silo's own rows although ``start`` is not local; None if none.

        A model then has a method ``primed``, which is given these rows.
        """
        return None

    @property
    def looks_at_base(self) -> bool:
        """Whether models look at the public base, even where they do not start from it."""
        return False

    @property
    def looks_at_reference(self) -> bool:
        """Whether models look at the arm's reference, even where the rule compares with nothing."""
        return False

    @property
    def opened_models(self) -> tuple[str, ...]:
        """Pretrained models that a silo itself opens; its owner must have named them."""
        return ()

    def parameters(self, columns: int) -> int | None:
        """Return how many numbers a model of rows of so many columns has; None where only a fit can tell."""
        return None

    def working_bytes(self, columns: int) -> int | None:
        """Return the memory that a refit on rows of so many columns needs at least; None where not known."""
        return None

    def operations(self, columns: int, rows: int) -> tuple[float, float] | None:
        """Return about how many products a fit on so many rows takes, and drawing one; None if not known."""
        return None

    def smaller(self, columns: int, most: int) -> str:
        """Say with which options a refit on so many columns needs ``most`` bytes; empty if with none."""
        return ""

    def training_steps(self, rows: int, *, first: bool) -> int:
        """Return the steps of a fit on so many rows, a ``first`` one or a later; 0 if it takes none."""
        return 0

    @property
    def in_steps(self) -> str:
        """What a step of training, and drawing a row, take, in words; empty if there are no steps."""
        return ""

    def misfit(self, parameters: "Mapping[str, NDArray[Any]]") -> str | None:
        """Say why parameters of this kind, from a file, are not of this spec.

        None if they are, or if they are none at all, which reading them says better.
        """
        return None

    def varied(self, options: Mapping[str, Any]) -> Self:
        """Return the same with the options of one arm, by their names in a configuration.

        Raises:
            ValueError: If one may not differ between arms, or has a wrong value.
        """
        allowed = [name.replace("_", "-") for name in self.varies]
        wrong = [name for name in options if name not in allowed]
        if wrong:
            known = ", ".join(allowed) or "none"
            raise ValueError(f"generator.{wrong[0]} may not differ between arms; those that may: {known}")
        try:
            return type(self).model_validate(self.model_dump(by_alias=True) | dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"generator{f'.{where}' if where else ''}: {first['msg']}") from None

    def anchored(self, folder: Path) -> Self:
        """Return the same with relative paths taken from ``folder``, that of the experiment."""
        return self


def anchored_base(base: str | None, folder: Path) -> str | None:
    """Return a pretrained base that is a folder there by its whole path; else it may be a name on the hub."""
    if base is None or Path(base).is_absolute() or not (folder / base).is_dir():
        return base
    return str((folder / base).resolve())


def check_base(base: str | None, network: Spec | None, first_epochs: int) -> None:
    """Refuse a network beside a base, and an untrained network without one.

    Raises:
        ValueError: With what is allowed.
    """
    if base is not None and network is not None:
        raise ValueError("base brings its own network: remove network or base")
    if base is None and first_epochs == 0:
        raise ValueError("first-epochs may be 0 only with a base, got 0")


class LocalOrShared(GeneratorKind):
    """A generator that is not averaged over silos; no kind of its own."""

    start: Literal["shared", "local"] = "shared"
