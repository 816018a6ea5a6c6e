# SPDX-License-Identifier: Apache-2.0
"""Who shows no token learns whether the service is up, and costs it nothing that lasts."""

import os
import re
import threading
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

WAIT = 60.0
TOKEN = "a-token-that-is-shown"
WATCH, CHECK = "/grpc.health.v1.Health/Watch", "/grpc.health.v1.Health/Check"
NAME = 1_000_000
"""Letters in the name that a stream asks for."""


def test_a_watch_needs_the_token(start):
    service = start()
    asked = health_pb2.HealthCheckRequest()
    with pytest.raises(grpc.RpcError) as refused:
        next(health_pb2_grpc.HealthStub(service.channel(None)).Watch(asked, timeout=WAIT))
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    watched = next(health_pb2_grpc.HealthStub(service.channel()).Watch(asked, timeout=WAIT))
    assert watched.status == health_pb2.HealthCheckResponse.SERVING


def test_a_stranger_s_check_is_answered_before_its_request_is_read(start):
    hold = threading.Event()

    def never():
        hold.wait(WAIT)
        yield b""

    call = start().channel(None).stream_unary(CHECK)
    try:
        answer = call(never(), timeout=10)
    finally:
        hold.set()
    assert health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING


def test_with_the_token_an_unknown_service_is_told_so(start):
    asked = health_pb2.HealthCheckRequest(service="none")
    service = start()
    with pytest.raises(grpc.RpcError) as refused:
        health_pb2_grpc.HealthStub(service.channel()).Check(asked, timeout=WAIT)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def resident(process) -> int:
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.slow
def test_streams_that_never_end_cost_a_service_no_memory(command_line, kept, certificate, tmp_path):
    kept.save(tmp_path / "reference.npz")
    files = ["--cert", certificate[0], "--key", certificate[1]]
    arguments = [tmp_path / "reference.npz", "--listen", "localhost:0", *files]
    process = command_line("serve", *arguments, TAILWEAVE_TOKEN=TOKEN)
    channels = []
    try:
        port = re.search(r"on localhost:(\d+), TLS", process.stdout.readline())[1]
        credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.secure_channel(f"localhost:{port}", credentials, options) for _ in range(4)]
        before = resident(process)
        streams = []
        for number in range(100):
            asked = health_pb2.HealthCheckRequest(service=f"{number:0{NAME}}")
            watch = channels[number % 4].unary_stream(WATCH, lambda message: message.SerializeToString())
            streams.append(watch(asked))
        end = time.monotonic() + 10
        while time.monotonic() < end and not all(stream.done() for stream in streams):
            time.sleep(0.1)
        assert resident(process) - before < 100  # 100 names, held three times over, are 300
    finally:
        for channel in channels:
            channel.close()
        process.kill()
        process.communicate(timeout=WAIT)
