# SPDX-License-Identifier: Apache-2.0
"""The four messages of a secure sum: two questions of the server, and a silo's answer to each.

``offer``: sign a fresh key for one sum; ``masked``: release the sketch under masks that cancel in that sum.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from tailweave.protocols.config.base import Spec
from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Message

Number = Annotated[int, Field(ge=1, le=1_000_000)]
"""Of an attempt at one secure sum; a rerun has the next one."""
Key = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Signature = Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class SignedKey(Spec):
    """A silo's X25519 key for one sum, signed by its Ed25519 identity; hexadecimal text."""

    silo: Name
    public: Key
    signature: Signature
    identity: Key


class SecureSum(Message):
    """What both questions of a secure sum say. Arrays: ``features/...``."""

    reference: SlicedReference
    privacy: PrivacySpec
    number: Number

    @model_validator(mode="after")
    def _masks_are_asked_for(self) -> Self:
        if not self.privacy.secure_aggregation or self.privacy.epsilon is None:
            raise ValueError("a secure sum needs privacy with secure-aggregation: true and epsilon set")
        if self.reference.aggregate != "mixture":
            raise ValueError(f"a secure sum gives a mixture, got aggregate: {self.reference.aggregate}")
        return self


class OfferKey(SecureSum):
    """Server: sign a fresh key for a sum of exactly these silos."""

    kind: ClassVar[str] = "offer"
    type: ClassVar[str] = "query.offer"
    silos: Annotated[tuple[Name, ...], Field(max_length=1000)]


class OfferKeyReply(Message):
    """Silo: the public key, signed, and the identity that signed it."""

    kind: ClassVar[str] = "offer"
    silo: Name
    number: Number
    public: Key
    signature: Signature
    identity: Key

    @property
    def key(self) -> SignedKey:
        """The signed key, as the server passes it on."""
        return SignedKey(silo=self.silo, public=self.public, signature=self.signature, identity=self.identity)


class SendMasked(SecureSum):
    """Server: here are the signed keys of all; send your sketch under masks."""

    kind: ClassVar[str] = "masked"
    type: ClassVar[str] = "query.masked"
    roster: Annotated[tuple[SignedKey, ...], Field(max_length=1000)]


class SendMaskedReply(Message):
    """Silo: its noised sketch under masks. Arrays: ``words`` (n, 1), whole numbers below 2^32."""

    kind: ClassVar[str] = "masked"
    silo: Name
    reference: SlicedReference
    privacy: PrivacySpec
    number: Number
    noise: Literal["seeded", "system"]
