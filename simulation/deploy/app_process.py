# SPDX-License-Identifier: Apache-2.0
"""The process that answers one message on a silo, in the place of Flower's ``flwr-clientapp``.

It speaks Flower's Runtime API by Flower's own functions, but never unpacks or imports the app that came with
the message: it compares that app with the installed one (``code_door``) and runs the installed one. What the
server says in the run-config reaches it only where ``node.yaml`` leaves it open: the log's format.

A task is reported as done only behind an answer. Flower's own process reports one that was stopped before,
and then the SuperNode waits for an answer that never comes; here the node is told that the app crashed, or
finds it out by the missing heartbeat, and the server asks again.
"""

import argparse
import sys
from dataclasses import dataclass, field
from typing import NoReturn

from flwr.app import Context, Error, Message
from flwr.common.constant import ErrorCode, SubStatus
from flwr.supercore.app_utils import start_parent_process_monitor
from flwr.supercore.constant import TaskType
from flwr.supercore.exit import ExitCode, flwr_exit, register_signal_handlers
from flwr.supercore.heartbeat import HeartbeatSender, make_task_heartbeat_fn_http
from flwr.supercore.interceptors import RuntimeTokenHttpInterceptor, RuntimeVersionHttpInterceptor
from flwr.supercore.retry import make_simple_http_retry_invoker
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.telemetry import EventType
from flwr.supernode.runtime.run_clientapp import pull_task_input, push_message, push_task_output

from tailweave.protocols.logs import FORMATS
from tailweave.simulation.deploy.code_door import ForeignApp, check_app
from tailweave.simulation.deploy.versions import check_flower

_LOG_FORMAT = "log-format"
_MOST_TOKEN_CHARACTERS = 1024
_LEFT = EventType.FLWR_CLIENTAPP_RUN_LEAVE


@dataclass
class _Turn:
    """One message's way through this process, and how far it has come."""

    client: RuntimeHttpClient
    task_type: str
    context: Context | None = None
    message: Message | None = None
    answered: bool = False
    status: str = SubStatus.FAILED
    details: str = field(default="the app was stopped")

    def take(self) -> int:
        """Pull the message, answer it, push the answer; return Flower's exit code."""
        code: int = ExitCode.SUCCESS
        reply: Message | None = None
        try:
            self.message, self.context, _, bundle = pull_task_input(self.client)
            self._admit(bundle.content)
            reply = _answer(self.message, self.context)
            self.status, self.details = SubStatus.COMPLETED, ""
        except Exception as error:  # noqa: BLE001 - whatever it is, the server is told and the log has it
            reply, code = self._failure(error)
        try:
            self._push(reply)
        except Exception as error:  # noqa: BLE001 - as in Flower's own process: the exit code says it
            _say(f"the answer could not be handed to the SuperNode: {type(error).__name__}: {error}")
            code = ExitCode.CLIENTAPP_COMMUNICATION_ERROR
        return code

    def leave(self) -> None:
        """Hand over what is left to say; called once, at the end or on a signal."""
        if self.message is not None and not self.answered:
            self._push(Message(Error(ErrorCode.CLIENT_APP_CRASHED, self.details), reply_to=self.message))
        if self.answered:
            push_task_output(self.client, self.context, self.status, self.details)

    def _admit(self, bundle: bytes) -> None:
        if self.task_type != TaskType.CLIENT_APP:
            raise ForeignApp(
                f"the server wants {ascii(self.task_type)[:80]} to run; a silo runs its ClientApp"
            )
        check_app(bundle)

    def _failure(self, error: Exception) -> tuple[Message | None, int]:
        self.details = f"{type(error)}:<'{error}'>"
        code = ErrorCode.CLIENT_APP_RAISED_EXCEPTION
        if isinstance(error, ForeignApp):
            self.details, code = str(error), ErrorCode.INVALID_FAB
        elif isinstance(error, ImportError):
            self.details, code = "the installed app could not be loaded", ErrorCode.LOAD_CLIENT_APP_EXCEPTION
        _say(f"refused: {error}" if isinstance(error, ForeignApp) else f"{type(error).__name__}: {error}")
        left = (
            ExitCode.COMMON_APP_IMPORT_ERROR
            if isinstance(error, ImportError)
            else ExitCode.TASK_PROC_EXCEPTION
        )
        if self.message is None:
            return None, left
        return Message(Error(code, self.details), reply_to=self.message), left

    def _push(self, reply: Message | None) -> None:
        if reply is None or self.context is None:
            return
        self.answered = True  # before: a half-sent answer is not sent again beside itself
        push_message(self.client, reply, self.context)


def _answer(message: Message, context: Context) -> Message:
    """Run the installed app on a context that has nothing of the server's but the log's format.

    Raises:
        ValueError: If the node has no data; only a simulation takes its data from what the server names.
    """
    from tailweave.clients.app import app

    if "data" not in context.node_config:
        raise ValueError("this node has no data in its node-config")
    wanted = str(context.run_config.get(_LOG_FORMAT, ""))
    own = Context(
        run_id=context.run_id,
        node_id=context.node_id,
        node_config=context.node_config,
        state=context.state,
        run_config={_LOG_FORMAT: wanted if wanted in FORMATS else ""},
        series_id=context.series_id,
    )
    return app(message, own)


def run(address: str, token: str, task_type: str, parent: int) -> NoReturn:
    """Answer the message of one task and leave with Flower's exit code."""
    start_parent_process_monitor(parent)
    retries = make_simple_http_retry_invoker()
    client = RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=True,
        root_certificates=None,
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="flwr-clientapp"),
            RuntimeTokenHttpInterceptor(token),
        ],
        retry_invoker=retries,
    )
    heartbeat = HeartbeatSender(make_task_heartbeat_fn_http(client))
    turn = _Turn(client, task_type)

    def leave() -> None:
        retries.max_tries = 1  # whoever is told to end does not wait for a SuperNode that is gone
        turn.leave()
        if heartbeat.is_running:
            heartbeat.stop()
        client.close()

    register_signal_handlers(event_type=_LEFT, exit_message="Task stopped.", exit_handlers=[leave])
    heartbeat.start()
    flwr_exit(code=turn.take(), event_type=_LEFT)


def main() -> NoReturn:
    """Read the arguments, and the token from standard input: a command line is everybody's to read."""
    check_flower()
    parser = argparse.ArgumentParser(description="Answer one message of a silo's SuperNode.")
    parser.add_argument("--runtime-api-address", required=True)
    parser.add_argument("--task-type", required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    given = parser.parse_args()
    token = sys.stdin.read(_MOST_TOKEN_CHARACTERS).strip()
    run(given.runtime_api_address, token, given.task_type, given.parent_pid)


def _say(text: str) -> None:
    sys.stderr.write(f"ClientApp: {text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
