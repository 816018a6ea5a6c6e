# SPDX-License-Identifier: Apache-2.0
"""Who may change what decides what leaves a silo: the installed code, the owner's policy and settings."""

import grp
import os
import pwd
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import tailweave
from tailweave import clients, protocols, simulation
from tailweave.simulation.deploy.host_checks import HostError
from tailweave.simulation.deploy.node_settings import NODE_FILE, SiloNode

_MOST_NAMED = 3


def check_unchangeable(node: SiloNode) -> str:
    """Look whether others than this user and root could change code, policy or settings.

    Raises:
        HostError: Naming what others may write, or own.
    """
    files = [node.folder / NODE_FILE, *node.folder.glob("*.sh")]
    if node.policy is not None:
        files.append(node.path(node.policy))
    open_to_others = [str(path) for path in (*_with_folders(files), *_code()) if _others_may_change(path)]
    if open_to_others:
        more = len(open_to_others) - _MOST_NAMED
        rest = f" and {more} more" if more > 0 else ""
        raise HostError(f"others may change {', '.join(open_to_others[:_MOST_NAMED])}{rest}")
    return "installed code, policy, settings and scripts can be changed by this user and root alone"


def _code() -> Iterator[Path]:
    """Yield the packages that a node runs, Flower beside them, and the folders that all this lies in."""
    tops = [Path(str(package.__file__)).parent for package in (tailweave, clients, protocols, simulation)]
    flower = find_spec("flwr")
    tops += [] if flower is None else [Path(str(flower.origin)).parent]
    yield from _with_folders([*tops, Path(sys.executable)])
    for top in tops:
        yield from (path for path in top.rglob("*") if path.suffix in (".py", ".pyc", ".so") or path.is_dir())


def _with_folders(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield paths and all folders above them: who may write a folder may put another file there."""
    seen: set[Path] = set()
    for path in paths:
        for place in (path, *path.absolute().parents):
            if place not in seen:
                seen.add(place)
                yield place


def _others_may_change(path: Path) -> bool:
    try:
        found = path.stat()
    except OSError:  # a file that is not there is another check's
        return False
    if found.st_uid not in (0, os.geteuid()):
        return True
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return False  # as /tmp: what is in it is its owner's to move
    group = bool(found.st_mode & stat.S_IWGRP) and not _is_private_group(found.st_gid, found.st_uid)
    return group or bool(found.st_mode & stat.S_IWOTH)


def _is_private_group(group: int, owner: int) -> bool:
    """Tell whether a group is its owner's alone, as most Linux hosts make one a user, or root's."""
    if group == 0:
        return True
    try:
        entry = grp.getgrgid(group)
        user = pwd.getpwuid(owner)
    except KeyError:
        return False
    return entry.gr_name == user.pw_name and set(entry.gr_mem) <= {user.pw_name}
