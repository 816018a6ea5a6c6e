# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: decode a question, answer it, encode the answer. Nothing heavy is imported at the top."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.supercore.utils import get_flwr_home

from protocols import fit_messages, messages, sum_messages
from protocols.places import run_folder, state_folder
from protocols.records import decode, encode
from protocols.refusals import Refusal

if TYPE_CHECKING:
    from clients.node import Node

Q = TypeVar("Q", bound=messages.Message)

app = ClientApp()
logger = logging.getLogger("tailweave.clients")
"""Node-local: a reason may quote a cell, a count of rows or a path, so it is logged here and never sent."""


class SiloError(ValueError):
    """What the server learns when a silo fails: that it did, at which question, and the kind of error."""


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


@app.query("offer")
def offer(message: Message, context: Context) -> Message:
    """Answer ``offer``."""
    from clients import masking

    return _answer(message, context, sum_messages.OfferKey, masking.offer)


@app.query("masked")
def masked(message: Message, context: Context) -> Message:
    """Answer ``masked``."""
    from clients import masking

    return _answer(message, context, sum_messages.SendMasked, masking.masked)


@app.query("transport")
def transport(message: Message, context: Context) -> Message:
    """Answer ``transport``."""
    from clients import transport_round

    return _answer(message, context, messages.TransportSupport, transport_round.transport)


@app.train("fit")
def fit(message: Message, context: Context) -> Message:
    """Answer ``fit``."""
    from clients import fit_round

    return _answer(message, context, fit_messages.FitParameters, fit_round.fit)


@app.train("retrain")
def retrain(message: Message, context: Context) -> Message:
    """Answer ``retrain``."""
    from clients import rounds

    return _answer(message, context, messages.Retrain, rounds.retrain)


def _answer(
    message: Message, context: Context, question: type[Q], respond: "Callable[[Node, Q], messages.Message]"
) -> Message:
    """Answer, or raise what Flower may send on: it sends the text of whatever a handler raises.

    Raises:
        Refusal: With a text that is written for the server.
        SiloError: Instead of all other errors.
    """
    from clients.node import open_node
    from clients.threads import one_thread

    try:
        asked = decode(message.content, question)
        node = open_node(context.node_config, _settings(context, asked.run), seed=asked.seed)
        with one_thread():
            answer = respond(node, asked)
        return Message(encode(answer), reply_to=message)
    except Refusal as refusal:
        logger.info("refused %s: %s", question.kind, refusal)
        raise
    except Exception as error:
        expected = isinstance(error, ValueError | OSError)
        logger.error(
            "failed at %s: %s: %s", question.kind, type(error).__name__, error, exc_info=not expected
        )
        raise SiloError(
            f"the silo failed at {question.kind} ({type(error).__name__}); why is in this node's own log"
        ) from None


def _settings(context: Context, run: str) -> dict[str, object]:
    """Return the run-config; a simulated silo that was given no folder keeps its state below Flower's own."""
    settings: dict[str, object] = dict(context.run_config)
    if not settings.get("state-dir") and "data" not in context.node_config:
        settings["state-dir"] = str(state_folder(run_folder(get_flwr_home(), run)))
    return settings
