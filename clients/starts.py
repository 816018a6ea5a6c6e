# SPDX-License-Identifier: Apache-2.0
"""The models that a silo starts from: the public base, and generation 0."""

from tailweave.clients import generators
from tailweave.clients.node import Node
from tailweave.clients.samples import Samples, Sort
from tailweave.protocols.arrays import Floats
from tailweave.protocols.base_file import base_digest, load_base
from tailweave.protocols.messages import Retrain
from tailweave.protocols.refusals import Refusal

_SHOWN = 12


def check_base(node: Node, wanted: str) -> dict[str, Floats]:
    """Return the base generator of this node's file, if it is the one that the run starts from.

    Args:
        node: The silo.
        wanted: Digest of the run's base.

    Returns:
        Its parameters, by name.

    Raises:
        Refusal: If the node has no such file or its base is another; names digests, never the path.
        ValueError: If the file cannot be read.
    """
    if node.base is None:
        raise Refusal(
            f"this run starts from a base generator that each node has (digest {wanted[:_SHOWN]}), this silo "
            "has none: set base in its node.yaml to the file"
        )
    kind, arrays = load_base(node.base)
    found = base_digest(kind, arrays)
    if found != wanted:
        raise Refusal(
            f"the silo's base generator is another than the run's: a {kind} of digest {found[:_SHOWN]}, "
            f"wanted is digest {wanted[:_SHOWN]}; give it the same file"
        )
    return arrays


def public_base(node: Node, question: Retrain, sort: Sort | None = None) -> generators.Generator:
    """Return the public base generator: as the server sent it, or from this node's file.

    Raises:
        ValueError: If it was not sent, or the node's file is not the one agreed on.
    """
    if question.base_digest is None:
        return generators.from_arrays(question.generator, question.part("base"), sort)
    return generators.from_arrays(question.generator, check_base(node, question.base_digest), sort)


def first_model(node: Node, question: Retrain, sort: Sort | None = None) -> generators.Generator:
    """Return generation 0 where it is not fitted here: what FedAvg made, or the public base.

    Raises:
        ValueError: If it was not sent, or the node's file is not the one agreed on.
    """
    if question.generator.start == "federated":
        return generators.from_arrays(question.generator, question.part("start"), sort)
    return public_base(node, question, sort)


def base_samples(node: Node, question: Retrain) -> Samples | None:
    """Return what generation 0 was fitted on, as far as this node has it.

    A simulation has them all. A real node has its own, where it starts locally, and none of others'.
    """
    start, truth = question.generator.start, node.truth
    if start == "local" or (truth is not None and start == "federated"):
        return node.silo.train.labelled if question.generator.labels else node.silo.train
    return None if truth is None else truth.public
