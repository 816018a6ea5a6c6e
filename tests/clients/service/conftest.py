# SPDX-License-Identifier: Apache-2.0
"""A reference on disk, a certificate, and a real gRPC server on a free port."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tailweave.clients.service.limits import Limits
from tailweave.clients.service.serve import Door, serve
from tailweave.clients.service.served import Served
from tailweave.clients.service.tls import server_credentials
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import sliced
from tailweave.protocols.selection_pb2_grpc import SelectionStub
from tailweave.protocols.streams import stream

TOKEN = "correct-horse-battery-staple"
DIMENSION, COLUMNS = 5, 7
WAIT = 60.0


def make_kept(dimension: int = DIMENSION, columns: int = COLUMNS, directions: int = 32) -> KeptReference:
    rng = stream(3, "kept", dimension)
    features = FeatureMap(
        rng.normal(size=columns), rng.normal(size=(columns, dimension)), np.zeros(dimension), 1.5
    )
    spec = SlicedReference(kind="sliced", directions=directions, coefficients=8)
    summary = sliced.summarise(rng.normal(size=(400, dimension)), spec, features.space(11))
    return KeptReference(
        "run-1", "collaborative", 11, spec, features, {"sketch": summary.sums / summary.count}
    )


def write_certificate(
    folder: Path, *, days: tuple[int, int] = (-1, 1), name: str = "server"
) -> tuple[Path, Path]:
    """A self-signed certificate for this machine, valid between two days from now; returns (cert, key)."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


@dataclass
class Running:
    """A service in a thread of this process."""

    port: int
    certificate: Path
    channels: list[grpc.Channel] = field(default_factory=list)

    def channel(self, token: str | None = TOKEN) -> grpc.Channel:
        credentials = grpc.ssl_channel_credentials(self.certificate.read_bytes())
        if token is not None:
            call = grpc.access_token_call_credentials(token)
            credentials = grpc.composite_channel_credentials(credentials, call)
        self.channels.append(grpc.secure_channel(f"localhost:{self.port}", credentials))
        return self.channels[-1]

    def stub(self, token: str | None = TOKEN) -> SelectionStub:
        return SelectionStub(self.channel(token))


class Thread:
    """Runs ``serve`` on an event loop of its own until ``stop``."""

    def __init__(self, kept: KeptReference, limits: Limits, door: Door) -> None:
        self.port, self._up, self._failed = 0, threading.Event(), None
        self._loop, self._stop = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(kept, limits, door))
        self._thread.start()
        assert self._up.wait(WAIT)
        if self._failed is not None:
            self._thread.join(WAIT)
            raise self._failed

    def _run(self, kept: KeptReference, limits: Limits, door: Door) -> None:
        def ready(port: int) -> None:
            self.port = port
            self._up.set()

        try:
            self._loop.run_until_complete(serve(Served.of(kept), limits, door, ready, self._stop))
        except ValueError as error:
            self._failed = error
        finally:
            self._loop.close()
            self._up.set()

    def stop(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)
        assert not self._thread.is_alive()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    return write_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def make_certificate(tmp_path) -> Callable[..., tuple[Path, Path]]:
    return partial(write_certificate, tmp_path)


@pytest.fixture(scope="session")
def kept() -> KeptReference:
    return make_kept()


def starter(certificate: tuple[Path, Path], kept: KeptReference) -> Iterator[Callable[..., Running]]:
    threads: list[Thread] = []
    running: list[Running] = []

    def begin(reference: KeptReference | None = None, address: str = "localhost:0", **limits: int) -> Running:
        door = Door(address, TOKEN, server_credentials(*certificate))
        threads.append(Thread(reference or kept, Limits(**{"grace_seconds": 1} | limits), door))
        running.append(Running(threads[-1].port, certificate[0]))
        return running[-1]

    yield begin
    for service in running:
        for channel in service.channels:
            channel.close()
    for thread in threads:
        thread.stop()


@pytest.fixture
def start(certificate, kept) -> Iterator[Callable[..., Running]]:
    """Return a starter of services; keywords are limits."""
    yield from starter(certificate, kept)


@pytest.fixture(scope="module")
def steady(certificate, kept) -> Iterator[Running]:
    """One service for all tests of a module, with small limits."""
    opened = starter(certificate, kept)
    yield next(opened)(message_bytes=65_536, batch_candidates=3000)
    next(opened, None)
