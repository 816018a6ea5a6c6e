# SPDX-License-Identifier: Apache-2.0
"""Reading an experiment from YAML, with overrides, and saying precisely what is wrong when it is not one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tailweave.protocols.config.complaints import complaint
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.yaml_file import ConfigError, parse_yaml, read_yaml

__all__ = ["ConfigError", "dump_experiment", "load_experiment"]


def load_experiment(path: Path, overrides: Sequence[str] = (), *, beside: Path | None = None) -> Experiment:
    """Read and validate an experiment.

    Args:
        path: A YAML file with the keys of ``Experiment``.
        overrides: ``key.path=value`` each; the value is YAML, list items are addressed by number.
        beside: Folder from which relative paths are taken; by default that of ``path``.

    Returns:
        The frozen experiment. Relative paths of data and of a base generator are taken from ``beside``, and
        so is a diffusion model's base where it is a folder there; else it stays what it may be: a name on the
        hub.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    raw = _read(path)
    for override in overrides:
        _apply(raw, override)
    try:
        experiment = Experiment.model_validate(raw)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in complaint(error, Experiment))) from None
    folder = path.parent if beside is None else beside
    anchored = {key: getattr(experiment, key).anchored(folder) for key in ("data", "generator")}
    return experiment.model_copy(update=anchored)


def dump_experiment(experiment: Experiment) -> str:
    """Return the resolved experiment as YAML; ``load_experiment`` reads it back unchanged."""
    return yaml.safe_dump(experiment.model_dump(mode="json", by_alias=True), sort_keys=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = read_yaml(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: an experiment is a mapping of keys, found {type(raw).__name__}")
    return raw


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override}: write it as key.path=value")
    value = parse_yaml(text, f"--set {override}: the value is")
    parts = key.split(".")
    place: Any = raw
    for depth, part in enumerate(parts[:-1]):
        place = _step(place, part, ".".join(parts[: depth + 1]), override)
    if isinstance(place, list):
        place[_number(place, parts[-1], override)] = value
    elif isinstance(place, dict):
        place[parts[-1]] = value
    else:
        raise ConfigError(f"--set {override}: {'.'.join(parts[:-1])} is {place!r}, it has no keys")


def _step(place: Any, part: str, path: str, override: str) -> Any:  # noqa: ANN401 - raw YAML
    if isinstance(place, list):
        return place[_number(place, part, override)]
    if not isinstance(place, dict):
        raise ConfigError(f"--set {override}: {path} leads into {place!r}, which has no keys")
    if part not in place or place[part] is None:
        place[part] = {}
    return place[part]


def _number(items: list[Any], part: str, override: str) -> int:
    names = [item.get("name") for item in items if isinstance(item, dict)]
    if part in names:
        return names.index(part)
    if not part.isdecimal() or int(part) >= len(items):
        allowed = ", ".join(str(name) for name in names if name) or f"0 to {len(items) - 1}"
        raise ConfigError(
            f"--set {override}: no item {part!r} in a list of {len(items)} (there are: {allowed})"
        )
    return int(part)
