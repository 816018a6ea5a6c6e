# SPDX-License-Identifier: Apache-2.0
"""The certificate that the service shows, checked before anything listens."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509


def server_credentials(certificate: Path, key: Path) -> grpc.ServerCredentials:
    """Read a certificate (chain) and its private key, both PEM.

    Raises:
        ValueError: If one cannot be read, they do not belong together, or the certificate is not valid now.
    """
    try:
        chain, secret = certificate.read_bytes(), key.read_bytes()
    except OSError as error:
        raise ValueError(f"{error.filename}: cannot be read: {error.strerror}") from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(
            f"{certificate} and {key} must be a PEM certificate and its own key without a passphrase: {error}"
        ) from None
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begins <= datetime.now(UTC) <= ends:
        raise ValueError(
            f"{certificate}: is valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC, not now"
        )
    return grpc.ssl_server_credentials([(secret, chain)])


def _no_password() -> str:
    raise ValueError("the key asks for a passphrase")
