# SPDX-License-Identifier: Apache-2.0
"""Reading one of the kit's YAML files, and saying precisely what is wrong when it is not one."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from protocols.config.base import Spec
from protocols.config.complaints import complaint
from protocols.config.load import ConfigError

S = TypeVar("S", bound=Spec)


def read_spec(path: Path, model: type[S], remedy: str) -> S:
    """Read and validate one file.

    Args:
        path: A YAML file with the keys of ``model``.
        model: What it must be.
        remedy: What to do when the file is missing.

    Returns:
        The frozen model; paths stay as they stand in the file.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {remedy}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    except (yaml.YAMLError, ValueError) as error:  # a date that is none gives a plain ValueError
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, found {type(raw).__name__}")
    twice = sorted(set(_twice(node)))
    if twice:
        raise ConfigError(f"{path}: a key stands twice: {', '.join(twice)}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in complaint(error, model))) from None


def _twice(node: yaml.Node | None) -> Iterator[str]:
    """Keys that stand twice in one mapping, at any depth; of such a pair YAML would take the second."""
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        yield from (key for key in keys if keys.count(key) > 1)
        for _, value in node.value:
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice(item)
