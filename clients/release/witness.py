# SPDX-License-Identifier: Apache-2.0
"""What a kit's state folder remembers of the ledgers on its host: enough to see that one was rolled back.

The ledger of a data set lies in a folder of the host, the witness beside the checkpoints of one kit. Somebody
who empties or restores one of the two is found out by the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from tailweave.clients.release.chain import Entry, Head, LedgerError
from tailweave.clients.release.ledger import Ledger
from tailweave.clients.storage import private_folder
from tailweave.protocols.whole_file import write_whole

_RELEASED = "released-table"
_PREFIX, _SUFFIX = "witness-", ".json"


@dataclass(frozen=True)
class Witness:
    """What one kit remembers of one ledger.

    Attributes:
        state: The kit's folder ``releases``; made when there is something to remember.
        folder: The data set's, on the host; its name is the data set's.
        table: Digest of the rows as they are now, of which ``likeness`` says nothing but *same*.
    """

    state: Path
    folder: Path
    table: str

    @property
    def path(self) -> Path:
        """The file; written under the ledger's lock only."""
        return self.state / f"{_PREFIX}{self.folder.name}{_SUFFIX}"

    def check(self, entries: Sequence[Entry]) -> None:
        """Refuse a ledger that lacks an entry which this kit has seen.

        Raises:
            LedgerError: If it was emptied or rolled back, or the file cannot be read.
        """
        if self.path.exists():
            _compare(self.path, self.folder, entries)

    def remember(self, entries: Sequence[Entry]) -> None:
        """Write how far the ledger is, if that is further than it was."""
        last = entries[-1]
        if last.index == 0 or (self.path.exists() and _read(self.path).index == last.index):
            return
        private_folder(self.state)
        write_whole(self.path, Head(index=last.index, hash=last.hash).model_dump_json(), mode=0o600)

    def released(self) -> None:
        """Note of which rows the last release was made, for the owner to see that they have changed since."""
        write_whole(self.folder / _RELEASED, self.table, mode=0o600)


def released_table(folder: Path) -> str | None:
    """Return the digest of the rows that a data set's last release was made of, or None."""
    path = folder / _RELEASED
    return path.read_text(encoding="ascii") if path.exists() else None


def check_all(state: Path, ledgers: Path, *, but: str | None = None) -> None:
    """Hold everything that a kit remembers against the host's folder, whatever its rows are now.

    What is remembered of data set ``but`` is looked at elsewhere.

    Raises:
        LedgerError: If a ledger is gone, was rolled back or cannot be read; says what to put where.
    """
    for path, name in _witnesses(state):
        if name == but:
            continue
        folder = ledgers / name
        if not (folder / "ledger.jsonl").exists():
            raise LedgerError(
                f"{folder}: missing: this kit was charged in that ledger ({path}); put the folder back from "
                "a copy or the host it was on, or set ledgers in node.yaml to where it is"
            )
        with Ledger.open(folder / "ledger.jsonl", create=False, simulation=True) as ledger:
            _compare(path, folder, ledger.entries)


def _witnesses(state: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(state.glob(f"{_PREFIX}*{_SUFFIX}")):
        yield path, path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX)


def _compare(path: Path, folder: Path, entries: Sequence[Entry]) -> None:
    seen = _read(path)
    if seen.index >= len(entries) or entries[seen.index].hash != seen.hash:
        raise LedgerError(
            f"{folder}: rolled back: its ledger ends at line {len(entries)}, or is another one; this kit "
            f"has seen line {seen.index + 1} ({path}); put the folder back from a newer copy"
        )


def _read(path: Path) -> Head:
    try:
        return Head.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LedgerError(f"{path}: cannot be read back ({error}); put it back from a copy") from None
