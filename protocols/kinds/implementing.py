# SPDX-License-Identifier: Apache-2.0
"""What implements a kind: an object that says whose spec it is for, and for which part of it.

It is found where it lies by rule: for a kind of tailweave in the file of its name, beside those that do the
same for other kinds, or in a file that their package imports itself; for one of another package in the
module of its spec.
"""

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.family import KindError

T = TypeVar("T")
_FOUND: dict[tuple[type[Spec], str], Any] = {}


def implements(*specs: type[Spec], part: str = "") -> Callable[[T], T]:
    """Say of a function or a class that it does what these specs describe, or a part of it."""

    def said(found: T) -> T:
        _FOUND.update({(spec, part): found for spec in specs})
        return found

    return said


def implementation(spec: Spec, name: str, folder: str, *, part: str = "") -> Any:  # noqa: ANN401 - each family has a contract of its own
    """Return what implements a spec.

    Args:
        spec: Options of one kind.
        name: The kind.
        folder: Package in which those of tailweave's own kinds lie.
        part: Which part of it.

    Raises:
        KindError: If nothing does.
    """
    found = implemented(spec, name, folder, part=part)
    if found is None:
        place = _place(type(spec), name, folder)
        raise KindError(f"{name}: {place} holds nothing that implements {type(spec).__name__}")
    return found


def implemented(spec: Spec, name: str, folder: str, *, part: str = "") -> Any | None:  # noqa: ANN401 - as above
    """Return what implements a spec, or a part of it, or None: see ``implementation``."""
    key, place = (type(spec), part), _place(type(spec), name, folder)
    if key not in _FOUND and place not in sys.modules and find_spec(place) is not None:
        importlib.import_module(place)
    return _FOUND.get(key)


def _place(kind: type[Spec], name: str, folder: str) -> str:
    if not kind.__module__.startswith("tailweave.protocols.kinds."):
        return kind.__module__
    return f"{folder}.{getattr(kind, 'implemented_in', None) or name.replace('-', '_')}"
