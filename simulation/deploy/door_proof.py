# SPDX-License-Identifier: Apache-2.0
"""The proof that a silo runs no foreign code: such apps go through a SuperNode's Runtime API on this host.

The API is Flower's, over a node state of its own on a free port of loopback; the executor's turn and the
process that it starts are the ones that a node uses. Only the way from the server is left out: what arrives
here is what a malicious SuperLink could make arrive.
"""

import hashlib
import logging
import secrets
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from flwr.app import Context, Message, RecordDict
from flwr.app.message import make_message
from flwr.app.metadata import Metadata
from flwr.app.user_config import UserConfig
from flwr.common.constant import ErrorCode
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.fab import Fab
from flwr.supercore.inflatable.inflatable_object import get_all_nested_objects, get_object_tree
from flwr.supercore.object_store import ObjectStoreFactory
from flwr.supercore.run import Run
from flwr.supernode.main import create_app
from flwr.supernode.nodestate import NodeState, NodeStateFactory

from tailweave.simulation.deploy.app_executor import open_runtime, start_next
from tailweave.simulation.deploy.foreign_app import disguised_bundle, foreign_bundle

_SECONDS = 60.0
_NODE = 1


class DoorError(ValueError):
    """A door that is open: something ran, or was handed out, that must not be."""


@dataclass(frozen=True)
class Question:
    """What a server sends beside its app; one question a run."""

    run_id: int
    node_config: Mapping[str, str]
    task_type: str = TaskType.CLIENT_APP
    run_config: Mapping[str, str] = field(default_factory=dict)
    content: RecordDict = field(default_factory=RecordDict)


@dataclass(frozen=True)
class Stage:
    """A SuperNode's Runtime API without a server behind it."""

    address: str
    secret: bytes
    state: NodeState

    def put(self, bundle: bytes, question: Question) -> None:
        """Let a question arrive, with its app, as a SuperNode stores it."""
        run_id = question.run_id
        run = Run.create_empty(run_id)
        run.series_id, run.fab_hash = run_id, hashlib.sha256(bundle).hexdigest()
        self.state.store_run(run)
        self.state.store_fab(Fab(run.fab_hash, bundle, {}))
        node_config: UserConfig = dict(question.node_config)
        run_config: UserConfig = dict(question.run_config)
        context = Context(run_id, _NODE, node_config, RecordDict(), run_config, series_id=run_id)
        self.state.set_run_series_context(run_id, context)
        self.state.create_task(task_type=question.task_type, run_id=run_id, fab_hash=run.fab_hash)
        message = _message(question)
        objects = self.state.object_store
        objects.preregister(run_id, get_object_tree(message))
        for name, part in get_all_nested_objects(message).items():
            objects.put(name, part.deflate())
        self.state.store_message(message)

    def turn(self) -> "subprocess.Popen[bytes] | None":
        """Let the executor take one task and start its process."""
        client = open_runtime(self.address, self.secret)
        try:
            return start_next(client, self.address, subprocess.DEVNULL)
        finally:
            client.close()

    def answers(self) -> dict[int, Message]:
        """Return the answers that are there now and have not been taken, by run."""
        return {reply.metadata.run_id: reply for reply in self.state.get_messages_legacy(is_reply=True)}


@contextmanager
def stage() -> Iterator[Stage]:
    """Serve a Runtime API as a SuperNode of the kit does, until the context ends."""
    secret = secrets.token_bytes(32)
    factory = NodeStateFactory(objectstore_factory=ObjectStoreFactory())
    factory.state().set_node_id(_NODE)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = create_app(state_factory=factory, superexec_auth_secret=secret)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            yield Stage(f"127.0.0.1:{listening.getsockname()[1]}", secret, factory.state())
        finally:
            server.should_exit = True
            thread.join(_SECONDS)


def prove_door() -> str:
    """Send a changed tailweave, and a stranger's app as another kind of task, through this host's executor.

    Raises:
        DoorError: If anything ran, or was answered with anything but a refusal.
    """
    with tempfile.TemporaryDirectory(prefix="tailweave-proof-") as made, stage() as at, _silent():
        folder = Path(made)
        rows, spoils = folder / "data.csv", folder / "spoils"
        rows.write_text("secret\n1\n", encoding="utf-8")
        tried = [
            (disguised_bundle(spoils), TaskType.CLIENT_APP),
            (foreign_bundle(spoils), TaskType.AGENT_APP),
        ]
        for run_id, (bundle, task_type) in enumerate(tried, start=1):
            at.put(bundle, Question(run_id, {"data": str(rows)}, task_type))
        check_locked(at.address)
        processes = [process for process in (at.turn() for _ in tried) if process is not None]
        _await_end(processes, len(tried))
        if spoils.exists():
            raise DoorError("a foreign app ran on this host and read a silo's rows")
        answers = at.answers()
    _check_refused(answers, len(tried))
    return f"only the installed app runs; a changed one was sent here and refused: {_reason(answers[1])}"


def check_locked(address: str) -> None:
    """Ask a SuperNode for a task without its secret; nothing is taken even where it is given.

    Raises:
        DoorError: If it would hand one out, or is no SuperNode.
    """
    client = open_runtime(address, None)
    try:
        client.AcquireTask(AcquireTaskRequest(supported_task_types=[]))
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.UNAUTHORIZED:
            return
        raise DoorError(
            f"{address} answers {error.response.status_code}: not a SuperNode of this Flower"
        ) from None
    except httpx.TransportError as error:
        raise DoorError(f"{address} cannot be asked: {type(error).__name__}") from None
    finally:
        client.close()
    raise DoorError(f"{address} hands tasks, and what is in them, to any user of this host")


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Flower from logging what it is meant to refuse."""
    logger = logging.getLogger("flwr")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _message(question: Question) -> Message:
    metadata = Metadata(
        run_id=question.run_id,
        message_id="",
        src_node_id=_NODE + 1,
        dst_node_id=_NODE,
        reply_to_message_id="",
        group_id="",
        created_at=time.time(),
        ttl=_SECONDS,
        message_type="query.hello",
    )
    message = make_message(metadata, content=question.content)
    message.metadata.__dict__["_message_id"] = message.object_id
    return message


def _await_end(processes: "list[subprocess.Popen[bytes]]", tried: int) -> None:
    if len(processes) != tried:
        raise DoorError(f"{tried} tasks were there, the executor took {len(processes)}")
    for process in processes:
        try:
            code = process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DoorError(f"a task with a foreign app was not over within {_SECONDS:g} s") from None
        if code == 0:
            raise DoorError("a task with a foreign app was not refused")


def _check_refused(answers: dict[int, Message], tried: int) -> None:
    if len(answers) != tried:
        raise DoorError(f"{tried} foreign apps were sent, {len(answers)} answers came back")
    for answer in answers.values():
        if not answer.has_error() or answer.error.code != ErrorCode.INVALID_FAB:
            raise DoorError(f"a foreign app was not refused but answered: {_reason(answer)}")


def _reason(answer: Message) -> str:
    return str(answer.error.reason) if answer.has_error() else "without an error"
