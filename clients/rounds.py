# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in the rounds ``hello`` and ``summarise``."""

from collections.abc import Callable

from tailweave.clients import starts
from tailweave.clients.features import received_features
from tailweave.clients.node import Node
from tailweave.clients.release.desk import answer as desk_answer
from tailweave.clients.release.experiments import check_kinds
from tailweave.clients.release.request import ReleaseRequest, Request
from tailweave.clients.schema import check_schema
from tailweave.protocols.arrays import Floats
from tailweave.protocols.messages import Hello, HelloReply, Summarise, SummariseReply, rows_bucket
from tailweave.protocols.privacy import gate
from tailweave.protocols.privacy.noise import SeededNoise, SystemNoise
from tailweave.protocols.streams import stream


def hello(node: Node, question: Hello) -> HelloReply:
    """Say who this silo is and how its data look from outside.

    Raises:
        Refusal: If its table does not fit the federation's (a simulated silo is cut from that table), its
            base generator is not the one that the run starts from, or the experiment wants another package's
            kind that is not installed here or that the owner did not name.
    """
    if node.truth is None:
        check_schema(node.silo, question)
    check_kinds(None if node.truth else node.policy, question.kinds)
    if question.base_digest is not None:
        starts.check_base(node, question.base_digest)
    rows = node.silo.train
    return HelloReply(
        run=question.run,
        seed=question.seed,
        silo=node.silo.name,
        columns=rows.values.shape[1],
        rows_at_least=rows_bucket(len(rows)),
    )


def summarise(node: Node, question: Summarise) -> SummariseReply:
    """Release a summary of the silo's features, through the release desk and the privacy gate.

    Raises:
        ValueError: If the silo's columns do not fit the feature map, its rows are too few, or its owner's
            policy, ledger or budget refuses.
    """
    features = received_features(question.part("features"))
    request = ReleaseRequest(question.reference, question.privacy, features, question.seed)
    noise = privacy_noise(node, request)

    def make(charge: Callable[[gate.Cost], None]) -> dict[str, Floats]:
        rng = stream(question.seed, "silo", node.silo.name, "release", question.reference.kind)
        release = gate.release(
            node.silo.train.values,
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
        run=question.run,
        seed=question.seed,
        silo=node.silo.name,
        reference=question.reference,
        privacy=question.privacy,
        noise="none" if question.privacy.epsilon is None else noise.name,
        arrays=desk_answer(node.desk(noise), node.silo.train.values, request, make),
    )


def privacy_noise(node: Node, request: Request) -> SeededNoise | SystemNoise:
    """Return seeded noise in simulation, which must repeat, and the operating system's entropy elsewhere."""
    if node.truth is not None or request.privacy.epsilon is None:
        return SeededNoise(stream(request.seed, "silo", node.silo.name, "noise", request.digest))
    return SystemNoise()
