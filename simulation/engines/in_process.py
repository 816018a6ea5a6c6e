# SPDX-License-Identifier: Apache-2.0
"""Engine ``in-process``: the real ServerApp and ClientApp on a Grid here, or over sticky workers."""

import copy
import multiprocessing
import os
import signal
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.supercore.object_ref import load_app
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from tailweave.simulation.engines.devices import VISIBLE, device_of, devices
from tailweave.simulation.engines.job import Job
from tailweave.simulation.worker_life import end_with_parent

Config = Mapping[str, str | int | float | bool]

CLIENT_APP = "tailweave.clients.app:app"
_SERVER_NODE = 1
_FIRST_NODE = 100
_HANDLER_RAISED = 2
"""Flower's own error code for an exception in a ClientApp."""

_worker: dict[str, object] = {}
"""In a worker process: its ClientApp and the contexts of its nodes."""


class InProcessGrid(Grid):
    """A Grid whose nodes live in this process or in ``workers`` spawned ones.

    A node's messages of one group (one arm) always go to the same process, so models and caches stay
    there.
    """

    def __init__(
        self, node_configs: Sequence[Config], run_config: Config, *, workers: int, run_id: int = 1
    ) -> None:
        """Open one node for each entry of ``node_configs``; ``workers = 0`` answers in this process."""
        _identify(run_id)
        self._run = Run.create_empty(run_id)
        self._contexts = {
            _FIRST_NODE + i: Context(run_id, _FIRST_NODE + i, dict(config), RecordDict(), dict(run_config))
            for i, config in enumerate(node_configs)
        }
        self._ready: dict[str, Message] = {}
        self._pending: dict[str, Future[Message]] = {}
        self._app = _load_client() if workers == 0 else None
        spawn, gpus = multiprocessing.get_context("spawn"), devices()
        self._pools = [
            ProcessPoolExecutor(1, spawn, _start_worker, (self._contexts, run_id, device_of(worker, gpus)))
            for worker in range(workers)
        ]
        self._groups: dict[str, int] = {}

    def set_run(self, run: Run) -> None:
        """Set the run."""
        self._run = run

    @property
    def run(self) -> Run:
        """The run."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Make a message as Flower's own grids do."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return all nodes; none is ever away."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Hand messages to their nodes; without workers they are answered before this returns."""
        return [self._push(message) for message in messages]

    def _push(self, message: Message) -> str:
        name = _stamp(message)
        node = message.metadata.dst_node_id
        if self._app is not None:
            reply = _handle(self._app, copy.deepcopy(message), self._contexts[node])
            self._ready[name] = copy.deepcopy(reply)
        else:
            group = self._groups.setdefault(message.metadata.group_id, len(self._groups))
            self._pending[name] = self._pools[(node + group) % len(self._pools)].submit(_work, message)
        return name

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that are there, each once."""
        replies = []
        for name in message_ids:
            if name in self._ready:
                replies.append(self._ready.pop(name))
            elif name in self._pending and self._pending[name].done():
                replies.append(self._pending.pop(name).result())
        return replies

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push messages and wait for all replies, or until ``timeout`` seconds have passed."""
        waiting = set(self.push_messages(messages))
        replies: list[Message] = []
        end = None if timeout is None else time.monotonic() + timeout
        while waiting and (end is None or time.monotonic() < end):
            arrived = list(self.pull_messages(waiting))
            replies += arrived
            waiting -= {reply.metadata.reply_to_message_id for reply in arrived}
            if not arrived:
                time.sleep(0.001)
        return replies

    def close(self) -> None:
        """Stop the workers; what they have not begun is dropped."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=True)


def _load_client() -> ClientApp:
    app = load_app(CLIENT_APP, ValueError, None)
    if not isinstance(app, ClientApp):
        raise TypeError(f"{CLIENT_APP} must be a ClientApp, got {type(app).__name__}")
    return app


def _identify(run_id: int) -> None:
    """Tell Flower which task this process works on; ``Message(...)`` reads it."""
    TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = run_id, _SERVER_NODE, 1


def _stamp(message: Message) -> str:
    name = uuid.uuid4().hex
    message.metadata.__dict__["_message_id"] = name
    return name


def _handle(app: ClientApp, message: Message, context: Context) -> Message:
    """Answer one message; an exception becomes an error reply, as in Flower's own runtime."""
    try:
        reply = app(message, context)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the silo's answer
        reply = Message(Error(_HANDLER_RAISED, f"{type(error)}:<'{error}'>"), reply_to=message)
    _stamp(reply)
    return reply


def _start_worker(contexts: dict[int, Context], run_id: int, device: str | None) -> None:
    if device is not None:  # before torch is imported, which looks only once
        os.environ[VISIBLE] = device
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; a worker ends with its parent
    end_with_parent()
    _identify(run_id)
    _worker.update(app=_load_client(), contexts=contexts)


def _work(message: Message) -> Message:
    app, contexts = _worker["app"], _worker["contexts"]
    if not isinstance(app, ClientApp) or not isinstance(contexts, dict):
        raise TypeError("a worker answers messages only after its start")
    return _handle(app, message, contexts[message.metadata.dst_node_id])


def run_in_process(node_configs: Sequence[Config], run_config: Config, *, workers: int) -> None:
    """Run the ServerApp against the ClientApp, a node for each config; 0 workers answer in this process.

    Raises:
        RunFailed: If a worker process died.
        Exception: Whatever the ServerApp raises.
    """
    from tailweave.server.app import app
    from tailweave.server.failure import RunFailed

    grid = InProcessGrid(node_configs, run_config, workers=workers)
    context = Context(1, _SERVER_NODE, {}, RecordDict(), dict(run_config))
    try:
        app(grid, context)
    except BrokenProcessPool:
        remedy = "go on with --resume, with fewer --workers if memory ran out"
        raise RunFailed(f"a worker process died; {remedy}") from None
    finally:
        grid.close()


class InProcess:
    """Engine ``in-process``."""

    def __init__(self, workers: int) -> None:
        """Answer with ``workers`` processes; 0 stays in this one."""
        self._workers = workers

    def run(self, job: Job) -> None:
        """Run to the end; see ``run_in_process`` for what is raised."""
        nodes = [{"partition-id": number} for number in range(job.silos)]
        run_in_process(nodes, job.run_config, workers=self._workers)

    def close(self) -> None:
        """Do nothing: the workers end with the run, or with this process."""
