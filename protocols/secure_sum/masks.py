# SPDX-License-Identifier: Apache-2.0
"""Masks that cancel in the sum of all silos, and in no smaller sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tailweave.protocols.arrays import Floats
from tailweave.protocols.secure_sum.keys import KeyPair, Offer, SumRound, shared_secret, verify_offer

Words = NDArray[np.uint32]
"""Integers modulo 2^32."""


class DroppedOut(ValueError):  # noqa: N818 - it reads as what happened
    """A silo did not send its masked vector, so that the masks of the others do not cancel."""


@dataclass(frozen=True)
class Masked:
    """What a silo sends: its vector plus masks, uniform to whoever does not know them all."""

    silo: str
    number: int
    values: Words

    def arrays(self) -> dict[str, Floats]:
        """Return the values as they cross the wire: one column, exact in float64."""
        return {"words": self.values[:, None].astype(np.float64)}

    @classmethod
    def from_arrays(cls, silo: str, number: int, arrays: Mapping[str, Floats]) -> "Masked":
        """Rebuild what ``arrays`` took apart.

        Raises:
            ValueError: If there is no matrix ``words`` of one column of whole 32-bit numbers.
        """
        words = arrays.get("words")
        if set(arrays) != {"words"} or words is None or words.ndim != 2 or words.shape[1] != 1:
            raise ValueError(f"a masked vector needs one array 'words' (n, 1), got {sorted(arrays)}")
        if not ((words >= 0) & (words < 2.0**32) & (words == np.floor(words))).all():
            raise ValueError("words must be whole numbers from 0 to 2^32 - 1, got others")
        return cls(silo, number, words[:, 0].astype(np.uint32))


def mask(vector: Words, own: KeyPair, offers: Sequence[Offer], enrolled: Mapping[str, str]) -> Masked:
    r"""Add this silo's masks to its vector.

    .. math:: y_a = v_a + \sum_{b > a} m_{ab} - \sum_{b < a} m_{ba} \pmod{2^w}, \qquad
        m_{ab} = \mathrm{ChaCha20}(\mathrm{HKDF}(\mathrm{X25519}(a, b)))

    Call it once for a key: two vectors under the same masks give their difference away. To answer again,
    send the stored result again.

    Args:
        vector: The silo's vector, shape (n,).
        own: This silo's key, made for the round.
        offers: One of every silo of the round, this one too, as the server passed them on.
        enrolled: Identity keys pinned at enrolment, by silo.

    Raises:
        ValueError: If the vector is of another kind, an offer is missing, doubled, or not signed for this
            round, or the server passed on another key for this silo than it offered.

    Privacy:
        Whoever lacks one honest pair's secret sees uniform words, so K - 2 colluding silos and the server
        learn the sum over the honest silos and nothing else; that sum is what noise has to protect.
    """
    if vector.dtype != np.uint32 or vector.ndim != 1 or vector.size == 0:
        raise ValueError(f"vector must be non-empty, of uint32, got {vector.dtype} of shape {vector.shape}")
    by_silo = _verified(own, offers, enrolled)
    total = vector.copy()
    for silo, offer in by_silo.items():
        if silo == own.silo:
            continue
        stream = _keystream(own, offer, vector)
        total = total + stream if own.silo < silo else total - stream
    return Masked(own.silo, own.round.number, total)


def unmask_sum(masked: Sequence[Masked], sum_round: SumRound) -> Words:
    """Add masked vectors; the masks cancel.

    Args:
        masked: One of every silo of the round.
        sum_round: The round.

    Returns:
        The sum of the silos' vectors modulo 2^32, shape (n,).

    Raises:
        DroppedOut: If a silo is missing; the remedy is a new round with new keys.
        ValueError: If a vector is doubled, of another round or silo, or they differ in length.
    """
    senders = [vector.silo for vector in masked]
    strange = [v.silo for v in masked if v.silo not in sum_round.silos or v.number != sum_round.number]
    if strange or len(set(senders)) != len(senders):
        raise ValueError(
            f"round {sum_round.number} needs one vector of each of {list(sum_round.silos)}, got "
            f"{[(v.silo, v.number) for v in masked]}"
        )
    missing = sorted(set(sum_round.silos) - set(senders))
    if missing:
        raise DroppedOut(
            f"{', '.join(missing)} dropped out of secure sum {sum_round.number}: the masks of the others do "
            "not cancel; discard their vectors and begin a new round with new keys"
        )
    if len({(v.values.dtype, v.values.shape) for v in masked}) != 1:
        raise ValueError(
            f"vectors must agree in length and words, got {[(v.silo, v.values.shape) for v in masked]}"
        )
    total = masked[0].values.copy()
    for vector in masked[1:]:
        total = total + vector.values
    return total


def _verified(own: KeyPair, offers: Sequence[Offer], enrolled: Mapping[str, str]) -> dict[str, Offer]:
    if sorted(offer.silo for offer in offers) != list(own.round.silos):
        raise ValueError(
            f"offers must be one of each of {list(own.round.silos)}, got {[offer.silo for offer in offers]}"
        )
    for offer in offers:
        verify_offer(offer, own.round, enrolled)
    by_silo = {offer.silo: offer for offer in offers}
    if by_silo[own.silo].public != own.public:
        raise ValueError(f"the server passed on another key for {own.silo} than it offered")
    return by_silo


def _keystream(own: KeyPair, offer: Offer, like: Words) -> Words:
    """Return the pair's mask: both ends derive the same key, from a statement that names both in order."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    low, high = sorted((own.silo, offer.silo))
    info = own.round.statement("mask", low, high)
    key = HKDF(SHA256(), length=32, salt=None, info=info).derive(shared_secret(own, offer))
    # A key encrypts one stream only, so its nonce and counter may begin at zero.
    stream = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor().update(bytes(like.nbytes))
    return np.frombuffer(stream, dtype="<u4").astype(np.uint32)
