# SPDX-License-Identifier: Apache-2.0
"""The ClientApp: decode a question, answer it, encode the answer. Nothing heavy is imported at the top."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.supercore.utils import get_flwr_home

from tailweave.protocols import fit_messages, messages, secure_sum_messages
from tailweave.protocols.logs import Fields, Log, open_log
from tailweave.protocols.places import run_folder, state_folder
from tailweave.protocols.records import decode, encode, size
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.visible import visible

if TYPE_CHECKING:
    from tailweave.clients.node import Node

Q = TypeVar("Q", bound=messages.Message)

app = ClientApp()
logger = logging.getLogger("tailweave.clients")
"""Node-local: a reason may quote a cell, a count of rows or a path, so it is logged here and never sent."""


class SiloError(ValueError):
    """What the server learns when a silo fails: that it did, at which question, and the kind of error."""


@app.query("hello")
def hello(message: Message, context: Context) -> Message:
    """Answer ``hello``."""
    from tailweave.clients import hello_round

    return _answer(message, context, messages.Hello, hello_round.hello)


@app.query("summarise")
def summarise(message: Message, context: Context) -> Message:
    """Answer ``summarise``."""
    from tailweave.clients import summarise_round

    return _answer(message, context, messages.Summarise, summarise_round.summarise)


@app.query("offer")
def offer(message: Message, context: Context) -> Message:
    """Answer ``offer``."""
    from tailweave.clients import secure_sum_round

    return _answer(message, context, secure_sum_messages.OfferKey, secure_sum_round.offer)


@app.query("masked")
def masked(message: Message, context: Context) -> Message:
    """Answer ``masked``."""
    from tailweave.clients import secure_sum_round

    return _answer(message, context, secure_sum_messages.SendMasked, secure_sum_round.masked)


@app.query("transport")
def transport(message: Message, context: Context) -> Message:
    """Answer ``transport``."""
    from tailweave.clients import transport_round

    return _answer(message, context, messages.TransportSupport, transport_round.transport)


@app.train("fit")
def fit(message: Message, context: Context) -> Message:
    """Answer ``fit``."""
    from tailweave.clients import fit_round

    return _answer(message, context, fit_messages.FitParameters, fit_round.fit)


@app.train("retrain")
def retrain(message: Message, context: Context) -> Message:
    """Answer ``retrain``."""
    from tailweave.clients import retrain_round

    return _answer(message, context, messages.Retrain, retrain_round.retrain)


def _answer(
    message: Message, context: Context, question: type[Q], respond: "Callable[[Node, Q], messages.Message]"
) -> Message:
    """Answer, or raise what Flower may send on: it sends the text of whatever a handler raises.

    Raises:
        Refusal: With a text that is written for the server.
        SiloError: Instead of all other errors.
    """
    from tailweave.clients.node import open_node
    from tailweave.clients.release.models import check_models
    from tailweave.clients.threads import one_thread

    log, said = _begin_log(context, question.kind)
    begun = time.monotonic()
    try:
        asked = decode(message.content, question)
        log = Log("node", asked.run)
        node = open_node(context.node_config, _settings(context, asked.run), seed=asked.seed)
        said |= _named(asked, node.silo.name)
        if node.truth is None:
            check_models(node.policy, asked)
        log.info("asked", said, bytes=size(message.content))
        with one_thread():
            answer = encode(respond(node, asked))
        log.info("answered", said, bytes=size(answer), seconds=round(time.monotonic() - begun, 3))
        return Message(answer, reply_to=message)
    except Refusal as refusal:
        logger.info("refused %s: %s", question.kind, visible(str(refusal)))  # it may quote the server
        log.warning("refused", said, reason=str(refusal))
        raise
    except Exception as error:
        expected = isinstance(error, ValueError | OSError)
        logger.error(
            "failed at %s: %s: %s", question.kind, type(error).__name__, error, exc_info=not expected
        )
        log.warning("failed", said, error=type(error).__name__)
        raise SiloError(
            f"the silo failed at {question.kind} ({type(error).__name__}); why is in this node's own log"
        ) from None


def _begin_log(context: Context, kind: str) -> tuple[Log, Fields]:
    """Open the node's log, as its own node-config says or else the run's, and say who speaks."""
    open_log(str(context.node_config.get("log-format") or context.run_config.get("log-format", "")))
    name = str(context.node_config.get("name", f"node-{context.node_id}"))
    return Log("node", ""), Fields(kind=kind, silo=name)


def _named(asked: messages.Message, silo: str) -> Fields:
    fields = Fields(seed=asked.seed, silo=silo)
    if isinstance(asked, messages.Retrain):
        fields["arm"], fields["start"], fields["stop"] = asked.arm.name, asked.start, asked.stop
    return fields


def _settings(context: Context, run: str) -> dict[str, object]:
    """Return the run-config; what it leaves out, a simulated silo finds in the run folder below Flower's own.

    That is a place for its state, and the experiment where the ServerApp chose it.
    """
    settings: dict[str, object] = dict(context.run_config)
    if "data" in context.node_config:
        return settings
    folder = run_folder(get_flwr_home(), run)
    if not settings.get("state-dir"):
        settings["state-dir"] = str(state_folder(folder))
    if not settings.get("config"):
        settings["config"] = str(Path(str(settings.get("out") or folder)) / "config.yaml")
    return settings
