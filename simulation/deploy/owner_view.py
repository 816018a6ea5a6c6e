# SPDX-License-Identifier: Apache-2.0
"""``tailweave deploy report``: all that a silo's owner may read of a run, told to the server or not."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from tailweave.clients.owner_report import REPORT, reports
from tailweave.protocols.config.load import ConfigError
from tailweave.simulation.deploy.node_settings import load_node
from tailweave.simulation.folded import Column, folded
from tailweave.simulation.report.wording import metric, number

_SHOWN = ("coverage", "frechet", "recall", "memorization", "modes_covered")


def owner_view(folder: Path, run: str | None, width: int) -> Iterator[Table | str]:
    """Yield tables of a run's (else the latest's) arms on this node, and what stopped those that failed.

    Raises:
        ConfigError: If there is no such run here.
    """
    node = load_node(folder)
    state = node.path(node.state_dir)
    found = _run(state, run)
    lines = list(reports(state, found))
    spans = list(_spans(lines))
    fixed = [
        Column("arm", [str(end["arm"]) for _, end in spans], right=False),
        Column("seed", [str(end["seed"]) for _, end in spans]),
        Column("against", [f"{end['against']} rows" for _, end in spans], right=False),
    ]
    told = ["yes" if end["told"] else "no" for _, end in spans]
    columns = [Column(metric(name).title, [_change(*span, name) for span in spans]) for name in _SHOWN]
    title = f"{node.name}: run {found}, first and last generation"
    yield from folded(title, fixed, [*columns, Column("server told", told, right=False)], width)
    kept = {str(end["arm"]): end["seen"][0] for _, end in spans if not end["told"] and end["seen"]}
    for arm, place in kept.items():
        yield f"{arm}: the server is not told where it has seen {place}"
    for line in lines:
        if "failed" in line:
            yield f"arm {line['arm']}, seed {line['seed']}: {line['failed']}"
    yield f"every metric of every generation: {state / found / REPORT}"


def _run(state: Path, wanted: str | None) -> str:
    runs = {path.parent.name: path for path in state.glob(f"*/{REPORT}")}
    if wanted is None and runs:
        return max(runs, key=lambda name: runs[name].stat().st_mtime)
    if wanted not in runs:
        asked = "no run" if wanted is None else f"run {wanted}: not"
        raise ConfigError(f"{state}: {asked} reported here; there are: {', '.join(sorted(runs)) or 'none'}")
    return wanted


def _spans(lines: list[dict[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield the first and last line of each arm, seed and truth, in the order of the reports."""
    spans: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for line in lines:
        if "failed" not in line:
            spans.setdefault((line["arm"], line["seed"], line["against"]), []).append(line)
    yield from ((span[0], span[-1]) for span in spans.values())


def _change(begin: Mapping[str, Any], end: Mapping[str, Any], name: str) -> str:
    if name not in end:
        return "-"
    last = number(end[name], 3)
    return f"{number(begin[name], 3)} → {last}" if name in begin else last
