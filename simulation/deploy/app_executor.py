# SPDX-License-Identifier: Apache-2.0
"""A silo's executor, in the place of ``flower-superexec``: for each task it starts ``app_process``.

Flower's own starts the program that the task's type names, which unpacks and imports what the server sent;
and it hands the task's token over on the command line, where each user of the host can read it. This one has
one program whatever the type, and the token goes through a pipe. Tasks are had only with the secret that the
SuperNode was started with, which the owner alone can read.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import httpx
from flwr.proto.runtime_pb2 import AcquireTaskRequest
from flwr.supercore.constant import TaskType
from flwr.supercore.exit import register_signal_handlers
from flwr.supercore.grpc_health import run_health_server_grpc_no_tls
from flwr.supercore.interceptors import RuntimeVersionHttpInterceptor, SuperExecAuthHttpInterceptor
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.telemetry import EventType

from tailweave.simulation.deploy import app_process
from tailweave.simulation.deploy.host_checks import private_file
from tailweave.simulation.deploy.node_settings import SiloNode
from tailweave.simulation.deploy.versions import check_flower

_ACQUIRE = "/flwr.proto.Runtime/AcquireTask"
_LOOK_SECONDS = 0.1
_AWAY_SECONDS = 1.0
_AWAY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


class ExecutorError(ValueError):
    """An executor that cannot work; the message names the remedy."""


def read_secret(path: Path) -> bytes:
    """Return the secret that SuperNode and executor share.

    Raises:
        HostError: If it is missing, or others may read it.
        ExecutorError: If it is empty.
    """
    private_file(path)
    secret = path.read_bytes()
    if not secret:
        raise ExecutorError(f"{path}: it is empty; remedy: umask 077; openssl rand -hex 32 > {path}")
    return secret


def open_runtime(address: str, secret: bytes | None) -> RuntimeHttpClient:
    """Return a client of a SuperNode's Runtime API, for tasks; None has no secret."""
    auth = (
        []
        if secret is None
        else [SuperExecAuthHttpInterceptor(master_secret=secret, protected_methods={_ACQUIRE})]
    )
    return RuntimeHttpClient.from_server_address(
        server_address=address,
        insecure=True,  # both are on this host's loopback
        root_certificates=None,
        interceptors=[RuntimeVersionHttpInterceptor(component_name="SuperExec"), *auth],
    )


def start_next(
    client: RuntimeHttpClient, address: str, output: int | None = None
) -> "subprocess.Popen[bytes] | None":
    """Take the next task, if there is one, and start its process, whose words go to ``output``.

    Raises:
        httpx.HTTPStatusError: If the SuperNode refuses, as it does another secret.
        httpx.TransportError: If it cannot be reached.
    """
    answer = client.AcquireTask(AcquireTaskRequest(supported_task_types=[kind.value for kind in TaskType]))
    if not (answer.HasField("task") and answer.token):
        return None
    # -P: neither the working folder nor that of a script is searched for modules
    words = ["-P", "-m", app_process.__name__, "--runtime-api-address", address]
    words += ["--task-type", answer.task.type, "--parent-pid", str(os.getpid())]
    process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=output, stderr=output)
    if process.stdin is not None:
        process.stdin.write(answer.token.encode())
        process.stdin.close()
    return process


def execute(node: SiloNode) -> NoReturn:
    """Start a process for each task of the silo's SuperNode, until SIGTERM.

    Raises:
        VersionError: If Flower is another one than this was written for.
        HostError: If the secret is missing, or others may read it.
        ExecutorError: If the secret is empty, or not the one that the SuperNode was started with.
    """
    check_flower()
    address = node.runtime_address
    client = open_runtime(address, read_secret(node.path(node.executor_secret)))
    health = run_health_server_grpc_no_tls(node.executor_health_address)
    register_signal_handlers(
        event_type=EventType.RUN_SUPEREXEC_LEAVE,
        exit_message="executor stopped",
        grpc_servers=[health],
        exit_handlers=[client.close],
    )
    sys.stdout.write(f"executor: takes the tasks of the SuperNode on {address}\n")
    sys.stdout.flush()
    running: list[subprocess.Popen[bytes]] = []
    while True:
        try:
            started = _start(client, node)
        except httpx.TransportError:  # it is being started, or started again
            started = None
            time.sleep(_AWAY_SECONDS)
        running = [
            process for process in [*running, started] if process is not None and process.poll() is None
        ]
        time.sleep(_LOOK_SECONDS)


def _start(client: RuntimeHttpClient, node: SiloNode) -> "subprocess.Popen[bytes] | None":
    try:
        return start_next(client, node.runtime_address)
    except httpx.HTTPStatusError as error:
        if error.response.status_code in _AWAY:
            raise httpx.ConnectError(str(error)) from None
        raise ExecutorError(
            f"silo {node.name}: the SuperNode on {node.runtime_address} refuses this executor "
            f"({error.response.status_code}); remedy: stop and start both, so that both read the same secret"
        ) from None
