# SPDX-License-Identifier: Apache-2.0
"""What was charged elsewhere for the same rows is taken over: no charge is ever lost on the way.

Every step can be repeated, so a process that is killed in one leaves it to the next; a charge may then count
twice, never less than once.
"""

import os
from pathlib import Path
from secrets import token_hex

from tailweave.clients.release.chain import LedgerError
from tailweave.clients.release.desk import release_folder
from tailweave.clients.release.ledger import Ledger
from tailweave.protocols.whole_file import sync_folder, write_whole

_LEDGER = "ledger.jsonl"


def old_ledger(state: Path, silo: str) -> Path | None:
    """Return the folder, if any, in which an earlier version kept this silo's ledger: in the kit's own state.

    Raises:
        LedgerError: If there is one under another name only, and nothing says whether it is of these rows.
    """
    own = release_folder(state, silo)
    if (own / _LEDGER).exists():
        return own
    others = [path.parent.name for path in sorted(own.parent.glob(f"[!.]*/{_LEDGER}"))]
    others = [name for name in others if "." not in name]  # moved ones have a dot
    if others and not any(own.parent.glob("witness-*")):
        raise LedgerError(
            f"{own.parent / others[0]}: a ledger of an earlier version, under another name than {silo}; "
            f"start the node once with name: {others[0]} in node.yaml, or move it away if it is of other rows"
        )
    return None


def copy_old(old: Path, folder: Path) -> None:
    """Copy a ledger of an earlier version, and the releases kept beside it, into a new data set's folder.

    Raises:
        LedgerError: If the ledger cannot be trusted.
    """
    with Ledger.open(old / _LEDGER, create=False, simulation=True):
        for path in sorted(old.iterdir()):
            if path.is_file() and not path.name.startswith(".") and path.suffix != ".lock":
                write_whole(folder / path.name, path.read_bytes(), mode=0o600)


def take_over(old: Path, folder: Path) -> None:
    """Charge in a data set's ledger what one of an earlier version has spent, unless it was begun from that.

    The old folder is put aside under another name.

    Raises:
        LedgerError: If one of the two cannot be trusted or written.
    """
    with Ledger.open(old / _LEDGER, create=False, simulation=True) as other:
        with Ledger.open(folder / _LEDGER, create=True, simulation=True) as ledger:
            if ledger.entries[: len(other.entries)] != other.entries:
                ledger.join(f"earlier {other.entries[-1].hash[:16]}", other)
        other.close(folder.name)
        os.rename(old, old.with_name(f"{old.name}.moved-{token_hex(4)}"))
        sync_folder(old.parent)


def join(other: Path, folder: Path) -> None:
    """Charge in one data set's ledger what another has spent, and close that one.

    Raises:
        LedgerError: If one of the two cannot be trusted or written.
    """
    if not (other / _LEDGER).exists():  # nothing was ever asked of it
        return
    with (
        Ledger.open(other / _LEDGER, create=False, simulation=True) as closing,
        Ledger.open(folder / _LEDGER, create=True, simulation=True) as ledger,
    ):
        ledger.join(other.name, closing)
        closing.close(folder.name)
