# SPDX-License-Identifier: Apache-2.0
"""What there is to choose from, with one line each: read from the code, so it cannot be out of date."""

from collections.abc import Iterator
from pathlib import Path

from tailweave.protocols.config import data, features, references, training
from tailweave.protocols.config.base import first_paragraph
from tailweave.protocols.config.columns import COLUMNS
from tailweave.protocols.config.rules import RULES
from tailweave.protocols.config.yaml_file import ConfigError, parse_yaml, read_text
from tailweave.protocols.kinds.family import Family
from tailweave.protocols.metrics import METRICS
from tailweave.protocols.sorts import SORTS
from tailweave.simulation.chosen import named_configs
from tailweave.simulation.engines import ENGINES
from tailweave.simulation.studies.config import STUDIES


def catalogue(configs: Path | None = None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield sections with their entries: name and one line each.

    Experiments are those that come along, by name, or those in the folder ``configs``, by path; the first
    comment line of each is its description.
    """
    found = named_configs() if configs is None else {str(path): path for path in configs.rglob("*.yaml")}
    yield "configs", [(name, _first_comment(found[name])) for name in sorted(found)]
    yield "data sources", list(_lines(data.SOURCES))
    yield "columns", list(_lines(COLUMNS))
    yield "partitions", list(_lines(data.PARTITIONS))
    yield "features", list(_lines(features.FEATURES))
    yield "generators", list(_lines(training.GENERATORS))
    yield "references", list(_lines(references.REFERENCES))
    yield "rules", list(_lines(RULES))
    yield "metrics", list(_lines(METRICS))
    yield "studies", list(_lines(STUDIES))
    yield "engines", list(ENGINES.items())


def _lines(family: Family) -> Iterator[tuple[str, str]]:
    for kind, spec in family.kinds.items():
        sorts = getattr(spec, "takes", SORTS)
        only = f" [{sorts[0]} only]" if len(sorts) == 1 else ""
        yield kind, first_paragraph(spec).replace("``", "") + only


def _first_comment(path: Path) -> str:
    try:
        text = read_text(path)
        raw = None if text.startswith("#") else parse_yaml(text, f"{path}:")
    except ConfigError:
        return "not an experiment"
    if text.startswith("#"):
        return text.splitlines()[0].lstrip("# ")
    return str(raw.get("name", "")) if isinstance(raw, dict) else "not an experiment"
