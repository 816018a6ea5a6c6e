# SPDX-License-Identifier: Apache-2.0
"""Versions that all hosts of a federation must share; each host compares its own with the kit's."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

from pydantic import Field

from tailweave.protocols.config.base import Spec
from tailweave.protocols.messages import SCHEMA_VERSION

FLOWER = ("1.41", "1.42")
"""The Flowers whose inner functions a silo's executor uses; pyproject.toml allows no other."""


class VersionError(ValueError):
    """A Flower that this tailweave was not written for."""


class VersionsSpec(Spec):
    """What the kit was made with: tailweave, Flower, and the schema of tailweave's messages."""

    tailweave: Annotated[str, Field(min_length=1)]
    flwr: Annotated[str, Field(min_length=1)]
    messages: Annotated[int, Field(ge=1)]


def installed() -> VersionsSpec:
    """Return the versions on this host; ``unknown`` for a package that is not installed."""
    return VersionsSpec(tailweave=_version("tailweave"), flwr=_version("flwr"), messages=SCHEMA_VERSION)


def differences(wanted: VersionsSpec, found: VersionsSpec) -> list[str]:
    """Return one phrase a difference; none if all are equal."""
    pairs = zip(wanted.model_dump().items(), found.model_dump().values(), strict=True)
    return [
        f"{name} is {here} here, the kit was made with {kit}" for (name, kit), here in pairs if here != kit
    ]


def check_flower() -> None:
    """Refuse to go on with another Flower: nobody has looked whether the door for code holds there.

    Raises:
        VersionError: If Flower is none of those that this was written for.
    """
    found = _version("flwr")
    if not any(found == known or found.startswith(f"{known}.") for known in FLOWER):
        wanted = " or ".join(f"{known}.x" for known in FLOWER)
        raise VersionError(
            f"flwr {found} is installed, this tailweave needs {wanted}: "
            f"what a silo runs is guarded there and nowhere else; remedy: pip install 'flwr=={FLOWER[-1]}.*'"
        )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
