# SPDX-License-Identifier: Apache-2.0
"""One ledger a data set and host: which folder of the host's is that of these rows.

A data set is known by where it lies, or by its rows: at least half of the smaller table stands in the other.
So another name of the silo, another federation, a copied, moved, reordered or grown file, and an emptied
state folder all meet the ledger that was charged before. What this cannot see: the same rows at another place
*and* with other values (other units, more columns); rows of few distinct values that are copied and grown;
another host, and on one host another user's folder.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from numpy.typing import NDArray

from tailweave.clients.release.chain import LedgerError
from tailweave.clients.release.data_set import DataSet, data_sets, host_key
from tailweave.clients.release.likeness import Likeness, likeness
from tailweave.clients.release.lock import locked
from tailweave.clients.release.moving import copy_old, join, old_ledger, take_over
from tailweave.clients.release.places import Own
from tailweave.clients.release.witness import Witness, check_all
from tailweave.clients.storage import private_folder
from tailweave.protocols.whole_file import sync_folder

_LOCK = "host.lock"


@dataclass(frozen=True)
class Matches:
    """The data sets that rows belong to, as the host has them.

    Attributes:
        known: Data sets by name; none for rows that the host has not seen.
        rows: The rows' likeness; None on a host that has no ledgers yet.
    """

    known: dict[str, DataSet]
    rows: Likeness | None


def enrol(own: Own, values: Callable[[], NDArray[Any]]) -> Witness:
    """Return the data set of a node's rows, begun or brought up to date if need be.

    Rows that lie where and as they did are not read: one look at sizes and times for a message.

    Raises:
        LedgerError: If the rows are of several data sets and the owner named none of them, or named another;
            or if a folder or file cannot be trusted or written.
    """
    try:
        found = _unchanged(own)
        if found is None:
            private_folder(own.ledgers)
            with locked(own.ledgers / _LOCK):
                found = _settled(own, values)
        check_all(own.memory, own.ledgers, but=found.folder.name)
    except OSError as error:
        raise LedgerError(
            f"{own.ledgers}: cannot be used ({error}); set ledgers in node.yaml to a folder of this user"
        ) from None
    return found


def look(own: Own, values: Callable[[], NDArray[Any]]) -> Matches:
    """Find out whose rows these are; writes nothing.

    Returns:
        The data sets that match; one, none, or several that ``chosen`` joins.

    Raises:
        LedgerError: As ``enrol``.
    """
    key, everything = host_key(own.ledgers, make=False), data_sets(own.ledgers)
    if key is None:
        return Matches(_allowed(own, {}), None)
    rows = likeness(values(), key)
    known = {name: one for name, one in everything.items() if one.at(own.place) or one.like(rows)}
    return Matches(_allowed(own, known), rows)


def _allowed(own: Own, known: dict[str, DataSet]) -> dict[str, DataSet]:
    """Refuse what only the owner can decide, and a data set that is named although the rows are not its."""
    names = ", ".join(sorted(known))
    if own.chosen is not None and own.chosen not in known:
        raise LedgerError(
            f"data-set {own.chosen!r} is not that of these rows on this host, which is "
            f"{names or 'not begun yet'} ({own.ledgers}); correct data-set in node.yaml, or leave it out"
        )
    if len(known) > 1 and own.chosen is None:
        raise LedgerError(
            f"these rows are of several data sets on this host: {names} ({own.ledgers}); set data-set in "
            "node.yaml to one of them, which then takes over what all of them have spent"
        )
    return known


def _unchanged(own: Own) -> Witness | None:
    """Return the data set of rows that lie where and as they did when they were last read."""
    if old_ledger(own.state, own.silo):
        return None
    same = {
        name: seen.table
        for name, one in data_sets(own.ledgers).items()
        for seen in one.at(own.place)
        if seen.stamp == own.place.stamp
    }
    if len(same) != 1 or own.chosen not in (None, *same):
        return None
    ((name, table),) = same.items()
    return Witness(own.memory, own.ledgers / name, table)


def _settled(own: Own, values: Callable[[], NDArray[Any]]) -> Witness:
    """Begin or bring up to date the data set, under the host's lock.

    Raises:
        LedgerError: As ``enrol``.
    """
    check_all(own.memory, own.ledgers)  # a ledger that was lost is not begun anew
    key = host_key(own.ledgers, make=True)
    matches = look(own, values)
    if key is None or matches.rows is None:
        raise LedgerError(f"{own.ledgers}: its host.key vanished while it was read")
    old = old_ledger(own.state, own.silo)
    if matches.known:
        name = own.chosen or next(iter(matches.known))
        _update(own, matches.known, name, matches.rows)
    else:
        name = f"{own.silo}-{token_hex(4)}"
        _begin(own, name, DataSet().with_rows(own.place, matches.rows), old)
    if old is not None:
        take_over(old, own.ledgers / name)
    return Witness(own.memory, own.ledgers / name, matches.rows.table)


def _update(own: Own, known: dict[str, DataSet], name: str, rows: Likeness) -> None:
    """Join all that match into one, and remember the rows; killed in between, the next start goes on."""
    whole = known[name]
    for other in sorted(known.keys() - {name}):
        join(own.ledgers / other, own.ledgers / name)
        whole = whole.merged(other, known[other])
    whole.with_rows(own.place, rows).save(own.ledgers / name)


def _begin(own: Own, name: str, new: DataSet, old: Path | None) -> None:
    """Make a data set's folder, whole or not at all; one of an earlier version goes on in it."""
    part = own.ledgers / f".{name}"
    for left in own.ledgers.glob(f".{own.silo}-*"):  # of a process that was killed here
        shutil.rmtree(left)
    part.mkdir(mode=0o700)
    new.save(part)
    if old is not None:
        copy_old(old, part)
    part.rename(own.ledgers / name)
    sync_folder(own.ledgers)
