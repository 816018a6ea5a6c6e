# SPDX-License-Identifier: Apache-2.0
"""Turning pydantic's errors into sentences: key path, what was found, what is allowed, the nearest key."""

import difflib
import types
from collections.abc import Iterator
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

UNKNOWN = "unknown_kind"
"""Type of pydantic's error where a kind was named alone, and there is none of that name."""
_MOST = 20
"""Complaints spelled out; what comes from outside may be wrong in a hundred thousand places."""


def complaint(error: ValidationError, root: type[BaseModel]) -> list[str]:
    """Return one line an error: ``key.path: what is wrong; what is allowed``.

    Returns:
        At least one line and at most 21, without pydantic's own type tags in the key paths.
    """
    details = error.errors(include_url=False)
    lines = [_line(detail, root) for detail in details[:_MOST]]
    return lines if len(details) <= _MOST else [*lines, f"and {len(details) - _MOST} more"]


def _line(detail: ErrorDetails, root: type[BaseModel]) -> str:
    path, parents = _walk(detail["loc"], root)
    kind, found = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return f"{path}: unknown key; {nearest(str(detail['loc'][-1]), _keys(parents))}"
    if kind == "missing":
        return f"{path}: missing; it must be given"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        context = detail.get("ctx", {})
        field = str(context.get("discriminator", "kind")).strip("'")
        allowed = [
            tag.strip().strip("'") for tag in str(context.get("expected_tags", "")).split(",") if tag.strip()
        ]
        if kind == "union_tag_not_found":
            return f"{path}.{field}: missing in {_short(found)}; it must be given"
        return (
            f"{path}.{field}: {context.get('tag')!r} is unknown; {nearest(str(context.get('tag')), allowed)}"
        )
    if kind == UNKNOWN:
        return f"{path}: {detail['msg']}"
    if kind == "literal_error":
        allowed = [
            word.strip().strip("'") for word in str(detail["ctx"]["expected"]).replace(" or ", ",").split(",")
        ]
        return f"{path}: {_short(found)} is unknown; {nearest(str(found), allowed)}"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"{path}: must be a mapping of keys, got {_short(found)}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{path}: {message[0].lower()}{message[1:]}{_got(found, message)}" if path else message


def _got(found: object, message: str) -> str:
    told = isinstance(found, dict) or f"got {_short(found)}" in message
    return "" if told else f", got {_short(found)}"


def nearest(word: str, allowed: list[str]) -> str:
    """Return the word that was probably meant, if there is one, and all that are allowed."""
    close = difflib.get_close_matches(word[:100], allowed, n=1, cutoff=0.5)  # a megabyte would take a second
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}allowed: {', '.join(allowed)}"


def _short(found: object) -> str:
    return _clipped(repr(found))


def _clipped(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _walk(loc: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, list[type[BaseModel]]]:
    """Follow a location through the models, dropping the union tags that pydantic puts in it."""
    here: list[type[BaseModel]] = [root]
    parents = here
    path: list[str] = []
    keyed = False
    for part in loc:
        tagged = [model for model in here if _has_tag(model, str(part))]
        if tagged and len(here) > 1 and not keyed:
            here = tagged
            continue
        parents = here
        path.append(_clipped(str(part)))
        if isinstance(part, str) and not keyed:
            fields = [_field(model, part) for model in here]
            here = [m for field in fields for m in _models(field)]
            keyed = any(map(_is_mapping, fields))
        else:
            keyed = False  # a key of the user's own, whose value is one of the models here
    return ".".join(path), parents if len(here) == 0 or parents is not here else here


def _field(model: type[BaseModel], key: str) -> object:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, dict):
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_mapping(annotation: object) -> bool:
    """Tell whether a field holds models by keys that are the user's own."""
    if get_origin(annotation) is dict:
        return any(True for _ in _models(annotation))
    parts = get_args(annotation) if get_origin(annotation) in (Annotated, Union, types.UnionType) else ()
    return any(map(_is_mapping, parts))


def _has_tag(model: type[BaseModel], tag: str) -> bool:
    for field in ("kind", "source"):
        if field in model.model_fields and tag in get_args(model.model_fields[field].annotation):
            return True
    return False


def _keys(models: list[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(str(f.alias or n) for model in models for n, f in model.model_fields.items()))
