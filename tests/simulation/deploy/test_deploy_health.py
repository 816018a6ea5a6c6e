# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tailweave.simulation.deploy.health import serving


@pytest.fixture
def server():
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait(30)


def test_only_serving_is_well(server):
    servicer, address = server
    assert serving(address, seconds=30)
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert not serving(address, seconds=30)


def test_nobody_there_is_not_well():
    assert not serving("127.0.0.1:1", seconds=1)
