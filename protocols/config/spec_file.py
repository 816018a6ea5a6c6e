# SPDX-License-Identifier: Apache-2.0
"""Reading a YAML file that is one spec, and saying precisely what is wrong when it is not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.config.yaml_file import ConfigError, read_yaml

S = TypeVar("S", bound=Spec)


def read_spec(path: Path, model: type[S], remedy: str) -> S:
    """Read and validate one file; paths stay as they stand in it.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    return validated(read_mapping(path, "must be", remedy), model, str(path))


def read_mapping(path: Path, said: str, remedy: str = "") -> dict[str, Any]:
    """Read a file that ``said`` a mapping of keys.

    Raises:
        ConfigError: If it is missing, not YAML or no mapping.
    """
    try:
        raw = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file{remedy and f'; {remedy}'}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: {said} a mapping of keys, found {type(raw).__name__}")
    return raw


def validated(raw: Mapping[str, Any], model: type[S], called: str) -> S:
    """Validate a mapping, which messages call ``called``.

    Raises:
        ConfigError: If a key, type or range is wrong.
    """
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{called}: {line}" for line in complaint(error, model))) from None
