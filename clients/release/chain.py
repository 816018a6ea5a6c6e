# SPDX-License-Identifier: Apache-2.0
r"""The file of a ledger: append-only JSON lines, each holding the hash of the line before.

Beside the ledger stands its *head*, the index and hash of the last line, rewritten after every line. A line
is on the disk before its head is, and the head before the caller may draw noise or send. So a killed process
leaves one of three states, and all else is somebody's doing and refused:

* head at the last line: nothing was interrupted;
* one whole line beyond the head: the caller was never told; a charge counts all the same, one too many;
* part of a line beyond the head: never told either, hence nothing was drawn; the part is cut off.

What this cannot see: ledger *and* head put back together from one backup. Keep the folder out of backups that
restore it, or show the head, which holds nothing private, to somebody else from time to time.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError

from tailweave.protocols.config.base import Spec
from tailweave.protocols.whole_file import write_whole

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Noise = Literal["system", "seeded", "none"]
LineKind = Literal["open", "charge", "sent", "refresh", "joined", "closed"]
_BEFORE_THE_FIRST = "0" * 64


class LedgerError(ValueError):
    """A ledger that cannot be trusted or written; the silo releases nothing until a person has looked."""


class Entry(Spec):
    """One line; unused fields are null.

    ``charge`` and ``sent`` are about one release; ``payload`` is the SHA-256 of the stored bytes that were
    sent. ``refresh`` is the owner's: the rows have changed and may be released anew. ``joined`` takes over
    what another ledger of the same rows has spent; that one ends with ``closed``. Of these two ``mechanism``
    names the other ledger.
    """

    index: Annotated[int, Field(ge=0)]
    previous_hash: Digest
    kind: LineKind
    data_version: Digest | None = None
    request: Digest | None = None
    epsilon: float | None = None
    delta: float | None = None
    rho: Annotated[float, Field(gt=0.0)] | None = None
    mechanism: str | None = None
    noise: Noise | None = None
    payload: Digest | None = None
    hash: Digest = _BEFORE_THE_FIRST

    @property
    def simulated(self) -> bool:
        """Whether the noise that was paid for protects nobody: none at all, or drawn from a known seed."""
        return self.kind in ("charge", "joined") and self.noise != "system"

    def sealed(self) -> Self:
        """Return the entry with its own hash: SHA-256 of all other fields, the previous hash among them."""
        return self.model_copy(update={"hash": hashlib.sha256(_encoded(self, without={"hash"})).hexdigest()})

    def line(self) -> bytes:
        """Return the entry as it stands in the file, without the line's end."""
        return _encoded(self)


def _encoded(entry: Entry, without: set[str] | None = None) -> bytes:
    return json.dumps(entry.model_dump(exclude=without), sort_keys=True, separators=(",", ":")).encode()


class Head(Spec):
    """Where the ledger ends."""

    index: Annotated[int, Field(ge=0)]
    hash: Digest


def read_ledger(path: Path) -> tuple[Entry, ...]:
    """Read and check a ledger without changing or locking it, for reports and audits.

    Raises:
        LedgerError: As ``recover``.
    """
    return tuple(_checked(path)[0])


def never_used(path: Path) -> bool:
    """Say whether no charge can have been written: nothing is there, or a beginning that was interrupted."""
    if _head_path(path).exists():
        return False
    return not path.exists() or len(_lines(path)[0]) == 1


def begin(path: Path, *, lasting: bool = True) -> None:
    """Write the first line, which says only that the ledger is open, and its head; see ``append``."""
    first = Entry(index=0, previous_hash=_BEFORE_THE_FIRST, kind="open").sealed()
    write_whole(path, first.line() + b"\n", mode=0o600, lasting=lasting)
    _write_head(path, first, lasting=lasting)


def append(path: Path, entry: Entry, *, lasting: bool = True) -> None:
    """Write the next line and then its head; when this returns, both are on the disk.

    Args:
        path: The ledger.
        entry: The line.
        lasting: False does not wait for the disk: for a simulation, whose rows nobody wants to keep.

    Raises:
        OSError: If the disk did not take all of it; ``recover`` puts that right.
    """
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        content = entry.line() + b"\n"
        if os.write(handle, content) != len(content):
            raise OSError("the disk took part of a line")
        if lasting:
            os.fsync(handle)
    finally:
        os.close(handle)
    _write_head(path, entry, lasting=lasting)


def recover(path: Path) -> list[Entry]:
    """Check the ledger and finish what a killed process left: cut a torn line, bring the head forward.

    The caller holds the ledger's lock; returns the lines, oldest first, at least one.

    Raises:
        LedgerError: If the ledger or its head is missing, edited (names the line), cut or rolled back.
    """
    entries, torn, behind = _checked(path)
    if torn:
        handle = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(handle, sum(len(entry.line()) + 1 for entry in entries))
            os.fsync(handle)
        finally:
            os.close(handle)
    if behind:
        _write_head(path, entries[-1])
    return entries


def _head_path(path: Path) -> Path:
    return path.with_suffix(".head")


def _write_head(path: Path, entry: Entry, *, lasting: bool = True) -> None:
    head = Head(index=entry.index, hash=entry.hash).model_dump_json()
    write_whole(_head_path(path), head, mode=0o600, lasting=lasting)


def _checked(path: Path) -> tuple[list[Entry], bool, bool]:
    """Return the whole lines, whether a torn one follows, and whether the head is one line behind."""
    lines, torn = _lines(path)
    head = _head(path)
    entries: list[Entry] = []
    for line in lines:
        entries.append(_entry(path, line, entries[-1] if entries else None))
    if head.index >= len(entries):
        raise LedgerError(
            f"{path}: rolled back: it ends at line {len(entries)}, its head at line {head.index + 1}"
        )
    behind = len(entries) - 1 - head.index
    if behind + torn > 1:
        raise LedgerError(
            f"{path}: its head was rolled back: it is at line {head.index + 1}, "
            f"the ledger at line {len(entries)}"
        )
    if entries[head.index].hash != head.hash:
        raise LedgerError(
            f"{path}: line {head.index + 1}: is not the one that its head names: edited or rolled back"
        )
    return entries, torn, behind > 0


def _lines(path: Path) -> tuple[list[bytes], bool]:
    try:
        *lines, rest = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LedgerError(f"{path}: missing: {error}; nothing is released without its history") from None
    return lines, rest != b""


def _head(path: Path) -> Head:
    try:
        return Head.model_validate_json(_head_path(path).read_bytes())
    except OSError as error:
        raise LedgerError(
            f"{_head_path(path)}: missing: {error}; the ledger may have been rolled back"
        ) from None
    except ValidationError:
        raise LedgerError(f"{_head_path(path)}: edited: it is not an index and a hash") from None


def _entry(path: Path, line: bytes, previous: Entry | None) -> Entry:
    number = 1 if previous is None else previous.index + 2
    try:
        entry = Entry.model_validate_json(line)
    except ValidationError:
        raise LedgerError(f"{path}: line {number}: edited: it is not an entry") from None
    if entry.line() != line or entry.sealed() != entry:
        raise LedgerError(f"{path}: line {number}: edited: its hash is not that of its fields")
    before = _BEFORE_THE_FIRST if previous is None else previous.hash
    if entry.index != number - 1 or entry.previous_hash != before:
        raise LedgerError(f"{path}: line {number}: edited: it does not follow the line before")
    return entry
