# SPDX-License-Identifier: Apache-2.0
"""Who signed a request: the same look that Flower's SuperLink takes at a Fleet request, before its body."""

import datetime as dt
import json
from base64 import b64decode
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tailweave.server.gate.keys import KnownKeys
from tailweave.server.gate.refused import Refused

PUBLIC_KEY, TIMESTAMP, SIGNATURE = b"flwr-public-key", b"flwr-timestamp", b"flwr-signature"
"""Flower's names; a test compares them, and the window, with the Flower that is installed."""
MOST_AHEAD, MOST_BEHIND = 5.0, 305.0
"""Seconds between a node's clock and ours, exclusive."""
_LONGEST_TIMESTAMP = 64
UNKNOWN_STATUS, UNKNOWN_CODE = 412, 2004
"""What the SuperLink says to a node that it does not know: the node ends with exit code 305 and a reason.

On 401 a SuperNode ends as if it was told to stop, and its owner learns no reason.
"""


def signer(headers: Sequence[tuple[bytes, bytes]], keys: KnownKeys, now: dt.datetime) -> str:
    """Return the silo whose key has signed a request.

    The signature covers the time alone, as Flower makes it: it shows that the peer had the key within the
    last five minutes, and TLS keeps others from reading it.

    Args:
        headers: Names in small letters, and values.
        keys: Of the federation's silos.
        now: The time, with its zone.

    Raises:
        Refused: 401 if a header is missing, twice or malformed, the time outside the window, or the signature
            not of this key; 412 if the key is none of the federation's.
    """
    wanted = {name: [value for other, value in headers if other == name] for name in _NAMES}
    if any(len(values) != 1 for values in wanted.values()):
        raise Refused(401, "each of flwr-public-key, flwr-timestamp, flwr-signature is needed once")
    presented, timestamp, signature = (wanted[name][0] for name in _NAMES)
    _check_time(timestamp, now)
    known = keys.find(_decoded(presented))
    if known is None:
        detail = "the federation does not know this node's key"
        text = json.dumps({"code": UNKNOWN_CODE, "detail": detail})
        raise Refused(UNKNOWN_STATUS, text, "application/json")
    silo, key = known
    try:
        key.verify(_decoded(signature), timestamp, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Refused(401, "the signature is not of this key and time") from None
    return silo


_NAMES = PUBLIC_KEY, TIMESTAMP, SIGNATURE


def _check_time(timestamp: bytes, now: dt.datetime) -> None:
    try:
        signed = dt.datetime.fromisoformat(timestamp[:_LONGEST_TIMESTAMP].decode("ascii"))
        age = (now - signed).total_seconds()
    except (ValueError, TypeError):  # TypeError: no zone
        raise Refused(401, "flwr-timestamp is no ISO time with a zone") from None
    if not -MOST_AHEAD < age < MOST_BEHIND:
        raise Refused(401, f"signed {age:.0f} s ago, allowed are {-MOST_AHEAD:g} to {MOST_BEHIND:g} s")


def _decoded(value: bytes) -> bytes:
    try:
        return b64decode(value, validate=True)
    except ValueError:
        raise Refused(401, "flwr-public-key and flwr-signature are base64") from None
