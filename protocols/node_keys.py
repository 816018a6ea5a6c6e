# SPDX-License-Identifier: Apache-2.0
"""The key by which the SuperLink knows a SuperNode: ECDSA on P-384 in OpenSSH's format, as Flower wants."""

from base64 import b64encode
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_CURVES = ("secp256r1", "secp384r1", "secp521r1")


class NodeKeyError(ValueError):
    """A key that Flower would not take; the message names the reason, not the file."""


@dataclass(frozen=True)
class NodeKeys:
    """A SuperNode's private key and its public one, as OpenSSH writes them."""

    private: bytes
    public: bytes


def make_node_keys(silo: str) -> NodeKeys:
    """Make a fresh pair; the silo's name is the public key's comment."""
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    return NodeKeys(private, _openssh(key.public_key()) + f" {silo}\n".encode())


def public_of(private: bytes) -> bytes:
    """Return the public key of a private one, without a comment.

    Raises:
        NodeKeyError: If it is not an OpenSSH private key on a NIST curve, without a password.
    """
    try:
        key = serialization.load_ssh_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise NodeKeyError("not an OpenSSH private key without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in _CURVES:
        raise NodeKeyError("not a key on a NIST curve; make one: ssh-keygen -t ecdsa -b 384 -N ''")
    return _openssh(key.public_key())


def fingerprint(public: bytes) -> str:
    """Return a public key's fingerprint, as ``ssh-keygen -lf`` prints it.

    Raises:
        NodeKeyError: If it is not an OpenSSH public key on a NIST curve.
    """
    blob = serialization.ssh_key_fingerprint(public_key(public), hashes.SHA256())
    return "SHA256:" + b64encode(blob).decode().rstrip("=")


def public_key(public: bytes) -> ec.EllipticCurvePublicKey:
    """Read a public key.

    Raises:
        NodeKeyError: If it is not an OpenSSH public key on a NIST curve.
    """
    try:
        key = serialization.load_ssh_public_key(public)
    except (ValueError, UnsupportedAlgorithm):
        raise NodeKeyError("not an OpenSSH public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise NodeKeyError("not a key on a NIST curve; make one: ssh-keygen -t ecdsa -b 384 -N ''")
    return key


def _openssh(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
