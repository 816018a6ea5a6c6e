# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in a round ``fit``: the generator's parameters after a few steps on its own rows."""

from collections.abc import Callable

from tailweave.clients.generators.averaged import trainable
from tailweave.clients.node import Node
from tailweave.clients.release.request import ParameterRequest
from tailweave.protocols.arrays import Floats, with_prefix
from tailweave.protocols.config.starts import StartedSpec
from tailweave.protocols.fit_messages import FitParameters, FitParametersReply
from tailweave.protocols.privacy.gate import Cost


def fit(node: Node, question: FitParameters) -> FitParametersReply:
    """Train on the silo's rows, through the release desk.

    Every model that is gone on from is charged as a release without noise, so an owner who wants this must
    say so twice in the policy: ``allow-parameter-release`` and ``allow-no-privacy``; and its
    ``releases-per-data-version`` bounds the rounds. The same model gets the same bytes, at no further cost.

    Raises:
        ValueError: If the silo's columns do not fit the model, or its policy, ledger or budget refuses.

    Privacy:
        Un-noised moments of the rows: of a gaussian their mean and covariance, of a mixture the same of every
        component, which is a row itself where one row alone belongs to it. No epsilon.
    """
    generator = question.generator
    if not isinstance(generator, StartedSpec):
        raise ValueError(f"a {generator.kind} cannot be averaged over silos")
    model = trainable(generator, question.part("model"))
    request = ParameterRequest(generator, question.privacy, question.part("model"), question.seed)

    def make(charge: Callable[[Cost], None]) -> dict[str, Floats]:
        charge(Cost(None, question.privacy.delta, None, "none"))
        rng = request.stream(node.silo.name)
        return model.train(node.silo.train.values, rng=rng, steps=generator.federated_steps).parameters()

    return FitParametersReply(
        **node.head(question),
        turn=question.turn,
        arrays=with_prefix("model", node.release(request, make)),
    )
