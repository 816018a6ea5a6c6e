# SPDX-License-Identifier: Apache-2.0
"""The door for code: an app that a server sends is compared with what is installed here, and never run.

What a node runs is always the installed ``clients.app``, so a mistake in this comparison opens nothing. The
comparison is there so that server and silos are known to run the same, and so that whoever sends anything
else is told what differs instead of getting answers of another version.
"""

import tomllib
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

import tailweave
from tailweave import clients, protocols

PUBLISHER = NAME = "tailweave"
CLIENT_APP = "tailweave:client_app"
_COMPARED = {"clients": clients, "protocols": protocols}
"""Folders of what a ClientApp imports, beside ``tailweave`` itself; the others run on the server alone."""
_SERVERS_OWN = ("server", "simulation")
_PROJECT = "pyproject.toml"
_NOT_CODE = {".json", ".jsonl", ".md", ".toml", ".yaml", ".yml"}
"""What Flower packs beside Python; ``.info/CONTENT`` and ``LICENSE`` too."""
_NOT_PACKED = ("test_*.py", "*_test.py")
"""What Flower leaves out of every bundle."""
_MOST_MEMBERS, _MOST_PROJECT_BYTES = 5000, 2**20
_MOST_NAMED, _MOST_CHARACTERS = 5, 80
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
)
"""What reading a hostile archive raises; ``RecursionError`` of nested TOML is a ``RuntimeError``."""


class ForeignApp(ValueError):  # noqa: N818 - what it is, not what went wrong
    """An app that is not the installed one; the text is written for the server."""


def check_app(bundle: bytes) -> None:
    """Refuse an app bundle that is not the tailweave installed here.

    Nothing is unpacked and nothing imported. A file is read only where its size is already right, so a bundle
    that swells when it is read does not swell here.

    Raises:
        ForeignApp: If it is no bundle, another app, another version, or has other files; names which.
    """
    try:
        with zipfile.ZipFile(BytesIO(bundle)) as archive:
            members = _members(archive)
            _check_project(_project(archive, members))
            different = list(_differences(archive, members))
    except ForeignApp:
        raise
    except _UNREADABLE as error:
        raise ForeignApp(f"what the server sent is no app bundle ({type(error).__name__})") from None
    if different:
        more = f" and {len(different) - _MOST_NAMED} more" if len(different) > _MOST_NAMED else ""
        raise ForeignApp(
            f"the server's tailweave {installed_version()} is not the one installed at this silo: "
            f"{'; '.join(different[:_MOST_NAMED])}{more}"
        )


@lru_cache(maxsize=1)
def installed_version() -> str:
    """Return the version of tailweave here; ``0`` in a checkout that is not installed, as in its bundles."""
    try:
        return version(NAME)
    except PackageNotFoundError:
        return "0"


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by name, each once."""
    files = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(files) > _MOST_MEMBERS:
        raise ForeignApp(f"the server's app has {len(files)} files, allowed are {_MOST_MEMBERS}")
    members = {entry.filename: entry for entry in files}
    if len(members) < len(files):
        raise ForeignApp("the server's app has two files of one name")
    return members


def _project(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
    entry = members.get(_PROJECT)
    if entry is None or entry.file_size > _MOST_PROJECT_BYTES:
        raise ForeignApp(
            f"the server's app has no {_PROJECT}, or one of more than {_MOST_PROJECT_BYTES} bytes"
        )
    return tomllib.loads(archive.read(entry).decode("utf-8"))


def _check_project(project: Mapping[str, Any]) -> None:
    publisher = _text(project, "tool", "flwr", "app", "publisher")
    name = _text(project, "project", "name")
    if (publisher, name) != (PUBLISHER, NAME):
        raise ForeignApp(
            f"the server runs the app {_shown(f'{publisher}/{name}')}, "
            f"this silo runs {PUBLISHER}/{NAME} and no other"
        )
    theirs, ours = _text(project, "project", "version"), installed_version()
    if theirs != ours:
        raise ForeignApp(
            f"the server runs tailweave {_shown(theirs)}, this silo has {ours}; upgrading is its owner's act"
        )
    client_app = _text(project, "tool", "flwr", "app", "components", "clientapp")
    if client_app != CLIENT_APP:
        raise ForeignApp(
            f"the server's app names {_shown(client_app)} as its ClientApp, allowed: {CLIENT_APP}"
        )


def _text(tree: object, *keys: str) -> str:
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, str) else "?"


def _differences(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Iterator[str]:
    installed = _installed()
    for name, path in installed.items():
        if name not in members:
            yield f"{name} is missing"
        elif not _equal(archive, members[name], path):
            yield f"{name} differs"
    yield from (f"{_shown(name)} is not part of it" for name in members if _is_extra(name, installed))


def _equal(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bool:
    own = path.read_bytes()
    return entry.file_size == len(own) and archive.read(entry) == own


def _is_extra(name: str, installed: Mapping[str, Path]) -> bool:
    """Tell whether a file is code that a ClientApp could import, beyond what is installed."""
    path = PurePosixPath(name)
    if name in installed or path.parts[0] in _SERVERS_OWN or name in (".info/CONTENT", "LICENSE"):
        return False
    return path.suffix not in _NOT_CODE


@lru_cache(maxsize=1)
def _installed() -> dict[str, Path]:
    """Return the compared packages' Python files by their name in a bundle."""
    own = Path(str(tailweave.__file__)).parent
    found = {f"{NAME}/{path.name}": path for path in sorted(own.glob("*.py"))}
    for folder, package in _COMPARED.items():
        top = Path(str(package.__file__)).parent
        for path in sorted(top.rglob("*.py")):
            if not any(path.match(pattern) for pattern in _NOT_PACKED):
                found[f"{folder}/{path.relative_to(top).as_posix()}"] = path
    return found


def _shown(text: str) -> str:
    """Return a stranger's text as it may stand in a log: ASCII without control characters, not long."""
    return ascii(text)[1:-1][:_MOST_CHARACTERS]
