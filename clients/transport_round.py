# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in a round ``transport``: where the atoms of a support go in its own data."""

import logging
from collections.abc import Callable

from tailweave.clients.features import received_features
from tailweave.clients.node import Node
from tailweave.clients.release.request import ReleaseRequest
from tailweave.protocols.arrays import Floats, matrix
from tailweave.protocols.messages import TransportSupport, TransportSupportReply
from tailweave.protocols.privacy.gate import Cost
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.transport.projection import project, towards

logger = logging.getLogger("tailweave.clients")


def transport(node: Node, question: TransportSupport) -> TransportSupportReply:
    """Map the atoms onto this silo's features, through the release desk.

    Every support is charged as a release without noise, so an owner who wants this must say so three times
    in the policy: ``allow-raw-row-leakage``, ``allow-no-privacy`` and ``kinds``.

    Raises:
        ValueError: If the columns of data or support do not fit the feature map, the silo's policy, ledger
            or budget refuses, or the transport problem is not solved.

    Privacy:
        Reveals projections of real rows (``protocols.transport.projection.project``): the server, which
        knows the atoms and the share t, gets them back as x + (moved - x) / t. No noise, no epsilon.
    """
    features = received_features(question.part("features"))
    mapped = features(node.compared(features))
    support = matrix(question.arrays["support"], "support", columns=features.dimension)
    spec = question.reference
    request = ReleaseRequest(spec, question.privacy, features, question.seed, support=support)

    def make(charge: Callable[[Cost], None]) -> dict[str, Floats]:
        try:
            image = project(support, mapped, entropic_reg=spec.entropic_reg).image
        except ArithmeticError as error:  # its text counts rows
            logger.info("transport: %s", error)
            raise Refusal(
                f"the silo could not solve its transport problem with transport: {spec.transport}, "
                f"entropic-reg: {spec.entropic_reg}; a larger entropic-reg is easier"
            ) from None
        charge(Cost(None, question.privacy.delta, None, "none"))
        return {"moved": towards(support, image, spec.share)}

    return TransportSupportReply(
        **node.head(question),
        reference=spec,
        turn=question.turn,
        arrays=node.release(request, make),
    )
