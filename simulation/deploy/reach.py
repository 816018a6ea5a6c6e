# SPDX-License-Identifier: Apache-2.0
"""What a host sees of an HTTPS address: is it there, is it who it says, what does it answer, its time."""

import datetime as dt
import email.utils
import http.client
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from tailweave.simulation.deploy.verdict import NotRunning

_SECONDS = 5.0


class ReachError(ValueError):
    """An address that is there but cannot be used; the message says why."""


@dataclass(frozen=True)
class Answer:
    """Status of an answer, and seconds that this host's clock is ahead of the server's, if that told its."""

    status: int
    ahead: float | None


def ask(host: str, port: int, ca: Path, request: tuple[str, str] = ("GET", "/health")) -> Answer:
    """Ask a server by HTTPS, trusting this CA and no other.

    Raises:
        NotRunning: If nothing listens there.
        ReachError: If the name is unknown, nothing answers in time, or the certificate is refused.
    """
    where = f"{host}:{port}"
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ReachError(f"{ca}: not a CA certificate: {error}") from None
    connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=context)
    try:
        connection.request(*request, headers={"content-length": "0"})
        response = connection.getresponse()
        return Answer(response.status, _ahead(response.getheader("date")))
    except ssl.SSLCertVerificationError as error:
        raise ReachError(f"the certificate of {where} is refused: {error.verify_message}") from None
    except ConnectionRefusedError:
        raise NotRunning(f"nothing listens on {where}") from None
    except socket.gaierror as error:
        raise ReachError(f"the name {host} is unknown here: {error.strerror}") from None
    except TimeoutError:
        raise ReachError(
            f"{where} gives no answer in {_SECONDS:g} s: a firewall, or another address"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise ReachError(f"{where} does not answer as HTTPS: {error}") from None
    finally:
        connection.close()


def _ahead(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        server = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return None
    return (dt.datetime.now(dt.UTC) - server).total_seconds()


def listens(host: str, port: int) -> bool:
    """Return whether anything accepts a connection there."""
    try:
        with socket.create_connection((host, port), timeout=_SECONDS):
            return True
    except OSError:
        return False


def check_free(host: str, port: int) -> None:
    """Refuse a port that another program has.

    Raises:
        ReachError: If it cannot be bound.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ReachError(f"port {port} cannot be used: {error.strerror}") from None
