# SPDX-License-Identifier: Apache-2.0
"""What implements a kind: an object that says whose spec it is for.

It is found where it lies by rule: for a kind of tailweave in the file of its name, in the folder of its
family; for one of another package in the module of its spec.
"""

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

from tailweave.protocols.config.base import Spec
from tailweave.protocols.kinds.family import KindError

T = TypeVar("T")
_OURS = "tailweave.protocols.kinds."
_FOLDERS = {
    "rules": "selection",
    "generators": "generators",
    "sources": "data",
    "partitions": "data",
    "features": "features",
}
"""Folder of specs to folder of what implements them."""
_FOUND: dict[type[Spec], Any] = {}


def implements(*specs: type[Spec]) -> Callable[[T], T]:
    """Say of a function or a class that it does what these specs describe."""

    def said(found: T) -> T:
        _FOUND.update(dict.fromkeys(specs, found))
        return found

    return said


def implementation(spec: Spec, name: str) -> Any:  # noqa: ANN401 - each family has a contract of its own
    """Return what implements a spec.

    Args:
        spec: Options of one kind.
        name: The kind.

    Raises:
        KindError: If nothing does.
    """
    kind = type(spec)
    if kind not in _FOUND:
        importlib.import_module(_place(kind, name))
    if kind not in _FOUND:
        raise KindError(f"{name}: {_place(kind, name)} holds nothing that implements {kind.__name__}")
    return _FOUND[kind]


def _place(kind: type[Spec], name: str) -> str:
    if not kind.__module__.startswith(_OURS):
        return kind.__module__
    family = kind.__module__.removeprefix(_OURS).split(".")[0]
    file = getattr(kind, "implemented_in", None) or name.replace("-", "_")
    return f"tailweave.clients.{_FOLDERS[family]}.{file}"
