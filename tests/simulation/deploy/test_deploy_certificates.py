# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import shutil
import subprocess

import pytest

from tailweave.simulation.deploy.certificates import (
    CertificateError,
    Issued,
    check_dates,
    check_key,
    check_signed_by,
    hosts_of,
    make_ca,
    make_server,
    read_certificate,
)

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def ca():
    return make_ca("test", now=NOW, days=100)


@pytest.fixture(scope="module")
def server(ca):
    return make_server(ca, ["flower.example", "10.0.0.1"], now=NOW, days=30)


def test_names_dates_and_signature(ca, server):
    certificate = read_certificate(server.certificate)
    assert hosts_of(certificate) == ("flower.example", "localhost", "10.0.0.1", "127.0.0.1")
    assert certificate.not_valid_after_utc == NOW + 30 * DAY
    check_dates(certificate, NOW)
    check_key(certificate, server.key)
    check_signed_by(certificate, read_certificate(ca.certificate))


def test_never_outlives_its_ca(ca):
    certificate = read_certificate(make_server(ca, ["a"], now=NOW + 90 * DAY, days=730).certificate)
    assert certificate.not_valid_after_utc == NOW + 100 * DAY


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl, the oracle")
def test_openssl_verifies_chain_and_name(tmp_path, ca, server):
    (tmp_path / "ca").write_bytes(ca.certificate)
    (tmp_path / "server").write_bytes(server.certificate)

    def verify(host, days):
        at = str(int((NOW + days * DAY).timestamp()))
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-attime", at]
        done = subprocess.run(
            [*command, "-verify_hostname", host, "-CAfile", "ca", "server"], cwd=tmp_path, capture_output=True
        )
        return done.returncode

    assert verify("flower.example", 1) == 0
    assert verify("other.example", 1) != 0
    assert verify("flower.example", 31) != 0


def test_what_does_not_belong_together_is_refused(ca, server):
    other = make_ca("test", now=NOW)
    certificate = read_certificate(server.certificate)
    with pytest.raises(CertificateError, match="signed by another CA"):
        check_signed_by(certificate, read_certificate(other.certificate))
    with pytest.raises(CertificateError, match="belongs to another certificate"):
        check_key(certificate, ca.key)
    with pytest.raises(CertificateError, match="not a PEM private key"):
        check_key(certificate, b"x")
    with pytest.raises(CertificateError, match="not a PEM certificate"):
        read_certificate(b"x")


def test_dates_are_named(server):
    certificate = read_certificate(server.certificate)
    with pytest.raises(CertificateError, match="expired on 2030-01-31"):
        check_dates(certificate, NOW + 30 * DAY)
    with pytest.raises(
        CertificateError, match="not valid before 2029-12-31 23:00 UTC; this host says it is 2029"
    ):
        check_dates(certificate, NOW - DAY)


def test_an_expired_ca_signs_nothing(ca):
    with pytest.raises(CertificateError, match="the CA expired on 2030-04-11"):
        make_server(ca, ["a"], now=NOW + 100 * DAY)


def test_a_ca_without_its_key_signs_nothing(ca):
    with pytest.raises(CertificateError, match="not a PEM private key"):
        make_server(Issued(ca.certificate, b""), ["a"], now=NOW)
