# SPDX-License-Identifier: Apache-2.0
"""Limits, tokens, certificates and addresses that are refused before anything listens."""

import socket
from pathlib import Path

import pytest

from tailweave.clients.service.limits import Limits
from tailweave.clients.service.tls import server_credentials
from tailweave.clients.service.token import read_token


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"message_bytes": 65_535}, r"message-bytes must be in 65536..67108864, got 65535"),
        ({"message_bytes": 2**30}, "message-bytes must be in"),
        ({"batch_candidates": 0}, "batch-candidates must be in 1.."),
        ({"streams": 0}, r"streams must be in 1..1024, got 0"),
        ({"streams": 1025}, "got 1025"),
        ({"idle_seconds": 0}, "idle-seconds must be in 1.."),
        ({"grace_seconds": -1}, "grace-seconds must be in 0.."),
    ],
)
def test_limits_out_of_range_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Limits(**fields)


def test_token_comes_from_a_file_or_the_environment(tmp_path):
    (tmp_path / "token").write_text("  0123456789abcdef\n")
    assert read_token(tmp_path / "token", {}) == "0123456789abcdef"
    assert read_token(None, {"TAILWEAVE_TOKEN": "fedcba9876543210"}) == "fedcba9876543210"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least 16 printable ASCII"),
        (b"0123456789abcde\n", "at least 16 printable ASCII"),
        (b"0123456789 abcdef", "without white space"),
        (b"0123456789abcdef\nsecond", "without white space"),
        ("0123456789äbcdef".encode(), "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_tokens_that_protect_nothing_are_refused_and_not_shown(tmp_path, content, message):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        read_token(path, {})
    assert str(path) in str(raised.value)
    assert "0123456789" not in str(raised.value)


def test_one_token_is_given_not_two_or_none(tmp_path):
    with pytest.raises(ValueError, match="--token-file and TAILWEAVE_TOKEN are both there"):
        read_token(tmp_path / "token", {"TAILWEAVE_TOKEN": "0123456789abcdef"})
    with pytest.raises(ValueError, match="a token is needed: --token-file or TAILWEAVE_TOKEN"):
        read_token(None, {})


def test_a_certificate_with_its_own_key_is_taken(make_certificate):
    server_credentials(*make_certificate())


@pytest.mark.parametrize(("days", "name"), [((-3, -1), "expired"), ((1, 3), "early")])
def test_a_certificate_out_of_its_dates_is_refused(make_certificate, days, name):
    with pytest.raises(ValueError, match=rf"{name}.pem: is valid from .* UTC, not now"):
        server_credentials(*make_certificate(days=days, name=name))


def test_certificates_and_keys_that_do_not_fit_are_refused(make_certificate, tmp_path):
    certificate, key = make_certificate()
    other = make_certificate(name="other")[1]
    (tmp_path / "text").write_text("no certificate")
    for pair in (
        (certificate, other),
        (key, key),
        (tmp_path / "text", key),
        (certificate, tmp_path / "text"),
    ):
        with pytest.raises(ValueError, match="must be a PEM certificate and its own key"):
            server_credentials(*pair)
    with pytest.raises(ValueError, match=r"missing.pem: cannot be read: No such file"):
        server_credentials(Path("missing.pem"), key)


def test_a_port_that_is_taken_is_refused(start, kept):
    port = start().port
    with pytest.raises(ValueError, match=f"--listen: cannot listen on localhost:{port}"):
        start(address=f"localhost:{port}")


def test_an_address_of_no_machine_is_refused(start):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match="--listen: cannot listen on"):
        start(address=f"nowhere.invalid:{port}")
