# SPDX-License-Identifier: Apache-2.0
"""By what a data set is known again on its host: a file of mode 600 that holds no row and no value."""

import stat
from pathlib import Path
from secrets import token_bytes
from typing import Annotated

from pydantic import Field, ValidationError

from tailweave.clients.release.chain import Digest, LedgerError
from tailweave.clients.release.likeness import SAME, Likeness, overlap, union
from tailweave.clients.release.places import Place
from tailweave.protocols.config.base import Spec
from tailweave.protocols.whole_file import write_whole

_FILE, _KEY = "identity.json", "host.key"
_KEY_BYTES = 32
_REMEMBERED = 7
"""Earlier looks at one place: two federations may read the same file with another label each."""


class Seen(Spec):
    """Where a data set lay, and which rows it had there when they were last read."""

    path: str
    folder: int
    stamp: Digest
    table: Digest


class DataSet(Spec):
    """A data set's places, and the digests and the common sketch of all rows that it ever had.

    ``absorbed`` names those that were joined into it; they are no more than records then.
    """

    seen: tuple[Seen, ...] = ()
    tables: tuple[Digest, ...] = ()
    sketch: tuple[Annotated[int, Field(ge=0)], ...] = ()
    absorbed: tuple[str, ...] = ()

    def at(self, place: Place) -> tuple[Seen, ...]:
        """Return what was seen at a place, whatever lies there now; latest last."""
        return tuple(one for one in self.seen if (one.path, one.folder) == (place.path, place.folder))

    def like(self, rows: Likeness) -> bool:
        """Tell whether rows are recognisably this data set's."""
        return rows.table in self.tables or overlap(self.sketch, rows.sketch) >= SAME

    def with_rows(self, place: Place, rows: Likeness) -> "DataSet":
        """Return it with the rows that lie at ``place`` now among its own."""
        now = Seen(path=place.path, folder=place.folder, stamp=place.stamp, table=rows.table)
        there = tuple(one for one in self.at(place) if one.stamp != now.stamp)[-_REMEMBERED:]
        elsewhere = tuple(one for one in self.seen if one not in self.at(place))
        return self.model_copy(
            update={
                "seen": (*elsewhere, *there, now),
                "tables": tuple(dict.fromkeys((*self.tables, rows.table))),
                "sketch": union(self.sketch, rows.sketch),
            }
        )

    def merged(self, name: str, other: "DataSet") -> "DataSet":
        """Return it with all that the other, of that name, is known by."""
        return self.model_copy(
            update={
                "seen": self.seen + other.seen,
                "tables": tuple(dict.fromkeys(self.tables + other.tables)),
                "sketch": union(self.sketch, other.sketch),
                "absorbed": (*self.absorbed, name, *other.absorbed),
            }
        )

    def save(self, folder: Path) -> None:
        """Write it into a data set's folder."""
        write_whole(folder / _FILE, self.model_dump_json(), mode=0o600)


def data_sets(ledgers: Path) -> dict[str, DataSet]:
    """Return the data sets of a host by name, without those that were taken over.

    Raises:
        LedgerError: If others may look into the folder, or a data set cannot be read back.
    """
    if not ledgers.exists():
        return {}
    if stat.S_IMODE(ledgers.stat().st_mode) & 0o077:
        raise LedgerError(f"{ledgers}: others may look into this folder of ledgers: chmod 700 {ledgers}")
    found = {}
    for path in sorted(ledgers.glob(f"[!.]*/{_FILE}")):
        try:
            found[path.parent.name] = DataSet.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            raise LedgerError(f"{path}: cannot be read back; put it back from a copy") from None
    absorbed = {name for one in found.values() for name in one.absorbed}
    return {name: one for name, one in found.items() if name not in absorbed}


def host_key(ledgers: Path, *, make: bool) -> bytes | None:
    """Return the host's secret under which rows are sketched, or None where there is none yet.

    To ``make`` a missing one the caller holds the host's lock.

    Raises:
        LedgerError: If it is missing beside ledgers, which cannot be told apart without it, or no key.
    """
    path = ledgers / _KEY
    if not path.exists():
        if any(ledgers.glob(f"[!.]*/{_FILE}")):
            raise LedgerError(f"{path}: missing: these ledgers' rows cannot be known again without it")
        if not make:
            return None
        write_whole(path, token_bytes(_KEY_BYTES), mode=0o600)
    key = path.read_bytes()
    if len(key) != _KEY_BYTES:
        raise LedgerError(f"{path}: a host's key has {_KEY_BYTES} bytes, got {len(key)}")
    return key
