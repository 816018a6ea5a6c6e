# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in the round ``summarise``."""

from collections.abc import Callable

from tailweave.clients.features import received_features
from tailweave.clients.node import Node
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.arrays import Floats
from tailweave.protocols.messages import Summarise, SummariseReply
from tailweave.protocols.privacy import gate
from tailweave.protocols.streams import stream


def summarise(node: Node, question: Summarise) -> SummariseReply:
    """Release a summary of the silo's features, through the release desk and the privacy gate.

    Raises:
        ValueError: If the silo's columns do not fit the feature map, its rows are too few, or its owner's
            policy, ledger or budget refuses.
    """
    features = received_features(question.part("features"))
    request = ReleaseRequest(question.reference, question.privacy, features, question.seed)
    noise = node.noise(request)

    def make(charge: Callable[[gate.Cost], None]) -> dict[str, Floats]:
        rng = stream(question.seed, "silo", node.silo.name, "release", question.reference.kind)
        release = gate.release(
            node.compared(features),
            question.reference,
            features,
            question.privacy,
            seed=question.seed,
            noise=noise,
            rng=rng,
            charge=charge,
        )
        return release.arrays()

    return SummariseReply(
        **node.head(question),
        reference=question.reference,
        privacy=question.privacy,
        noise="none" if question.privacy.epsilon is None else noise.name,
        arrays=node.release(request, make),
    )
