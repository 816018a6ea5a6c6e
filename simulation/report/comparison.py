# SPDX-License-Identifier: Apache-2.0
"""Several runs side by side on one page: what differs between them, their tables and their curves."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.figures.curves import draw_curves
from tailweave.simulation.figures.style import save
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.report.layout import Cell, Line, Table
from tailweave.simulation.report.page import base_note, facts, flat, inline_svg, templates
from tailweave.simulation.report.tables import results
from tailweave.simulation.report.wording import EN_DASH, as_declared
from tailweave.simulation.run_folder import RunFolder


def write_comparison(folders: Sequence[RunFolder], out: Path) -> Path:
    """Write one page about several runs, which are only read, and return its path ``out``.

    Raises:
        ValueError: If there are fewer than two folders, or one is incomplete or broken.
    """
    if len(folders) < 2:
        raise ValueError(f"folders must hold at least two runs to compare, got {len(folders)}")
    runs = [OpenRun(folder) for folder in folders]
    parts = [_part(run, f"run{number}") for number, run in enumerate(runs, start=1)]
    changed = _changed([part["title"] for part in parts], [run.config for run in runs])
    html = templates().get_template("comparison.html.md").render(runs=parts, changed=changed)
    write_whole(out, html)
    return out


def _part(run: OpenRun, prefix: str) -> dict[str, Any]:
    summary = run.summary
    with as_declared(run.folder.declared()):
        return {
            "title": run.folder.path.resolve().name,
            "name": summary["name"],
            "facts": facts(summary, run.config),
            "base": base_note(run.config),
            "results": results(summary),
            "curves": _curves(run, prefix),
            "private": summary["revealed"]["epsilon"] is not None,
        }


def _curves(run: OpenRun, prefix: str) -> Markup | None:
    figure = draw_curves(run.table)
    if figure is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        return inline_svg(save(figure, Path(scratch) / "curves.svg"), prefix)


def _changed(titles: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> Table | None:
    """Return the configuration keys whose values are not the same in all runs."""
    flats = [flat({**config, "arms": _by_name(config)}) for config in configs]
    keys = list(dict.fromkeys(key for one in flats for key in one))
    differ = [key for key in keys if len({one.get(key) for one in flats}) > 1]
    lines = [Line(key, tuple(Cell(one.get(key, EN_DASH)) for one in flats)) for key in differ]
    heads = tuple((title, "") for title in titles)
    return Table("Configuration keys that differ.", "key", heads, tuple(lines)) if lines else None


def _by_name(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(arm["name"]): {k: v for k, v in arm.items() if k != "name"} for arm in config.get("arms") or []
    }
