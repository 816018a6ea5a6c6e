# SPDX-License-Identifier: Apache-2.0
"""The service from start to stop: port, health, reflection, and an end that lets streams finish."""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from tailweave.clients.service.calls import SERVICE, Calls, logger
from tailweave.clients.service.limits import Limits
from tailweave.clients.service.served import Served
from tailweave.clients.service.token import Context, TokenDoor
from tailweave.clients.threads import one_thread

_SPARE_CALLS = 64
_UP = health_pb2.HealthCheckResponse.SERVING


@dataclass(frozen=True)
class Door:
    """Where the service listens (port 0 takes a free one), who may come in, and TLS, if any."""

    address: str
    token: str
    credentials: grpc.ServerCredentials | None


async def serve(
    served: Served,
    limits: Limits,
    door: Door,
    ready: Callable[[int], None],
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, or until ``stop`` is set; then let streams finish for the grace period.

    ``ready`` is given the port as soon as clients can connect.
    ``stop`` is given within another program; signals are then left alone.

    Raises:
        ValueError: If the address cannot be listened on.
    """
    if stop is None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # One BLAS thread a stream: picks do not depend on the neighbours, and streams do not fight for cores.
    with ThreadPoolExecutor(os.cpu_count(), "selection") as workers, one_thread():
        calls, state = Calls(served, limits, workers), health.aio.HealthServicer()

        async def up(context: Context) -> bytes:
            answer = await state.Check(health_pb2.HealthCheckRequest(), context)
            return bytes(answer.SerializeToString())

        server = grpc.aio.server(interceptors=[TokenDoor(door.token, up)], options=_options(limits))
        server.add_generic_rpc_handlers((calls.generic(),))
        health_pb2_grpc.add_HealthServicer_to_server(state, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        port = _listen(server, door)
        await server.start()
        for name in ("", SERVICE):
            await state.set(name, _UP)
        ready(port)
        await stop.wait()
        logger.info("stopping: %d streams have %d s to finish", calls.streams_open, limits.grace_seconds)
        await state.enter_graceful_shutdown()
        await server.stop(limits.grace_seconds)


def _options(limits: Limits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.message_bytes),
        ("grpc.max_concurrent_streams", limits.streams + _SPARE_CALLS),  # of one connection; more wait
        ("grpc.so_reuseport", 0),  # a port that is taken is an error, not shared in silence
        ("grpc.keepalive_time_ms", 30_000),  # a client whose machine vanished is noticed
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.max_connection_idle_ms", 600_000),
    ]


def _listen(server: grpc.aio.Server, door: Door) -> int:
    try:
        if door.credentials is None:
            port = server.add_insecure_port(door.address)
        else:
            port = server.add_secure_port(door.address, door.credentials)
    except RuntimeError as error:
        raise ValueError(f"--listen: cannot listen on {door.address}: {error}") from None
    if port == 0:
        raise ValueError(f"--listen: cannot listen on {door.address}")
    return port
