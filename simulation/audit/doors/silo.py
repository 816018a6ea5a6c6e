# SPDX-License-Identifier: Apache-2.0
"""A silo that anybody may question: the node's own app on a table, as a deployment runs it."""

import csv
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from tailweave.clients.data.silo import Silo
from tailweave.clients.node import open_node
from tailweave.clients.release.policy import Policy
from tailweave.protocols.arrays import Floats
from tailweave.protocols.messages import Message, Retrain, RetrainReply
from tailweave.protocols.records import decode, encode
from tailweave.simulation.engines.in_process import InProcessGrid

NAME = "asked"
"""Of every silo here: two that differ in one row must not differ in their name."""


@dataclass(frozen=True)
class Answer:
    """What came back: numbers by generation and name; a digest of the whole reply, or an error's text."""

    values: dict[tuple[int, str], float]
    said: str

    def value(self, name: str, generation: int = 0) -> float | None:
        """Return a number, or None if the reply holds none of that name."""
        return self.values.get((generation, name))


class AskedSilo:
    """A node as ``node.yaml`` describes it, with what it was asked and what it said.

    ``silo`` is for whoever counts which rows were recovered.
    """

    def __init__(self, folder: Path, rows: Floats, policy: Policy) -> None:
        """Write rows (n, p) and the owner's policy into ``folder``, which is made, and open the node."""
        folder.mkdir(parents=True)
        with (folder / "rows.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([f"c{column}" for column in range(rows.shape[1])])
            writer.writerows([repr(cell) for cell in row] for row in rows.tolist())
        own = policy.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        (folder / "policy.yaml").write_text(yaml.safe_dump(own), encoding="utf-8")
        settings = {
            "name": NAME,
            "data": str(folder / "rows.csv"),
            "policy": str(folder / "policy.yaml"),
            "state-dir": str(folder / "state"),
            "ledgers": str(folder / "ledgers"),
        }
        self._grid = InProcessGrid([settings], {}, workers=0)
        self.silo: Silo = open_node(settings, {}, seed=0).silo
        self.asked: list[tuple[Message, Answer]] = []

    def ask(self, question: Message) -> Answer:
        """Put one question to the node's app, as a server does."""
        (node,) = self._grid.get_node_ids()
        message = self._grid.create_message(encode(question), question.type, node, "")
        (reply,) = self._grid.send_and_receive([message])
        if reply.has_error():
            answer = Answer({}, str(reply.error.reason))
        else:
            values = _values(decode(reply.content, RetrainReply)) if isinstance(question, Retrain) else {}
            answer = Answer(values, reply.content.object_id)
        self.asked.append((question, answer))
        return answer


def _values(reply: RetrainReply) -> dict[tuple[int, str], float]:
    return {
        (generation, name): value for generation, row in reply.rows().items() for name, value in row.items()
    }


@contextmanager
def unheard() -> Iterator[None]:
    """Keep a node's own log and numpy's warnings off the terminal: hostile questions make it complain."""
    logger = logging.getLogger("tailweave")
    before = logger.disabled, logger.level
    logger.setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.disabled, logger.level = before
