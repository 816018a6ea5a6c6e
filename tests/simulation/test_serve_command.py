# SPDX-License-Identifier: Apache-2.0
"""``tailweave serve``: which reference is meant, what is refused before it listens, and a whole walk."""

import re
import socket
from pathlib import Path

import grpc
import numpy as np
import pytest

from tailweave.clients.selection.streaming import StreamingRule, streamed_herding
from tailweave.clients.service.served import Served
from tailweave.protocols import selection_pb2 as wire
from tailweave.protocols.kept_reference import KeptReference
from tailweave.protocols.selection_pb2_grpc import SelectionStub
from tailweave.protocols.streams import stream
from tailweave.simulation.serve_command import Secrets, find_reference, open_door

pytestmark = pytest.mark.slow

WAIT = 60.0
TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def token(tmp_path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN)
    return path


def test_a_run_keeps_one_reference_an_arm_and_seed(finished):
    names = sorted(str(p.relative_to(finished / "references")) for p in finished.rglob("references/*/*.npz"))
    assert names == [f"seed-{s}/{arm}.npz" for s in (0, 1) for arm in ("quantized", "sliced")]
    kept = find_reference(finished, "quantized", 1)
    assert (kept.arm, kept.seed, kept.spec.kind, kept.features.dimension) == ("quantized", 1, "quantized", 6)


def test_a_file_is_served_as_it_is(finished):
    path = finished / "references" / "seed-0" / "sliced.npz"
    assert find_reference(path, None, None).arm == "sliced"
    assert find_reference(path, "sliced", 0).seed == 0
    for arm, seed in (("quantized", None), (None, 1)):
        with pytest.raises(ValueError, match="is of arm sliced and seed 0, not what was asked for"):
            find_reference(path, arm, seed)


@pytest.mark.parametrize(
    ("arm", "seed", "count"), [(None, None, 4), ("sliced", None, 2), (None, 0, 2), ("siloed", 0, 0)]
)
def test_more_or_less_than_one_is_refused_with_a_list(finished, arm, seed, count):
    with pytest.raises(ValueError, match=f"{count} references fit; name one of: --arm quantized --seed 0, "):
        find_reference(finished, arm, seed)


def test_folders_and_files_without_a_reference_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"has no references/seed-\*/\*.npz"):
        find_reference(tmp_path, None, None)
    with pytest.raises(ValueError, match="not a readable reference file"):
        find_reference(tmp_path / "missing.npz", None, None)


@pytest.mark.parametrize(
    "listen", ["", "8443", "localhost", "localhost:", "localhost:65536", "a b:1", "::1:80"]
)
def test_addresses_that_are_none_are_refused(token, listen):
    with pytest.raises(ValueError, match="--listen must be host:port"):
        open_door(listen, Secrets(None, None, token, plaintext=True))


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:8443", "[::1]:8443", "127.1.2.3:1"])
def test_without_tls_on_loopback_only(token, listen):
    door = open_door(listen, Secrets(None, None, token, plaintext=True))
    assert (door.address, door.token, door.credentials) == (listen, TOKEN, None)


@pytest.mark.parametrize("listen", ["0.0.0.0:8443", "[::]:8443", "10.0.0.1:8443", "silo.example:8443"])
def test_nowhere_else_without_tls(token, listen):
    with pytest.raises(ValueError, match="--plaintext is for loopback only, got --listen"):
        open_door(listen, Secrets(None, None, token, plaintext=True))


def test_certificate_and_key_come_together_or_not_at_all(token):
    some = Path("some.pem")
    for pair in ((None, None), (some, None), (None, some)):
        with pytest.raises(ValueError, match="--cert and --key are needed"):
            open_door("localhost:1", Secrets(*pair, token, plaintext=False))
    with pytest.raises(ValueError, match="--plaintext and --cert or --key contradict"):
        open_door("localhost:1", Secrets(some, some, token, plaintext=True))


def test_what_is_wrong_is_one_message_and_exit_code_2(command_line, finished, token):
    one = [finished, "--arm", "sliced", "--seed", "0"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = ["--plaintext", "--token-file", token, "--listen", f"127.0.0.1:{port}"]
        cases = {
            (*one, *options): f"--listen: cannot listen on 127.0.0.1:{port}",
            (finished, *options, "--max-streams", "0"): "streams must be in 1..1024, got 0",
        }
        running = {message: command_line("serve", *given) for given, message in cases.items()}
        for message, process in running.items():
            out, err = process.communicate(timeout=WAIT)
            assert (process.returncode, out) == (2, ""), err
            assert message in err
            assert "Traceback" not in err


def test_the_reference_of_a_finished_run_is_served(command_line, finished):
    arguments = ["--arm", "quantized", "--seed", "0", "--plaintext", "--listen", "127.0.0.1:0"]
    process = command_line("serve", finished, *arguments, TAILWEAVE_TOKEN=TOKEN)
    try:
        line = process.stdout.readline()
        found = re.search(r"^serving quantized reference .*\(d = 6\) on 127.0.0.1:(\d+), without TLS$", line)
        assert found, line + process.stderr.read()
        header = (("authorization", f"Bearer {TOKEN}"),)
        x = stream(0, "x").normal(size=(600, 6)).astype("<f4")
        messages = [
            wire.SelectRequest(open=wire.Open(keep=1, of=3)),
            wire.SelectRequest(batch=wire.Batch(candidates=600, dimension=6, features=x.tobytes())),
        ]
        with grpc.insecure_channel(f"127.0.0.1:{found[1]}") as channel:
            replies = list(SelectionStub(channel).SelectStream(iter(messages), metadata=header, timeout=WAIT))
        kept = KeptReference.load(finished / "references" / "seed-0" / "quantized.npz")
        expected = streamed_herding(Served.of(kept).target, x, StreamingRule(1, 3)).keep
        assert np.array_equal(np.concatenate([reply.keep for reply in replies]), expected)
    finally:
        process.terminate()
        out, _ = process.communicate(timeout=WAIT)
    assert (process.returncode, out) == (0, "stopped\n")
