# SPDX-License-Identifier: Apache-2.0
"""The secret that every call shows, and the door that asks for it."""

import hmac
import string
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

import grpc

VARIABLE = "TAILWEAVE_TOKEN"
SHORTEST = 16
_BEARER = "Bearer "
_OPEN_METHOD = "/grpc.health.v1.Health/Check"
"""Asked by load balancers and supervisors, which hold no token; the answer is up or down.

Not ``Watch``: its streams never end, and gRPC keeps the name, of any length, that each one asks for.
"""
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)

Q = TypeVar("Q")
A = TypeVar("A")
Context = grpc.aio.ServicerContext[object, object]


def read_token(path: Path | None, environment: Mapping[str, str]) -> str:
    """Return the secret from a file or from ``TAILWEAVE_TOKEN``, without the white space around it.

    Raises:
        ValueError: If both or neither is there, the file cannot be read, or the secret is short or odd.
    """
    stored = environment.get(VARIABLE)
    if path is not None and stored is not None:
        raise ValueError(f"--token-file and {VARIABLE} are both there: give one of them")
    if path is None and stored is None:
        raise ValueError(
            f"a token is needed: --token-file or {VARIABLE}; make one with: umask 077; openssl rand -hex 32"
        )
    source = VARIABLE if path is None else str(path)
    try:
        token = (stored or "" if path is None else path.read_text(encoding="ascii")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: the token cannot be read: {error}") from None
    if len(token) < SHORTEST or not _ALLOWED.issuperset(token):
        raise ValueError(
            f"{source}: a token must have at least {SHORTEST} printable ASCII characters without white space"
        )
    return token


class TokenDoor(grpc.aio.ServerInterceptor):
    """Lets in whoever shows ``authorization: Bearer TOKEN``; others get UNAUTHENTICATED, but for health.

    Of those others no request is read: not even of a question about health, which is taken to be about the
    service as a whole, whatever it names.
    """

    def __init__(self, token: str, up: Callable[[Context], Awaitable[bytes]]) -> None:
        """Remember the secret, and how to say whether the service is up."""
        self._expected = (_BEARER + token).encode("ascii")
        self._up = up

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Q, A] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Q, A] | None":
        """Pass the call on, or answer it with the refusal."""
        if self._shown(handler_call_details):
            return await continuation(handler_call_details)
        if handler_call_details.method == _OPEN_METHOD:
            return grpc.stream_unary_rpc_method_handler(self._say_whether_up)
        return grpc.stream_stream_rpc_method_handler(_refuse)  # before a request is read, of any kind of call

    def _shown(self, details: grpc.HandlerCallDetails) -> bool:
        shown = [value for name, value in details.invocation_metadata or () if name == "authorization"]
        if len(shown) != 1:
            return False
        raw = shown[0] if isinstance(shown[0], bytes) else shown[0].encode("utf-8")
        return hmac.compare_digest(raw, self._expected)  # takes as long wherever the two differ

    async def _say_whether_up(self, _requests: object, context: "Context") -> bytes:
        return await self._up(context)


async def _refuse(_requests: object, context: "grpc.aio.ServicerContext[object, object]") -> NoReturn:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "metadata must have authorization: Bearer TOKEN, with this service's token",
    )
