# SPDX-License-Identifier: Apache-2.0
"""What runs have left in a silo's state folder, and how its owner is rid of it; ledgers are not touched."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from tailweave.clients.checkpoints import finished
from tailweave.clients.storage import StorageError
from tailweave.simulation.deploy.node_settings import SiloNode

_SEED = re.compile(r"seed-\d+")
_FORGOTTEN = ".forgotten-"


class KeptRunError(ValueError):
    """A run that is not there; the message names those that are."""


@dataclass(frozen=True)
class KeptRun:
    """What one run has left.

    Of ``arms`` and seeds with a checkpoint, ``over`` have come to their end; their training rows are gone.
    """

    folder: Path
    size: int
    arms: int
    over: int

    @property
    def finished(self) -> bool:
        """Whether nothing of it goes on: every arm that began has come to its end."""
        return 0 < self.arms == self.over

    def line(self) -> str:
        """Return a line for the owner."""
        return f"{self.folder.name}  {_size(self.size)}  {self.over} of {self.arms} arms and seeds finished"


def kept_runs(node: SiloNode) -> list[KeptRun]:
    """Return what runs have left in a silo's state folder, by name."""
    state = node.path(node.state_dir)
    folders = [path for path in sorted(state.glob("[!.]*")) if path.is_dir() and not path.is_symlink()]
    return [_kept(path) for path in folders if any(map(_SEED.fullmatch, os.listdir(path)))]


def forget(node: SiloNode, run: str | None) -> list[KeptRun]:
    """Remove what a run, or without a name every finished one, left; one that still goes on begins anew.

    Raises:
        KeptRunError: If the run is not there.
    """
    state, kept = node.path(node.state_dir), kept_runs(node)
    chosen = [one for one in kept if (one.finished if run is None else one.folder.name == run)]
    if run is not None and not chosen:
        there = ", ".join(one.folder.name for one in kept) or "none"
        raise KeptRunError(f"silo {node.name}: no run {run!r} in {state}; there are: {there}")
    for one in chosen:
        one.folder.rename(state / f"{_FORGOTTEN}{token_hex(4)}")  # at once, should this process be killed
    for left in state.glob(f"{_FORGOTTEN}*"):
        shutil.rmtree(left)
    return chosen


def _kept(folder: Path) -> KeptRun:
    arms = [*folder.glob("seed-*/*/*/latest.npz"), *folder.glob("seed-*/*/*/own/latest.npz")]
    size = sum(path.lstat().st_size for path in _files(folder))
    return KeptRun(folder, size, len(arms), sum(map(_over, arms)))


def _over(checkpoint: Path) -> bool:
    try:
        return finished(checkpoint)
    except StorageError:  # torn: nothing goes on from it, but its owner should see that it is not finished
        return False


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.1f} KiB"
