# SPDX-License-Identifier: Apache-2.0
"""gRPC's standard health question, which SuperLink and SuperNode answer on their own loopback."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 3.0


def serving(address: str, *, seconds: float = _SECONDS) -> bool:
    """Return whether a health service at ``host:port``, without TLS, answers SERVING in time."""
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options=options) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=seconds
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
