# SPDX-License-Identifier: Apache-2.0
"""What a run was made of besides its configuration: digests of rows and of files that it names.

A run that goes on with other rows, or another base or encoder, would put two experiments into one curve.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tailweave.clients.data.digest import digest_of
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.run_folder import RunFolderError
from tailweave.simulation.worlds import world_of_seed

INPUTS = "inputs.json"
_PIECE = 2**20


def inputs_of(experiment: Experiment) -> dict[str, str]:
    """Return digests by key: of ``data`` the rows that were read, of every other path what lies there."""
    world = world_of_seed(experiment, experiment.seeds[0])
    found = {"data": digest_of(world.train, world.evaluation)}
    return found | {key: _digest(path) for key, path in _named(experiment)}


def began_with(out: Path) -> dict[str, str]:
    """Return what the run in a folder began with; nothing for one from before this was kept.

    Raises:
        RunFolderError: If the file is broken.
    """
    path = out / INPUTS
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in found.items()}
    except (ValueError, AttributeError) as error:
        raise RunFolderError(f"{path}: is not what a run wrote there ({error})") from None


def check_inputs(experiment: Experiment, began: Mapping[str, str], now: Mapping[str, str], act: str) -> None:
    """Refuse to go on with other inputs than a run began with.

    Args:
        experiment: Names them.
        began: Of the run.
        now: As they are.
        act: What would be done with them, for the message.

    Raises:
        ConfigError: Naming every input that changed.
    """
    changed = [key for key, value in began.items() if now.get(key) != value]
    if not changed:
        return
    named = [f"{key} ({_where(experiment, key)})" for key in changed]
    raise ConfigError(
        f"{act}: changed since the run began: {', '.join(named)}; put back what it began with, or run anew "
        "into another folder or with --force"
    )


def _where(experiment: Experiment, key: str) -> str:
    if key != "data":
        return next((str(path) for name, path in _named(experiment) if name == key), "not there now")
    data = experiment.data.model_dump(mode="json", by_alias=True)
    return " ".join(filter(None, (data["source"], _path_of(data))))


def _path_of(data: Mapping[str, Any]) -> str:
    path = data.get("path") or ""
    return ", ".join(path.values()) if isinstance(path, dict) else str(path)


def _named(experiment: Experiment) -> Iterator[tuple[str, Path]]:
    """Yield the keys of all paths but those of the data."""
    for key, value in experiment.model_dump(mode="json", by_alias=True).items():
        if key != "data":
            yield from _paths(key, value)


def _paths(key: str, value: object) -> Iterator[tuple[str, Path]]:
    """Yield the keys of paths that are there; relative ones are names of something else by now."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(f"{key}.{name}", inner)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _paths(f"{key}.{place}", inner)
    elif isinstance(value, str) and os.path.isabs(value) and os.path.exists(value):
        # Path would raise where a value is too long to be one.
        yield key, Path(value)


def _digest(path: Path) -> str:
    """Return the digest of a file, or of all files in a folder with their names."""
    found = hashlib.blake2b(digest_size=16)
    inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for one in inside:
        found.update(f"{one.relative_to(path)};{one.stat().st_size};".encode())
        with one.open("rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
    return found.hexdigest()
