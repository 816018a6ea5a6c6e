# SPDX-License-Identifier: Apache-2.0
"""The one base of every configuration model: frozen, kebab-case in YAML, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


def first_paragraph(spec: type[BaseModel]) -> str:
    """Return what a spec's docstring says first, in one line."""
    return " ".join((spec.__doc__ or "").split("\n\n")[0].split())


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Spec(BaseModel):
    """Base of the configuration tree; ``model_dump(by_alias=True)`` gives the YAML's own keys."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=_kebab,
        populate_by_name=True,
        allow_inf_nan=False,
        defer_build=True,  # a validator for each of 40 models, when one for the root will do, takes a while
    )
