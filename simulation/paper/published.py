# SPDX-License-Identifier: Apache-2.0
"""What was published, read from the YAML files beside: numbers are data, and stand in no code.

A file holds groups of claims. A group says once what its claims share; ``columns`` and ``rows`` are what
differs, a claim a row. Text in braces is filled from the row. In the files of studies, what is no field of a
claim says which rows of the study it is measured on; ``held`` lists the generations that are compared, the
others are drawn.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from tailweave.protocols.config.yaml_file import read_yaml
from tailweave.simulation.paper.claims import Claim, Rule
from tailweave.simulation.paper.orders import Order, Pick
from tailweave.simulation.paper.trends import Trend

Group = Mapping[str, Any]
_TEXTS = ("section", "quantity", "source", "metric", "note")
_OWN = {"sem", *(field.name for field in fields(Claim))}


def claims(study: str) -> list[Claim]:
    """Return every published number of a study, with those that are only drawn."""
    return [_claim(one) for one in _rows(_read(study))]


def orders(experiment: str) -> list[Order]:
    """Return every claim on an order that ``configs/paper/EXPERIMENT.yaml`` measures."""
    return [_order(one) for one in _rows(_read("orders")[experiment])]


def trends() -> list[Trend]:
    """Return every claim of arXiv 2410.12341 on the course of a metric."""
    return [
        Trend(**one | {side: _pick(one[side]) for side in ("left", "right") if side in one})
        for one in _rows(_read("trends"))
    ]


def table(metric: str) -> dict[Pick, Any]:
    """Return a column of the paper's headline table: ``frechet`` on three data sets, or ``recall`` on one."""
    return {_pick(arm): value for arm, value in _read("orders")[metric].items()}


@cache
def _read(name: str) -> Any:  # noqa: ANN401 - raw YAML
    return read_yaml(Path(__file__).with_name(f"published_{name}.yaml"))


def _rows(groups: Iterable[Group]) -> Iterator[dict[str, Any]]:
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


def _order(found: Group) -> Order:
    metric, way, called = found["metric"], found["way"], _read("orders")["called"]
    left, right = _pick(found["left"]), found["right"]
    published, note = _numbers(found) or (found["published"], "")
    quantity = found.get("quantity", "{what} of {left} {way} that of {right}").format(
        what="Fréchet" if metric == "frechet" else metric,
        left=called.get(found["left"]),
        rule=left[0],
        kind=left[1],
        way=way,
        right=called.get(right),
    )
    rivals = tuple(map(_pick, right.split(" or ")))
    factor = found.get("factor", 1.0)
    return Order(found["section"], quantity, published, metric, left, way, rivals, factor, note)


def _numbers(found: Group) -> tuple[str, str] | None:
    """Return both arms' published numbers, and what must be noted; None where there are none."""
    whole = _read("orders")
    values, data = whole.get(found["metric"], {}), whole["data"]
    if found["left"] not in values or found["right"] not in values:
        return None
    mine, theirs = values[found["left"]], values[found["right"]]
    if found["metric"] == "recall":
        return f"{data[0]} {mine:.2f} against {theirs:.2f}", whole["recall-note"]
    pairs = list(zip(data, mine, theirs, strict=True))
    against = ", ".join(name for name, a, b in pairs if (a > b) != (found["way"] == "above"))
    note = f"On {against} the published order is the other way round" if against else ""
    return "; ".join(f"{name} {a} against {b}" for name, a, b in pairs), note


def _pick(text: str) -> Pick:
    rule, _, kind = text.partition("/")
    return rule, kind or None
