# SPDX-License-Identifier: Apache-2.0
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tailweave.protocols.node_keys import NodeKeyError, fingerprint, make_node_keys, public_of


def test_a_pair_is_p384_in_openssh_format_and_fits():
    keys = make_node_keys("north")
    private = serialization.load_ssh_private_key(keys.private, None)
    assert isinstance(private.curve, ec.SECP384R1)
    assert keys.public.startswith(b"ecdsa-sha2-nistp384 ")
    assert keys.public.endswith(b" north\n")
    assert fingerprint(public_of(keys.private)) == fingerprint(keys.public)
    assert make_node_keys("north").public != keys.public


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen, the oracle")
def test_ssh_keygen_agrees(tmp_path):
    keys = make_node_keys("north")
    (tmp_path / "k.pub").write_bytes(keys.public)
    shown = subprocess.run(
        ["ssh-keygen", "-lf", tmp_path / "k.pub"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[:3] == ["384", fingerprint(keys.public), "north"]


def test_what_flower_would_not_take_is_refused():
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    with pytest.raises(NodeKeyError, match="not a key on a NIST curve"):
        public_of(private)
    with pytest.raises(NodeKeyError, match="not a key on a NIST curve"):
        fingerprint(public)
    with pytest.raises(NodeKeyError, match="not an OpenSSH private key"):
        public_of(b"x")
    with pytest.raises(NodeKeyError, match="not an OpenSSH public key"):
        fingerprint(b"x")
