# SPDX-License-Identifier: Apache-2.0
"""Who a silo is to the other silos of a secure sum, and whom it takes for one.

An identity is an Ed25519 key. A deployment exchanges the public ones beforehand, and each owner's policy
names them in ``trusted-identities``. Without that file a silo takes whoever it meets first in a run under a
name, and nobody else after: enough against a server that is curious, not against one that invents silos.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.experiment import Name
from tailweave.protocols.config.yaml_file import ConfigError, read_yaml
from tailweave.protocols.refusals import Refusal
from tailweave.protocols.secure_sum.keys import identity
from tailweave.protocols.secure_sum_messages import Key
from tailweave.protocols.whole_file import write_whole

_MAPPING = TypeAdapter(dict[Name, Key])


class IdentityError(ValueError):
    """An identity that is missing, not the trusted one, or not the one that was met first."""


class StrangerError(IdentityError, Refusal):
    """The last two, which the server may be told; a missing one's text names this node's file."""


def own_identity(path: Path, *, make: bool) -> tuple[str, str]:
    """Return this silo's identity, private and public key in hexadecimal; only its owner may read the file.

    To ``make`` a missing one the caller holds the folder's lock.

    Raises:
        IdentityError: If the file is missing and may not be made, others may read it, or it holds no key.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if make and not path.exists():
        write_whole(path, identity()[0], mode=0o600)
    try:
        text, mode = path.read_text(encoding="ascii").strip(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise IdentityError(
            f"{path}: no identity key ({error}); make one: umask 077; openssl rand -hex 32 > {path}"
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise IdentityError(f"{path}: others may read this private key: chmod 600 {path}")
    try:
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except ValueError:
        raise IdentityError(f"{path}: an identity key is 64 hex digits, got {len(text)} characters") from None
    return text, key.public_key().public_bytes_raw().hex()


def read_identities(path: Path) -> dict[str, str]:
    """Read the identities that a silo's owner trusts: a YAML of public keys, 64 hex digits, by silo.

    Raises:
        ConfigError: If the file cannot be read or is no such mapping.
    """
    try:
        return _MAPPING.validate_python(read_yaml(path))
    except (FileNotFoundError, ConfigError) as error:
        raise ConfigError(f"{path}: trusted identities cannot be read: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(
            f"{path}: trusted identities are 64 hex digits (quoted) by silo name; {place}: {first['msg']}"
        ) from None


def check_trusted(found: Mapping[str, str], trusted: Mapping[str, str]) -> None:
    """Refuse a roster with any identity that the owner did not list.

    Raises:
        IdentityError: If a silo is not listed, or comes with another identity.
    """
    for silo, key in sorted(found.items()):
        if silo not in trusted:
            raise StrangerError(f"{silo} is not among this silo's trusted-identities")
        if trusted[silo] != key:
            raise StrangerError(f"{silo} comes with another identity than this silo's trusted-identities say")


def check_first_met(found: Mapping[str, str], path: Path) -> None:
    """Refuse an identity that differs from the one met first under its name, and remember new names.

    The signatures of ``found`` were checked; the caller has locked the folder.

    Raises:
        IdentityError: If a silo comes with another identity than before.
    """
    met = read_identities(path) if path.exists() else {}
    for silo, key in sorted(found.items()):
        if met.get(silo, key) != key:
            raise StrangerError(f"{silo} comes with another identity than it first had in this run")
    if not found.keys() <= met.keys():
        write_whole(path, yaml.safe_dump({**met, **found}), mode=0o600)
