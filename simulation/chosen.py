# SPDX-License-Identifier: Apache-2.0
"""Which config is meant: a file, or the name of one that comes along, wherever the command is called."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tailweave.protocols.config.spec_file import read_mapping
from tailweave.protocols.config.yaml_file import ConfigError
from tailweave.protocols.places import packaged

_FOLDER = Path("configs")
_SUFFIX = ".yaml"


@dataclass(frozen=True)
class Chosen:
    """A config.

    Attributes:
        path: Its file.
        beside: Folder from which its relative paths are taken: a file's own, also of one that comes along
            with its data; of another that comes along the folder in which the command is called, for nobody
            keeps data among installed packages.
    """

    path: Path
    beside: Path


def named_configs() -> Mapping[str, Path]:
    """Return the configs that come along by name: path in their folder, without the suffix."""
    folder = packaged(_FOLDER)
    files = folder.rglob(f"*{_SUFFIX}")
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}


def choose(given: Path) -> Chosen:
    """Return the config that is meant; a path that exists wins.

    Args:
        given: Path of a file, or a name with or without ``.yaml``.

    Raises:
        ConfigError: If there is neither; it says the nearest name, and where was looked.
    """
    if given.is_file():
        return Chosen(given, given.parent)
    named = named_configs()
    name = given.as_posix().removesuffix(_SUFFIX)
    if name in named:
        return Chosen(named[name], named[name].parent if _has_its_data(named[name]) else Path())
    if given.exists():
        raise ConfigError(f"{given}: is a folder, not an experiment (YAML)")
    near = _nearest(name, named)
    raise ConfigError(
        f"{given}: no such file, nor the name of a config{f'; did you mean {near!r}?' if near else ';'} "
        f"looked for {given.absolute()}, and for names in {packaged(_FOLDER)}: {', '.join(sorted(named))}"
    )


def _has_its_data(config: Path) -> bool:
    """Tell whether the file that a config names lies beside it."""
    data = read_mapping(config, "an experiment is").get("data")
    path = data.get("path") if isinstance(data, Mapping) else None
    return isinstance(path, str) and (config.parent / path).is_file()


def _nearest(name: str, named: Mapping[str, Path]) -> str | None:
    """Return the name that is most alike, in full or in its last part."""
    alike = {one.rpartition("/")[2]: one for one in named} | {one: one for one in named}
    for asked in (name, name.rpartition("/")[2]):
        if close := difflib.get_close_matches(asked, alike, n=1):
            return alike[close[0]]
    return None
