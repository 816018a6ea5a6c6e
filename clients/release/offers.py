# SPDX-License-Identifier: Apache-2.0
"""The keys that a silo offered for secure sums: one a number, for one roster, until the vector is masked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from tailweave.clients.release.lock import locked
from tailweave.clients.storage import StorageError, private_folder
from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import Name
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.secure_sum.keys import KeyPair, SumRound, keypair, signed_offer
from tailweave.protocols.secure_sum_messages import Key, Number, Signature
from tailweave.protocols.whole_file import write_whole


class OfferError(Refusal):
    """A secure sum that this silo does not take part in, or not any more."""


class Offered(Spec):
    """One number: who was to take part, the key, and, once masks were asked for, the digest of all keys."""

    number: Number
    silos: tuple[Name, ...]
    public: Key
    signature: Signature
    roster: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class _Book(Spec):
    offered: tuple[Offered, ...] = ()


@dataclass(frozen=True)
class Offers:
    """What one silo offered for one sum of one run; a number is never used for two rosters or two vectors."""

    folder: Path
    run: str
    schema: str

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, so that a message that comes twice at once is answered twice in a row."""
        private_folder(self.folder)
        with locked(self.folder / "offers.lock"):
            yield

    def offer(self, sum_round: SumRound, silo: str, identity_private: str) -> Offered:
        """Offer a key under a new number, or the same bytes that were offered under it before.

        Raises:
            OfferError: If the number was offered to another roster, or is below one that was used.
            ValueError: If this silo does not take part.
        """
        number, last = sum_round.number, max((o.number for o in self._all()), default=0)
        known = self.found(number)
        if known is not None:
            if known.silos != sum_round.silos:
                raise OfferError(
                    f"number {number} was offered to {', '.join(known.silos)} and is not offered to others; "
                    f"numbers above {last} are free"
                )
            return known
        if number < last:
            raise OfferError(f"number must be above {last}, which was used in this run, got {number}")
        key = keypair(sum_round, silo)
        signature = signed_offer(key, identity_private).signature
        offered = Offered(number=number, silos=sum_round.silos, public=key.public, signature=signature)
        write_whole(self._key(number), key.private, mode=0o600)
        self._save((*self._all(), offered))
        return offered

    def found(self, number: int) -> Offered | None:
        """Return what was offered under a number, if anything was."""
        return next((offered for offered in self._all() if offered.number == number), None)

    def bind(self, number: int, roster: str) -> None:
        """Remember whose keys the vector of a number is masked with; others are refused from now on.

        Raises:
            OfferError: If it was another roster before.
        """
        known = self.found(number)
        if known is None or known.roster not in (None, roster):
            raise OfferError(f"number {number} was masked for other keys; a second vector would unmask both")
        if known.roster is None:
            bound = known.model_copy(update={"roster": roster})
            self._save(tuple(bound if o.number == number else o for o in self._all()))

    def key(self, sum_round: SumRound, silo: str) -> KeyPair:
        """Return the key pair of a number.

        Raises:
            OfferError: If it was used already, or never made.
        """
        known, path = self.found(sum_round.number), self._key(sum_round.number)
        if known is None or not path.exists():
            raise OfferError(f"the key of number {sum_round.number} is used up: ask for another number")
        return KeyPair(sum_round, silo, path.read_text(encoding="ascii"), known.public)

    def burn(self, number: int) -> None:
        """Delete the private key of a number; what was masked with it can be unmasked by the sum only."""
        self._key(number).unlink(missing_ok=True)

    @property
    def _book(self) -> Path:
        return self.folder / f"{self.run}.{self.schema}.json"

    def _key(self, number: int) -> Path:
        return self.folder / f"{self.run}.{self.schema}.{number}.key"

    def _all(self) -> tuple[Offered, ...]:
        if not self._book.exists():
            return ()
        try:
            book = _Book.model_validate_json(self._book.read_bytes())
        except (OSError, ValidationError) as error:
            raise StorageError(f"{self._book}: cannot be read back ({error})") from None
        return book.offered

    def _save(self, offered: tuple[Offered, ...]) -> None:
        write_whole(self._book, _Book(offered=offered).model_dump_json(), mode=0o600)
