# SPDX-License-Identifier: Apache-2.0
"""Reading a YAML file that is one spec, and saying precisely what is wrong when it is not."""

from pathlib import Path
from typing import TypeVar

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
    try:
        raw = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; {remedy}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: must be a mapping of keys, found {type(raw).__name__}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in complaint(error, model))) from None
