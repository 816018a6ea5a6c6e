# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: decode a question, answer it, encode the answer. Nothing heavy is imported at the top."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from protocols import messages
from protocols.records import decode, encode

if TYPE_CHECKING:
    from clients.node import Node

Q = TypeVar("Q", bound=messages.Message)

app = ClientApp()
logger = logging.getLogger("tailweave.clients")
"""Node-local: a reason may quote a cell of private data, so it is logged here and never sent."""


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Answer ``hello``."""
    from clients import rounds

    return _answer(message, context, messages.Hello, rounds.hello)


@app.query("summarise")
def summarise(message: Message, context: Context) -> Message:
    """Answer ``summarise``."""
    from clients import rounds

    return _answer(message, context, messages.Summarise, rounds.summarise)


@app.train("retrain")
def retrain(message: Message, context: Context) -> Message:
    """Answer ``retrain``."""
    from clients import rounds

    return _answer(message, context, messages.Retrain, rounds.retrain)


def _answer(
    message: Message, context: Context, question: type[Q], respond: "Callable[[Node, Q], messages.Message]"
) -> Message:
    from clients.data.rows import DataError
    from clients.node import open_node
    from clients.threads import one_thread

    asked = decode(message.content, question)
    try:
        node = open_node(context.node_config, context.run_config, seed=asked.seed)
    except DataError:
        logger.exception("this silo's data cannot be used")
        raise ValueError("the silo's data cannot be used; the reason is in this node's own log") from None
    with one_thread():
        answer = respond(node, asked)
    return Message(encode(answer), reply_to=message)
