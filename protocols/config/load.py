# SPDX-License-Identifier: Apache-2.0
"""Reading an experiment from YAML, with overrides, and saying precisely what is wrong when it is not one."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.spec_file import read_mapping, validated
from tailweave.protocols.config.yaml_file import ConfigError, parse_yaml

__all__ = ["ConfigError", "Overrides", "dump_experiment", "load_experiment", "make_experiment", "overridden"]

Overrides = Mapping[str, object] | Sequence[str]
"""Key path to value, or ``key.path=value`` each, whose value is YAML; list items by number or name."""


def load_experiment(path: Path, overrides: Overrides = (), *, beside: Path | None = None) -> Experiment:
    """Read and validate an experiment.

    Args:
        path: A YAML file with the keys of ``Experiment``.
        overrides: What is changed.
        beside: Folder from which relative paths are taken; by default that of ``path``.

    Returns:
        The frozen experiment. Relative paths of data and of a base generator are taken from ``beside``, and
        so is a diffusion model's base where it is a folder there; else it stays what it may be: a name on the
        hub.

    Raises:
        ConfigError: If the file is missing or not YAML, or a key, type or range is wrong.
    """
    folder = path.parent if beside is None else beside
    return make_experiment(read_mapping(path, "an experiment is"), overrides, called=str(path), beside=folder)


def make_experiment(
    raw: Mapping[str, Any], overrides: Overrides = (), *, called: str, beside: Path
) -> Experiment:
    """Validate an experiment that is given as a mapping, which is left as it is.

    Messages call the mapping ``called``; relative paths are taken from ``beside``.

    Raises:
        ConfigError: If a key, type or range is wrong.
    """
    experiment = validated(overridden(raw, overrides), Experiment, called)
    anchored = {key: getattr(experiment, key).anchored(beside) for key in ("data", "generator", "evaluation")}
    return experiment.model_copy(update=anchored)


def overridden(raw: Mapping[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return a mapping with what is changed, itself left as it is.

    Raises:
        ConfigError: If a change is not written as one, or leads to where there are no keys.
    """
    changed = copy.deepcopy(dict(raw))
    for override in _read_overrides(overrides):
        _apply(changed, override)
    return changed


def dump_experiment(experiment: Experiment) -> str:
    """Return the resolved experiment as YAML; ``load_experiment`` reads it back unchanged."""
    return yaml.safe_dump(experiment.model_dump(mode="json", by_alias=True), sort_keys=False)


class _Override(NamedTuple):
    """One change, and what it is called in messages."""

    said: str
    key: str
    value: object


def _read_overrides(overrides: Overrides) -> Iterator[_Override]:
    if isinstance(overrides, str):
        raise ConfigError(
            f"overrides must be a mapping of key paths to values, or a list, got {overrides[:60]!r}"
        )
    if not isinstance(overrides, Mapping):
        yield from map(_parse, overrides)
        return
    for key, value in overrides.items():
        if not isinstance(key, str) or not key:
            raise ConfigError(f"overrides: a key must be a path such as recursion.generations, got {key!r}")
        array: Any = value if hasattr(value, "tolist") else None  # NumPy's, such as a number of a range
        yield _Override(f"overrides: {key}", key, copy.deepcopy(value) if array is None else array.tolist())


def _parse(override: str) -> _Override:
    key, equals, text = override.partition("=")
    said = f"--set {override}"
    if not equals or not key:
        raise ConfigError(f"{said}: write it as key.path=value")
    return _Override(said, key, parse_yaml(text, f"{said}: the value is", key=key.rsplit(".", 1)[-1]))


def _apply(raw: dict[str, Any], override: _Override) -> None:
    said, parts = override.said, override.key.split(".")
    place: Any = raw
    for depth, part in enumerate(parts[:-1]):
        place = _step(place, part, ".".join(parts[: depth + 1]), said)
    if isinstance(place, list):
        place[_number(place, parts[-1], said)] = override.value
    elif isinstance(place, dict):
        place[parts[-1]] = override.value
    else:
        raise ConfigError(f"{said}: {'.'.join(parts[:-1])} is {place!r}, it has no keys")


def _step(place: Any, part: str, path: str, said: str) -> Any:  # noqa: ANN401 - raw YAML
    if isinstance(place, list):
        return place[_number(place, part, said)]
    if not isinstance(place, dict):
        raise ConfigError(f"{said}: {path} leads into {place!r}, which has no keys")
    if part not in place or place[part] is None:
        place[part] = {}
    return place[part]


def _number(items: list[Any], part: str, said: str) -> int:
    names = [item.get("name") for item in items if isinstance(item, dict)]
    if part in names:
        return names.index(part)
    if not part.isdecimal() or int(part) >= len(items):
        allowed = ", ".join(str(name) for name in names if name) or f"0 to {len(items) - 1}"
        raise ConfigError(f"{said}: no item {part!r} in a list of {len(items)} (there are: {allowed})")
    return int(part)
