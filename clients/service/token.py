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
_OPEN_METHODS = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})
"""Asked by load balancers and supervisors, which hold no token; the answer is up or down."""
_ALLOWED = frozenset(string.ascii_letters + string.digits + string.punctuation)

Q = TypeVar("Q")
A = TypeVar("A")


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
    """Lets in whoever shows ``authorization: Bearer TOKEN``; others get UNAUTHENTICATED, but for health."""

    def __init__(self, token: str) -> None:
        """Remember the secret."""
        self._expected = (_BEARER + token).encode("ascii")

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Q, A] | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Q, A] | None":
        """Pass the call on, or answer it with the refusal."""
        if handler_call_details.method in _OPEN_METHODS or self._shown(handler_call_details):
            return await continuation(handler_call_details)
        return grpc.stream_stream_rpc_method_handler(_refuse)  # before a request is read, of any kind of call

    def _shown(self, details: grpc.HandlerCallDetails) -> bool:
        shown = [value for name, value in details.invocation_metadata or () if name == "authorization"]
        if len(shown) != 1:
            return False
        raw = shown[0] if isinstance(shown[0], bytes) else shown[0].encode("utf-8")
        return hmac.compare_digest(raw, self._expected)  # takes as long wherever the two differ


async def _refuse(_requests: object, context: "grpc.aio.ServicerContext[object, object]") -> NoReturn:
    await context.abort(
        grpc.StatusCode.UNAUTHENTICATED,
        "metadata must have authorization: Bearer TOKEN, with this service's token",
    )
