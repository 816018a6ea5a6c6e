# SPDX-License-Identifier: Apache-2.0
"""Keys of one secure sum: made for one round, offered under a signature, checked before they are used.

Keys and signatures are lower-case hexadecimal text, as they cross the wire.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tailweave.protocols.config.privacy import FEWEST_SILOS
from tailweave.protocols.refusals import Refusal


@dataclass(frozen=True)
class SumRound:
    """What a key is for. Everything here is signed, and goes into the masks.

    Attributes:
        run: Name of the run.
        number: Of the attempt; never used twice in a run, a rerun has the next one.
        schema: Digest of what is summed: reference, feature map and word size. One vector a schema: a second
            vector under the same masks would give their difference away.
        silos: Who takes part, sorted; all must survive.
    """

    run: str
    number: int
    schema: str
    silos: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse fewer than three silos, and lists that two silos could read differently."""
        if len(self.silos) < FEWEST_SILOS:
            raise Refusal(f"a secure sum needs at least {FEWEST_SILOS} silos, got {len(self.silos)}")
        if list(self.silos) != sorted(set(self.silos)):
            raise Refusal(f"silos must be different and sorted, got {list(self.silos)}")
        if self.number < 0:
            raise Refusal(f"number must not be negative, got {self.number}")

    def statement(self, purpose: str, *parts: str) -> bytes:
        """Return bytes that differ whenever purpose, round or parts differ (JSON keeps them apart)."""
        text = [f"tailweave/secure-sum/1/{purpose}", self.run, self.number, self.schema, self.silos, parts]
        return json.dumps(text, separators=(",", ":")).encode()


@dataclass(frozen=True)
class KeyPair:
    """A silo's X25519 key for one round, on the node only, and deleted once the masked vector is made."""

    round: SumRound
    silo: str
    private: str = field(repr=False)
    public: str


@dataclass(frozen=True)
class Offer:
    """A silo's public key for one round, signed with the identity that was pinned at enrolment.

    The key is X25519's, the signature Ed25519's over round, silo and key.
    """

    silo: str
    public: str
    signature: str


def identity() -> tuple[str, str]:
    """Make a silo's Ed25519 identity, once, at enrolment.

    Returns:
        Private key, which stays on the node, and public key, which all other silos pin.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw().hex(), key.public_key().public_bytes_raw().hex()


def keypair(sum_round: SumRound, silo: str) -> KeyPair:
    """Make a key that is bound to one round and silo, from the operating system's entropy.

    Raises:
        ValueError: If ``silo`` does not take part.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    if silo not in sum_round.silos:
        raise ValueError(f"silo must be one of the round's {list(sum_round.silos)}, got {silo!r}")
    key = X25519PrivateKey.generate()
    return KeyPair(sum_round, silo, key.private_bytes_raw().hex(), key.public_key().public_bytes_raw().hex())


def signed_offer(own: KeyPair, identity_private: str) -> Offer:
    """Sign a public key with the silo's identity, for the other silos, through the server.

    Raises:
        ValueError: If ``identity_private`` is not a private key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(_key_bytes(identity_private, "identity_private"))
    signature = key.sign(own.round.statement("offer", own.silo, own.public))
    return Offer(own.silo, own.public, signature.hex())


def verify_offer(offer: Offer, sum_round: SumRound, enrolled: Mapping[str, str]) -> None:
    """Check that an offer was signed for this very round by the silo that it names.

    Raises:
        ValueError: If the silo does not take part or is not enrolled, or the signature does not fit: forged,
            replayed from another round, roster or schema, or moved to another silo.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if offer.silo not in sum_round.silos:
        raise Refusal(f"offer must come from one of {list(sum_round.silos)}, got {offer.silo!r}")
    if offer.silo not in enrolled:
        raise Refusal(f"{offer.silo} is not enrolled: its identity key was never pinned on this node")
    pinned = Ed25519PublicKey.from_public_bytes(_key_bytes(enrolled[offer.silo], "enrolled key"))
    _key_bytes(offer.public, "public key")
    try:
        pinned.verify(
            _hex(offer.signature, "signature"), sum_round.statement("offer", offer.silo, offer.public)
        )
    except InvalidSignature:
        raise Refusal(
            f"the signature of {offer.silo} does not fit its key for round {sum_round.number} of "
            f"{sum_round.run}: forged, or made for something else"
        ) from None


def shared_secret(own: KeyPair, offer: Offer) -> bytes:
    """Return the X25519 secret that two silos share; the offer must have been verified.

    Raises:
        ValueError: If the offered point is of small order, so that the secret would be known to all.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

    private = X25519PrivateKey.from_private_bytes(_key_bytes(own.private, "private key"))
    peer = X25519PublicKey.from_public_bytes(_key_bytes(offer.public, "public key"))
    try:
        return private.exchange(peer)
    except ValueError:
        raise Refusal(f"the public key of {offer.silo} is of small order") from None


def _key_bytes(text: str, name: str) -> bytes:
    raw = _hex(text, name)
    if len(raw) != 32:
        raise ValueError(f"{name} must have 32 bytes, got {len(raw)}")
    return raw


def _hex(text: str, name: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise ValueError(
            f"{name} must be hexadecimal text, got {len(text)} characters that are not"
        ) from None
