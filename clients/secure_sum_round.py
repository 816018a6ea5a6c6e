# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in a secure sum: a signed key, then its sketch under masks.

The vector goes through the release desk like any other release, and is paid for like one; what the desk keeps
and sends again are the masked words. Every attempt draws its noise anew and is charged anew. Otherwise a
server that calls a finished sum a failure, and asks for another without one silo, would read that silo's
sketch, with a share of the noise only, off the difference of the two sums.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tailweave.clients.features import received_features
from tailweave.clients.node import Node
from tailweave.clients.release.desk import release_folder
from tailweave.clients.release.identities import check_first_met, check_trusted, own_identity, read_identities
from tailweave.clients.release.offers import OfferError, Offers
from tailweave.clients.release.policy import PolicyError, check
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.arrays import Floats
from tailweave.protocols.privacy.gate import Cost
from tailweave.protocols.secure_sum.keys import Offer, SumRound, verify_offer
from tailweave.protocols.secure_sum.masks import mask
from tailweave.protocols.secure_sum.schema import schema
from tailweave.protocols.secure_sum.share import noisy_share
from tailweave.protocols.secure_sum.sketches import to_words
from tailweave.protocols.secure_sum_messages import (
    OfferKey,
    OfferKeyReply,
    SecureSum,
    SendMasked,
    SendMaskedReply,
    SignedKey,
)
from tailweave.protocols.whole_file import write_whole


@dataclass(frozen=True)
class _Part:
    """This silo's part in one attempt at a sum.

    Attributes:
        folder: Its keys.
        request: What is asked, the attempt included.
        sum_round: The attempt.
        offers: Keys offered for this sum.
    """

    folder: Path
    request: ReleaseRequest
    sum_round: SumRound
    offers: Offers


def offer(node: Node, question: OfferKey) -> OfferKeyReply:
    """Offer a fresh key, signed, for a sum of the silos that the server names; again the same if asked again.

    Raises:
        ValueError: If the owner's policy refuses, this silo is not named, fewer than three or than the honest
            silos are, the number was used, or the identity is missing.
    """
    part = _part(node, question, question.silos)
    check(node.policy, part.request)
    _check_others_are_known(node)
    with part.offers.locked():
        private, public = _identity(node, part.folder)
        offered = part.offers.offer(part.sum_round, node.silo.name, private)
    return OfferKeyReply(
        **node.head(question),
        number=question.number,
        public=offered.public,
        signature=offered.signature,
        identity=public,
    )


def masked(node: Node, question: SendMasked) -> SendMaskedReply:
    """Release the silo's sketch with its share of the noise, under masks that cancel in the sum of all.

    The roster comes from the server, which is not trusted: before anything is drawn it must be the one that
    this silo offered its key to, signed by the identities that it trusts or met first in this run.

    Raises:
        ValueError: If the roster is not that one, a signature does not fit, or an identity or this silo's own
            key was swapped; or if policy, budget or ledger refuses.
    """
    part = _part(node, question, tuple(key.silo for key in question.roster))
    noise = node.noise(part.request)
    keys = [Offer(key.silo, key.public, key.signature) for key in question.roster]
    identities = {key.silo: key.identity for key in question.roster}

    def make(charge: Callable[[Cost], None]) -> Mapping[str, Floats]:
        own = part.offers.key(part.sum_round, node.silo.name)
        features, silos = part.request.features, part.sum_round.silos
        share = noisy_share(
            node.compared(features),
            question.reference,
            features,
            question.privacy,
            seed=question.seed,
            silos=len(silos),
            noise=noise,
            charge=charge,
        )
        return mask(to_words(share, len(silos)), own, keys, identities).arrays()

    _check_others_are_known(node)
    with part.offers.locked():
        _check_roster(node, part, question.roster)
        words = node.release(part.request, make)
        part.offers.burn(question.number)
    return SendMaskedReply(
        **node.head(question),
        reference=question.reference,
        privacy=question.privacy,
        number=question.number,
        noise=noise.name,
        arrays=words,
    )


def _part(node: Node, question: SecureSum, silos: tuple[str, ...]) -> _Part:
    features = received_features(question.part("features"))
    digest = schema(question.reference, question.privacy, features, question.seed)
    sum_round = SumRound(question.run, question.number, digest, silos)
    honest = question.privacy.honest_silos or 0
    if len(silos) < honest:
        raise OfferError(f"{len(silos)} silos cannot hold honest-silos = {honest} of them")
    if node.silo.name not in silos:
        raise OfferError(f"{node.silo.name} is asked for a sum of {', '.join(silos)}, not of itself")
    request = ReleaseRequest(question.reference, question.privacy, features, question.seed, sum_round)
    folder = node.state / "secure-sums" / release_folder(node.state, node.silo.name).name
    return _Part(folder, request, sum_round, Offers(folder, question.run, digest))


def _check_others_are_known(node: Node) -> None:
    """Refuse a real silo's part in a sum of strangers; in simulation there is nobody to deceive.

    Raises:
        PolicyError: If the owner named no identities: the server could be all the other silos.
    """
    if node.truth is None and node.policy.trusted_identities is None:
        raise PolicyError(
            "refused by the silo's policy: secure aggregation asked, trusted-identities is not set"
        )


def _identity(node: Node, folder: Path) -> tuple[str, str]:
    """Return this silo's identity; the public half is left beside the keys, for other owners to list."""
    own = node.identity_key
    private, public = own_identity(own or folder / "identity.key", make=own is None)
    shown = folder / "identity.pub"
    if not shown.exists() or shown.read_text(encoding="ascii") != public:
        write_whole(shown, public, mode=0o600)
    return private, public


def _check_roster(node: Node, part: _Part, roster: tuple[SignedKey, ...]) -> None:
    """Refuse a roster that is not the one offered to, or not of whom it says; then bind the number to it."""
    number, silos = part.sum_round.number, part.sum_round.silos
    offered = part.offers.found(number)
    if offered is None:
        raise OfferError(f"no key was offered for number {number} of this sum")
    if offered.silos != silos:
        raise OfferError(
            f"the key of number {number} was offered to {', '.join(offered.silos)}, the roster names "
            f"{', '.join(silos)}: a sum goes on with all or begins anew under another number"
        )
    found = {key.silo: key.identity for key in roster}
    own = next(key for key in roster if key.silo == node.silo.name)
    if (own.public, own.identity) != (offered.public, _identity(node, part.folder)[1]):
        raise OfferError(f"the server passed on another key or identity for {node.silo.name} than its own")
    trusted = node.policy.trusted_identities
    if trusted is not None:
        check_trusted(found, read_identities(trusted))
    for key in roster:
        verify_offer(Offer(key.silo, key.public, key.signature), part.sum_round, found)
    if trusted is None:
        check_first_met(found, part.folder / f"{part.sum_round.run}.met.yaml")
    content = json.dumps([key.model_dump() for key in roster])
    part.offers.bind(number, hashlib.sha256(content.encode()).hexdigest())
