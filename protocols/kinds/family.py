# SPDX-License-Identifier: Apache-2.0
"""A family of kinds: every spec in its folder, and those that other installed packages bring.

A package brings kinds by entry points of the group ``tailweave.kinds``, each the spec of one kind: a subclass
of the family's base, whose field ``kind`` (``source`` for data) names it. No list of names is kept anywhere.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType, ModuleType
from typing import Annotated, Any, Union, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.complaints import UNKNOWN, nearest

GROUP = "tailweave.kinds"


class KindError(ValueError):
    """A kind that cannot be used: its package is broken, or its name is another's."""


class Family:
    """Kinds of one sort by their names."""

    def __init__(self, name: str, base: type[Spec], folder: str, *, tag: str = "kind") -> None:
        """Name a family.

        Args:
            name: What one of its kinds is called in messages, such as ``rule``.
            base: What all its specs derive from.
            folder: The package whose modules hold the specs that tailweave brings.
            tag: The key that names the kind in a configuration.
        """
        self.name, self.base, self.folder, self.tag = name, base, folder, tag

    @cached_property
    def kinds(self) -> Mapping[str, type[Any]]:
        """Specs by kind, in alphabetical order.

        Raises:
            KindError: If another package's kind cannot be loaded, or two have one name; names the package.
        """
        return _found(self)

    def is_own(self, name: str) -> bool:
        """Tell whether a kind is tailweave's own, and no other package's."""
        return self.kinds[name].__module__.startswith(f"{self.folder}.")

    def field(self, base: type[Spec] = Spec) -> Any:  # noqa: ANN401 - a type that pydantic reads
        """Return the type of a field that holds one of these, given as a mapping or by its name alone.

        Args:
            base: What all that are allowed derive from.
        """
        specs = tuple(spec for spec in dict.fromkeys(self.kinds.values()) if issubclass(spec, base))
        alone = BeforeValidator(self._alone)
        return Annotated[Union[specs], Field(discriminator=self.tag), alone]  # noqa: UP007 - built at run time

    def _alone(self, raw: object) -> object:
        return {self.tag: self.known(raw)} if isinstance(raw, str) else raw

    def known(self, name: str, *, among: Iterable[str] | None = None) -> str:
        """Return a name that was given in a configuration, if there is such a kind (``among`` these).

        Raises:
            PydanticCustomError: If there is none; says the nearest.
        """
        allowed = list(self.kinds if among is None else among)
        if name not in allowed:
            said = f"{name[:60]!r} is unknown; {nearest(name, allowed)}"
            raise PydanticCustomError(UNKNOWN, "{said}", {"said": said})
        return name

    def names_of(self, spec: type[Spec]) -> tuple[str, ...]:
        """Return the names that a spec stands for: most for one."""
        field = spec.model_fields.get(self.tag)
        return tuple(name for name in get_args(field.annotation) if isinstance(name, str)) if field else ()


def _found(family: Family) -> Mapping[str, type[Any]]:
    found: dict[str, type[Any]] = {}
    origins: dict[str, str] = {}
    for spec, origin in (*_own(family), *_brought(family)):
        for name in family.names_of(spec):
            if name in found:
                raise KindError(
                    f"{family.name} {name} is brought by {origins[name]} and by {origin}: keep one"
                )
            found[name], origins[name] = spec, origin
    return MappingProxyType(dict(sorted(found.items())))


def _own(family: Family) -> Iterator[tuple[type[Spec], str]]:
    package = importlib.import_module(family.folder)
    for place in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
        module = importlib.import_module(f"{family.folder}.{place}")
        yield from ((spec, "tailweave") for spec in _specs(module, family))


def _specs(module: ModuleType, family: Family) -> Iterator[type[Spec]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, family.base) and value.__module__ == module.__name__:
            yield value


def _brought(family: Family) -> Iterator[tuple[type[Spec], str]]:
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        spec, origin = _loaded(entry), f"{_package(entry)} ({entry.value})"
        if issubclass(spec, family.base):
            if not family.names_of(spec):
                raise KindError(
                    f"{origin}: a {family.name} names itself by a field {family.tag}: Literal[its name]"
                )
            yield spec, origin


@cache
def _loaded(entry: EntryPoint) -> type[Spec]:
    try:
        spec = entry.load()
    except Exception as error:
        raise KindError(
            f"{_package(entry)} cannot be loaded ({entry.value}): {type(error).__name__}: {error}; mend or "
            "remove that package"
        ) from error
    if not (isinstance(spec, type) and issubclass(spec, Spec)):
        raise KindError(f"{_package(entry)} brings {entry.value}, which is no spec of a kind")
    return spec


def _package(entry: EntryPoint) -> str:
    return f"package {entry.dist.name}" if entry.dist else "an unknown package"
