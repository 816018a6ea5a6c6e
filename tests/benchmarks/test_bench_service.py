# SPDX-License-Identifier: Apache-2.0
"""The selection service: 10,240 candidates of 64 features in batches of 256 over TLS; and the rule alone."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from tailweave.clients.selection.streaming import StreamingRule, streamed_herding
from tailweave.clients.service.served import Served
from tailweave.protocols import selection_pb2 as wire
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.references import sliced
from tailweave.protocols.selection_pb2_grpc import SelectionStub
from tailweave.protocols.streams import stream

CANDIDATES, BATCH, DIMENSION = 10_240, 256, 64
WAIT = 60.0
TOKEN = "a-token-for-a-benchmark"


@pytest.fixture(scope="module")
def kept() -> KeptReference:
    features = FeatureMap(np.zeros(DIMENSION), np.eye(DIMENSION), np.zeros(DIMENSION), 1.0)
    spec = SlicedReference(kind="sliced", directions=256, coefficients=8)
    rows = stream(0, "points").normal(size=(2000, DIMENSION))
    summary = sliced.summarise(rows, spec, features.space(0))
    return KeptReference(
        "bench", "collaborative", 0, spec, features, {"sketch": summary.sums / summary.count}
    )


@pytest.fixture
def stub(command_line, kept, tmp_path) -> Iterator[SelectionStub]:
    """A client of a service in another process, with TLS."""
    kept.save(tmp_path / "reference.npz")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *subject]
    files = [tmp_path / "server.pem", tmp_path / "server.key"]
    subprocess.run(
        [*made, "-out", files[0], "-keyout", files[1]], check=True, capture_output=True, timeout=WAIT
    )
    arguments = ["--listen", "localhost:0", "--cert", files[0], "--key", files[1]]
    process = command_line("serve", tmp_path / "reference.npz", *arguments, TAILWEAVE_TOKEN=TOKEN)
    try:
        found = re.search(r"on localhost:(\d+), TLS", process.stdout.readline())
        assert found, process.stderr.read()
        yield SelectionStub(_channel(files[0], found[1]))
    finally:
        process.kill()
        process.communicate(timeout=WAIT)


def _channel(certificate: Path, port: str) -> grpc.Channel:
    tls = grpc.ssl_channel_credentials(certificate.read_bytes())
    both = grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(TOKEN))
    return grpc.secure_channel(f"localhost:{port}", both)


def requests(x: np.ndarray) -> Iterator[wire.SelectRequest]:
    yield wire.SelectRequest(open=wire.Open(keep=1, of=4))
    for begin in range(0, len(x), BATCH):
        rows = x[begin : begin + BATCH].tobytes()
        yield wire.SelectRequest(batch=wire.Batch(candidates=BATCH, dimension=DIMENSION, features=rows))


@pytest.mark.benchmark(group="10,240 candidates of 64 features")
def test_candidates_a_second(benchmark, capsys, stub, kept):
    x = stream(0, "candidates").normal(size=(CANDIDATES, DIMENSION)).astype("<f4")

    def once() -> list[bool]:
        return [k for reply in stub.SelectStream(requests(x), timeout=WAIT) for k in reply.keep]

    keep = benchmark.pedantic(once, rounds=5, iterations=1, warmup_rounds=1)
    target, rule = Served.of(kept).target, np.inf
    for _ in range(3):
        begun = time.perf_counter()
        alone = streamed_herding(target, x, StreamingRule(1, 4)).keep
        rule = min(rule, time.perf_counter() - begun)
    assert keep == alone.tolist()
    best, median = benchmark.stats.stats.min, benchmark.stats.stats.median
    benchmark.extra_info |= {
        "candidates/s": CANDIDATES / median,
        "rule alone, candidates/s": CANDIDATES / rule,
    }
    with capsys.disabled():
        print(  # noqa: T201 - what a benchmark is for
            f"\nservice: median {CANDIDATES / median:,.0f}, best {CANDIDATES / best:,.0f} candidates/s "
            f"on {os.cpu_count()} cores; the rule alone {CANDIDATES / rule:,.0f}"
        )
