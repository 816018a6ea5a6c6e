# SPDX-License-Identifier: Apache-2.0
"""The page of a study: figures, and published against reproduced; self-contained, without scripts."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from matplotlib.figure import Figure

from tailweave.protocols.kinds.studies.base import StudyKind
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.figures.style import save
from tailweave.simulation.report.layout import Cell, Line, Table
from tailweave.simulation.report.page import inline_svg, templates
from tailweave.simulation.report.wording import MINUS, counted
from tailweave.simulation.studies.claims import Finding
from tailweave.simulation.studies.config import dump_study


def write_page(
    folder: Path, spec: StudyKind, found: Sequence[Finding], figures: Mapping[str, tuple[str, Figure]]
) -> Path:
    """Write ``figures/*.svg`` and ``report.html`` of a study into its folder; return the latter's path."""
    home = folder / "figures"
    home.mkdir(exist_ok=True)
    drawn = [
        (name, caption, inline_svg(save(figure, home / f"{name}.svg"), name))
        for name, (caption, figure) in figures.items()
    ]
    differing = sum(not one.agrees for one in found)
    html = (
        templates()
        .get_template("study.html.md")
        .render(
            title=spec.title,
            facts=[
                counted(len(spec.seeds), "seed"),
                counted(len(found), "published quantity").replace("quantitys", "quantities"),
                f"{len(found) - differing} agree, {differing} differ",
            ],
            leaks=spec.leaks,
            figures=drawn,
            differing=[one for one in found if not one.agrees],
            tables=[
                (title, _table(list(group))) for title, group in groupby(found, lambda f: f.claim.section)
            ],
            config=dump_study(spec),
        )
    )
    path = folder / "report.html"
    write_whole(path, html)
    return path


def _table(found: Sequence[Finding]) -> Table:
    heads = (
        ("published", ""),
        ("ours", "Mean over seeds ± half-width of its 95 % interval."),
        ("verdict", ""),
    )
    notes = list(dict.fromkeys(one.claim.note for one in found if one.claim.note))
    caption = "".join(f"{note}. " for note in notes)
    return Table(caption, "quantity", heads, tuple(_line(one) for one in found))


def _line(found: Finding) -> Line:
    ours, rule = found.ours, found.claim.rule
    digits = 15 if rule.kind == "within" and 0 < rule.size < 1e-6 else 5
    half = "" if ours.half is None else f"± {_shown(ours.half, 2)}"
    cells = (
        _published(found.claim.published, digits),
        Cell(_shown(ours.mean, digits), half, "number"),
        Cell("agrees" if found.agrees else "differs", found.why, "" if found.agrees else "clear"),
    )
    return Line(found.claim.quantity, cells, found.claim.source)


def _published(value: float | str, digits: int) -> Cell:
    return Cell(value) if isinstance(value, str) else Cell(_shown(value, digits), "", "number")


def _shown(value: float, digits: int) -> str:
    """Format with as many significant digits, and a true minus sign."""
    return f"{value:.{digits}g}".replace("-", MINUS)
