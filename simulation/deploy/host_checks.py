# SPDX-License-Identifier: Apache-2.0
"""Checks that the server's host and the silos' have in common."""

import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from tailweave.simulation.deploy.reach import check_free
from tailweave.simulation.deploy.verdict import Verdict, judged
from tailweave.simulation.deploy.versions import VersionsSpec, differences, installed

LEAST_FREE_GIB = 1.0
_GIB = 2**30


class HostError(ValueError):
    """A host that is not ready; the message says what is wrong."""


def versions_equal(subject: str, wanted: VersionsSpec | None) -> Verdict:
    """Compare this host's versions with those the kit was made with, which all hosts have."""
    if wanted is None:
        return Verdict("skip", subject, "versions", "the file has no versions to compare with")
    found = installed()
    different = differences(wanted, found)
    if different:
        remedy = f"install tailweave {wanted.tailweave} and flwr {wanted.flwr} here"
        return Verdict("FAIL", subject, "versions", "; ".join(different), remedy)
    text = f"tailweave {found.tailweave}, flwr {found.flwr}, messages {found.messages}, as in the kit"
    return Verdict("ok", subject, "versions", text)


def disk_space(subject: str, folder: Path, *, least_gib: float = LEAST_FREE_GIB) -> Verdict:
    """Check the free space where a state folder is, or will be."""
    remedy = "free some, or move the state folder to another disk"
    return judged(subject, "disk space", remedy, lambda: _free(folder, least_gib))


def private_file(path: Path) -> str:
    """Return a sentence about a private file.

    Raises:
        HostError: If it is missing or others may read it.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise HostError(f"{path}: {error.strerror}") from None
    if mode & 0o077:
        raise HostError(f"{path}: others may read it (mode {mode:o})")
    return f"{path.name} is its owner's only"


def ports_free(ports: Sequence[int]) -> str:
    """Return a sentence about free ports on loopback.

    Raises:
        ReachError: If another program has one.
    """
    for port in ports:
        check_free("127.0.0.1", port)
    return f"{', '.join(map(str, ports))} are free"


def _free(folder: Path, least_gib: float) -> str:
    place = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(place).free / _GIB
    if free < least_gib:
        raise HostError(f"{free:.1f} GiB free for {folder}, at least {least_gib:g} needed")
    return f"{free:.1f} GiB free"
