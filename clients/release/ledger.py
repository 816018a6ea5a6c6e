# SPDX-License-Identifier: Apache-2.0
"""What a silo has spent, and what it sent for it; ``chain`` keeps the lines."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from tailweave.clients.release import chain
from tailweave.clients.release.chain import Entry, LedgerError, LineKind
from tailweave.clients.release.lock import locked
from tailweave.clients.storage import private_folder


@dataclass(frozen=True)
class Charge:
    """The price of one release.

    ``epsilon`` and ``rho`` (zero-concentrated, positive) are None without noise; ``noise``
    is ``system``, or in simulation ``seeded`` or ``none``.
    """

    data_version: str
    request: str
    epsilon: float | None
    delta: float
    rho: float | None
    mechanism: str
    noise: str

    def __post_init__(self) -> None:
        """Refuse a price that is none."""
        if not (self.epsilon is None) == (self.rho is None) == (self.noise == "none"):
            raise ValueError(
                "epsilon and rho are null exactly when noise is none, "
                f"got epsilon {self.epsilon}, rho {self.rho}, noise {self.noise}"
            )
        if self.rho is not None and not (math.isfinite(self.rho) and self.rho > 0.0):
            raise ValueError(f"rho must be finite and positive, got {self.rho}")


class Ledger:
    """An open ledger, held by one process at a time; use ``with Ledger.open(...) as ledger``."""

    def __init__(self, path: Path, entries: list[Entry], *, simulation: bool, lasting: bool) -> None:
        """Wrap lines that were checked; ``open`` is the way in."""
        self._path, self._entries, self._simulation, self._lasting = path, entries, simulation, lasting

    @classmethod
    @contextmanager
    def open(
        cls, path: Path, *, create: bool, simulation: bool = False, lasting: bool = True
    ) -> Iterator[Self]:
        """Open a ledger, wait until no other process holds it, and check every line and the head.

        Args:
            path: The ledger; its head is ``path`` with the suffix ``.head``, its lock with ``.lock``.
            create: Whether a silo may begin here. A ledger of which any trace is left is never begun anew.
            simulation: Whether seeded noise and none at all are allowed.
            lasting: False does not wait for the disk: where the rows are nobody's.

        Yields:
            The ledger.

        Raises:
            LedgerError: If the ledger is missing, edited (names the line), cut, rolled back, or holds a
                simulation's charges outside of one.
        """
        if create:
            private_folder(path.parent)
        with _lock(path):
            if create and chain.never_used(path):
                chain.begin(path, lasting=lasting)
            entries = chain.recover(path)
            for entry in entries:
                if entry.simulated and not simulation:
                    raise LedgerError(
                        f"{path}: line {entry.index + 1}: a release with noise {entry.noise!r} was charged, "
                        "which a simulation or allow-no-privacy alone may do; no epsilon bounds these rows "
                        "any more, so no policy without allow-no-privacy goes on"
                    )
            yield cls(path, entries, simulation=simulation, lasting=lasting)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All lines, oldest first."""
        return tuple(self._entries)

    def charges(self, data_version: str) -> int:
        """Return how many releases of this data version were paid for, sent or not."""
        return sum(e.kind == "charge" and e.data_version == data_version for e in self._entries)

    def charged(self, data_version: str, request: str) -> bool:
        """Return whether this release was ever paid for."""
        return any(e.kind == "charge" and _about(e, data_version, request) for e in self._entries)

    def payload(self, data_version: str, request: str) -> str | None:
        """Return the SHA-256 of what was sent for this question, or None if nothing was."""
        sent = (e.payload for e in self._entries if e.kind == "sent" and _about(e, data_version, request))
        return next(sent, None)

    def spent(self) -> float:
        """Return the sum of rho over all charges; infinite once anything left without noise.

        A release that is sent again has one charge. One that was interrupted and drawn again has two: the
        lost draw left nothing, but what was drawn may have decided what was lost, so it counts.
        """
        return math.fsum(_rho(e) for e in self._entries if e.kind in ("charge", "joined"))

    @property
    def version(self) -> str:
        """Return the data version in force, 64 hex digits that say nothing of the rows.

        It changes when the owner says ``refresh``, never with the rows: whether a silo answers with other
        bytes than before would otherwise tell that a row was changed. It is named by the entry that began
        it; ledgers of earlier versions named it otherwise, and go on with the last name.
        """
        last = next(e for e in reversed(self._entries) if e.kind in ("open", "charge", "refresh"))
        return last.data_version or last.hash

    @property
    def closed(self) -> str | None:
        """Return the name of the ledger that took this one over, or None."""
        return next((e.mechanism for e in self._entries if e.kind == "closed"), None)

    def charge(self, charge: Charge) -> None:
        """Write the price of a release; when this returns it is on the disk, and noise may be drawn.

        Raises:
            LedgerError: If it cannot be written, or its noise is a simulation's and this is none.
        """
        if charge.noise != "system" and not self._simulation:
            raise LedgerError(
                f"noise must be 'system' outside a simulation, got {charge.noise!r}; nothing was drawn"
            )
        self._append("charge", asdict(charge))

    def sent(self, data_version: str, request: str, payload: str) -> None:
        """Write that a stored release is about to leave.

        Raises:
            LedgerError: If it cannot be written, or was never charged.
        """
        if not self.charged(data_version, request):
            raise LedgerError(f"{self._path}: request {request[:12]} was never charged, so it cannot be sent")
        self._append("sent", {"data_version": data_version, "request": request, "payload": payload})

    def refresh(self) -> bool:
        """Begin a new data version, which is the owner's act; return whether one was due.

        A version from which nothing was released needs no successor.

        Raises:
            LedgerError: If it cannot be written.
        """
        due = self.charges(self.version) > 0
        if due:
            self._append("refresh", {})
        return due

    def join(self, name: str, other: "Ledger") -> None:
        """Take over what another ledger of the same rows has spent; a repetition adds only what is new.

        Args:
            name: Under which the other is remembered here; no two have one name.
            other: Open too.

        Raises:
            LedgerError: If it cannot be written.
        """
        known = math.fsum(_rho(e) for e in self._entries if e.kind == "joined" and e.mechanism == name)
        more = other.spent() - known if math.isfinite(known) else 0.0
        if more > 0.0:
            protected = math.isfinite(more) and not any(e.simulated for e in other.entries)
            noise = "system" if protected else "seeded" if math.isfinite(more) else "none"
            rho = more if math.isfinite(more) else None
            self._append("joined", {"mechanism": name, "rho": rho, "noise": noise})

    def close(self, successor: str) -> None:
        """Write that another ledger has taken this one over; nothing is released from it any more.

        Raises:
            LedgerError: If it cannot be written.
        """
        if self.closed is None:
            self._append("closed", {"mechanism": successor})

    def _append(self, kind: LineKind, fields: dict[str, object]) -> None:
        last = self._entries[-1]
        raw = {"index": last.index + 1, "previous_hash": last.hash, "kind": kind, **fields}
        try:
            entry = Entry.model_validate(raw).sealed()
            chain.append(self._path, entry, lasting=self._lasting)
        except (OSError, ValidationError) as error:
            raise LedgerError(f"{self._path}: cannot be written, so nothing is released: {error}") from error
        self._entries.append(entry)


def _rho(entry: Entry) -> float:
    return math.inf if entry.rho is None else entry.rho


def _about(entry: Entry, data_version: str, request: str) -> bool:
    return (entry.data_version, entry.request) == (data_version, request)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path.with_suffix(".lock")))
        except OSError as error:
            raise LedgerError(f"{path}: missing, and it may not be begun here: {error}") from None
        yield
