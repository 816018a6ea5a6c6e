# SPDX-License-Identifier: Apache-2.0
"""The federation's own CA and the server's certificate, ECDSA on P-384."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
SERVER_DAYS = 730
_SKEW = dt.timedelta(hours=1)
"""Certificates begin this early, for hosts whose clocks are behind."""
_LOCAL = ("localhost", "127.0.0.1")
"""The server's own commands use these."""


class CertificateError(ValueError):
    """A certificate or key that cannot be used; the message names the reason, not the file."""


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


def make_ca(name: str, *, now: dt.datetime, days: int = CA_DAYS) -> Issued:
    """Make a self-signed CA."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        _builder(subject, subject, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _issued(builder, key, key)


def make_server(ca: Issued, hosts: Sequence[str], *, now: dt.datetime, days: int = SERVER_DAYS) -> Issued:
    """Make the server's certificate, for loopback too, and never beyond the CA's validity.

    Raises:
        CertificateError: If the CA cannot be read, or has expired.
    """
    authority = read_certificate(ca.certificate)
    signer = _read_key(ca.key)
    if authority.not_valid_after_utc <= now:
        raise CertificateError(f"the CA expired on {authority.not_valid_after_utc:%Y-%m-%d}")
    key = ec.generate_private_key(ec.SECP384R1())
    names = [_general_name(host) for host in dict.fromkeys([*hosts, *_LOCAL])]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    days = min(days, (authority.not_valid_after_utc - now).days)
    builder = (
        _builder(subject, authority.subject, key.public_key(), now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return _issued(builder, key, signer)


def read_certificate(pem: bytes) -> x509.Certificate:
    """Read one certificate.

    Raises:
        CertificateError: If it is none.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateError("not a PEM certificate") from None


def hosts_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the DNS names and IP addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    dns = names.get_values_for_type(x509.DNSName)
    return (*dns, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def check_dates(certificate: x509.Certificate, now: dt.datetime) -> str:
    """Say until when a certificate is valid, or refuse one outside its dates.

    Raises:
        CertificateError: If it is not valid yet, or not any more.
    """
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        raise CertificateError(f"expired on {end:%Y-%m-%d %H:%M} UTC")
    if now < begin:
        raise CertificateError(
            f"not valid before {begin:%Y-%m-%d %H:%M} UTC; this host says it is {now:%Y-%m-%d %H:%M} UTC"
        )
    return f"valid until {end:%Y-%m-%d}"


def check_signed_by(certificate: x509.Certificate, ca: x509.Certificate) -> None:
    """Refuse a certificate that another CA signed.

    Raises:
        CertificateError: If the signature is not the CA's.
    """
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError):
        raise CertificateError("signed by another CA than ca.crt") from None


def check_key(certificate: x509.Certificate, key: bytes) -> None:
    """Refuse a private key that belongs to another certificate.

    Raises:
        CertificateError: If it does, or is no key.
    """
    if _read_key(key).public_key() != certificate.public_key():
        raise CertificateError("the private key belongs to another certificate")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _issued(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Issued:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = builder.sign(signer, hashes.SHA384())
    return Issued(certificate.public_bytes(serialization.Encoding.PEM), private)


def _read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        raise CertificateError("not a PEM private key without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("the private key is not one for an elliptic curve")
    return key


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
