# SPDX-License-Identifier: Apache-2.0
"""What a silo answers in the round ``hello``."""

from tailweave.clients import starts
from tailweave.clients.node import Node
from tailweave.clients.release.experiments import check_kinds
from tailweave.clients.schema import check_schema
from tailweave.protocols.messages import Hello, HelloReply, rows_bucket


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
        **node.head(question),
        columns=len(rows.columns),
        rows_at_least=rows_bucket(len(rows)),
    )
