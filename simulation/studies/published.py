# SPDX-License-Identifier: Apache-2.0
"""What was published, read from the YAML file beside each study: numbers are data, and stand in no code.

A file holds groups of claims. A group says once what its claims share; ``columns`` and ``rows`` are what
differs, a claim a row. Text in braces is filled from the row. What is no field of a claim says which rows of
the study it is measured on; ``held`` lists the generations that are compared, the others are drawn.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tailweave.protocols.config.yaml_file import read_yaml
from tailweave.simulation.studies.claims import Claim, Rule

Group = Mapping[str, Any]
_TEXTS = ("section", "quantity", "source", "metric", "note")
_OWN = {"sem", *(field.name for field in fields(Claim))}

read_published = cache(read_yaml)
"""Read such a file, once."""


def published_claims(path: Path) -> list[Claim]:
    """Return every published number of a study, with those that are only drawn."""
    return [_claim(one) for one in rows_of_groups(read_published(path))]


def rows_of_groups(groups: Iterable[Group]) -> Iterator[dict[str, Any]]:
    """Yield one mapping a row: what its group shares, and what the row adds."""
    for group in groups:
        shared = {key: value for key, value in group.items() if key not in ("columns", "rows")}
        for row in group.get("rows", [()]):
            yield shared | dict(zip(group.get("columns", ()), row, strict=True))


def _claim(found: Group) -> Claim:
    at = found.get("at", 0)
    said = {name: str(found.get(name, "")).format(**found) for name in _TEXTS}
    return Claim(
        **said,
        published=found["published"],
        rule=Rule(**found["rule"], sem=found.get("sem", 0.0)),
        where={key: value for key, value in found.items() if key not in _OWN},
        at=tuple(at) if isinstance(at, list) else at,
        held=at in found.get("held", [at]),
    )
