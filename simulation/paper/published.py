# SPDX-License-Identifier: Apache-2.0
"""What was published of experiments, read from the YAML files beside; see ``studies.published``."""

from pathlib import Path
from typing import Any

from tailweave.simulation.paper.orders import Order, Pick
from tailweave.simulation.paper.trends import Trend
from tailweave.simulation.studies.published import Group, read_published, rows_of_groups


def orders(experiment: str) -> list[Order]:
    """Return every claim on an order that ``configs/paper/EXPERIMENT.yaml`` measures."""
    return [_order(one) for one in rows_of_groups(_read("orders")[experiment])]


def trends() -> list[Trend]:
    """Return every claim of arXiv 2410.12341 on the course of a metric."""
    return [
        Trend(**one | {side: _pick(one[side]) for side in ("left", "right") if side in one})
        for one in rows_of_groups(_read("trends"))
    ]


def table(metric: str) -> dict[Pick, Any]:
    """Return a column of the paper's headline table: ``frechet`` on three data sets, or ``recall`` on one."""
    return {_pick(arm): value for arm, value in _read("orders")[metric].items()}


def _read(name: str) -> Any:  # noqa: ANN401 - raw YAML
    return read_published(Path(__file__).with_name(f"published_{name}.yaml"))


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
