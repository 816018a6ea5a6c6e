# SPDX-License-Identifier: Apache-2.0
"""Which rare levels of a table's columns, and which pairs of them, each arm has lost."""

from collections.abc import Mapping
from typing import Any

from tailweave.clients.metrics.table.rare import LOST
from tailweave.simulation.figures.style import colour_of
from tailweave.simulation.report.by_silo import corner, silo_caption, silo_lines
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.wording import counted, percent

Summary = Mapping[str, Any]
LEVELS, PAIRS = "level_kept/", "pair_kept/"
_NAMED = 12
_HEADS = (
    ("levels lost in the mean", "Less than a tenth of the true share, mean over seeds and silos."),
    ("levels lost on some silo", "Less than a tenth of the true share there, mean over seeds."),
    ("level with least", "Share kept, of the true one; 100 % is nothing lost."),
    ("pairs lost in the mean", "As for levels, of the 20 rarest pairs."),
)


def lost(summary: Summary) -> Table | None:
    """Name what each arm has lost at the last generation; None where no rare level was measured."""
    names = _names(summary, LEVELS) + _names(summary, PAIRS)
    if not names:
        return None
    lines = []
    for arm, colour in colour_of(list(summary["arms"])).items():
        found = summary["arms"][arm]
        lines.append(Line(arm, _cells(found), "", colour))
    caption = (
        f"{counted(len(_names(summary, LEVELS)), 'rare level')} and "
        f"{counted(len(_names(summary, PAIRS)), 'rare pair')} of levels at the last generation."
    )
    return Table(caption, "arm", _HEADS, tuple(lines))


def kept_by_silo(summary: Summary) -> Table | None:
    """Return what every silo has kept of each rare level, of its true share; None without rare levels."""
    names = _names(summary, LEVELS)
    if not names:
        return None
    few = "Share of each rare level on every silo, of its true share, means over seeds."
    said = silo_caption(summary, few, "share of each rare level, of its true share")
    lines = silo_lines(summary, names, lambda _, value: percent(value))
    return Table(said, corner(summary), tuple((name.removeprefix(LEVELS), "") for name in names), lines)


def _cells(arm: Mapping[str, Any]) -> tuple[Cell, ...]:
    levels = {name.removeprefix(LEVELS): one["mean"] for name, one in _of(arm["last"], LEVELS)}
    pairs = {name.removeprefix(PAIRS): one["mean"] for name, one in _of(arm["last"], PAIRS)}
    in_mean = [name for name, kept in levels.items() if kept < LOST]
    somewhere = {
        name.removeprefix(LEVELS): None
        for means in arm["silos"].values()
        for name, kept in _of(means, LEVELS)
        if kept < LOST
    }
    least = min(levels, key=lambda name: levels[name], default=None)
    return (
        _listed(in_mean) if levels else BLANK,
        _listed([name for name in somewhere if name not in in_mean]) if levels else BLANK,
        BLANK if least is None else Cell(f"{least}: {percent(levels[least])}"),
        _listed([name for name, kept in pairs.items() if kept < LOST]) if pairs else BLANK,
    )


def _of(found: Mapping[str, Any], prefix: str) -> list[tuple[str, Any]]:
    return sorted((name, value) for name, value in found.items() if name.startswith(prefix))


def _names(summary: Summary, prefix: str) -> list[str]:
    return sorted({name for arm in summary["arms"].values() for name, _ in _of(arm["last"], prefix)})


def _listed(names: list[str]) -> Cell:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return Cell(", ".join(names[:_NAMED]).replace("&", " & ") + more if names else "none")
