# SPDX-License-Identifier: Apache-2.0
"""``published.html``: published against reproduced, for a run of one of the paper's experiments."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.figure import Figure

from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.figures.style import save
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.paper.causes import by_cause, in_short, with_causes
from tailweave.simulation.paper.crossing import TITLES, Crossing, same_picks, sentences, spread
from tailweave.simulation.paper.dots import draw_arms, draw_crossing
from tailweave.simulation.paper.orders import Arms, OrderFinding, Pick, order_findings
from tailweave.simulation.paper.published import orders, table
from tailweave.simulation.paper.trend_page import FIGURE, of_trends
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.page import base_note, facts, inline_svg, templates
from tailweave.simulation.report.wording import ARROWS, counted, metric, number
from tailweave.simulation.run_folder import write_json

PAGE = "published.html"
_TITLES = {
    "biased-verification": "Biased verification, published against reproduced",
    "crossed": "Rule × reference, published against reproduced",
    "concentration": "Concentration of language, published against reproduced",
}
_DATA = (
    "Published distances are of photographs and a diffusion model, ours of other data and another generator: "
    "values do not compare, orders and ratios do."
)


def write_published(run: OpenRun) -> Path | None:
    """Write ``published.html`` and ``published.json`` of a run, if its configuration has a key ``paper``.

    Returns the path of the page, None for any other run.

    Raises:
        ValueError: If the folder is incomplete or a row in it is broken.
    """
    config, folder = run.config, run.folder
    which = config.get("paper")
    if which is None:
        return None
    parts, found = of_trends(run) if which == "concentration" else _of_orders(run, which)
    head = {"title": _TITLES[which], "facts": facts(run.summary, config), "base": base_note(config)}
    figures = _figures(run, which)
    html = templates().get_template("published.html.md").render(**head, **parts, figures=figures)
    write_json(folder.path / "published.json", [one.as_json() for one in found])
    path = folder.path / PAGE
    write_whole(path, html)
    return path


def _of_orders(run: OpenRun, which: str) -> tuple[dict[str, Any], list[OrderFinding]]:
    """Return the page's parts, but for its head and figures, and all findings."""
    arms = Arms.of(run.table, run.config)
    found = with_causes(order_findings(orders(which), arms), arms, run.config)
    crossing = Crossing.of(arms)
    crossed = which == "crossed"
    parts = {
        "short": [*(sentences(crossing) if crossed else []), *in_short(found, arms)],
        "remark": _DATA,
        "differing": [(one.order.quantity, _in_words(one)) for one in found if one.verdict == "differs"],
        "causes": by_cause(found),
        "undecided": [(one.order.quantity, _in_words(one)) for one in found if one.verdict == "open"],
        "overview": ("Rule by reference", _crossed(crossing) if crossed else _by_rule(crossing)),
        "headline": None if crossed else _headline(arms),
        "tables": [(name, _claims(list(group), arms)) for name, group in groupby(found, _section)],
    }
    return parts, found


def _in_words(found: OrderFinding) -> str:
    return f"{found.left.mean:.3f} against {found.right.mean:.3f}: it {found.why}."


def _section(found: OrderFinding) -> str:
    return found.order.section


def _figures(run: OpenRun, which: str) -> list[tuple[str, Markup]]:
    arms = Arms.of(run.table, run.config)
    last = "at the last generation: mean over seeds and its 95 % interval. Dashed: random selection."
    figure: Figure | None
    if which == "concentration":
        text, name, draw = FIGURE
        figure = draw(run.table)
    elif which == "crossed":
        text, name = f"Every rule on every reference {last}", "rules-by-reference"
        figure = draw_crossing(Crossing.of(arms))
    else:
        text, name, figure = f"Every arm {last}", "arms", draw_arms(arms)
    if figure is None:
        return []
    home = run.folder.path / "figures"
    home.mkdir(exist_ok=True)
    return [(text, inline_svg(save(figure, home / f"{name}.svg"), name))]


def _claims(found: Sequence[OrderFinding], arms: Arms) -> Table:
    heads = (
        ("published", ""),
        ("ours", "Mean over seeds ± half-width of its 95 % interval."),
        ("against", ""),
        ("ratio", ""),
        (
            "verdict",
            "Agrees or differs where the 95 % interval of the difference, paired by seed, leaves out 0.",
        ),
    )
    notes = dict.fromkeys(one.order.note for one in found if one.order.note)
    return Table(
        " ".join(f"{note}." for note in notes), "claim", heads, tuple(_line(one, arms) for one in found)
    )


def _line(found: OrderFinding, arms: Arms) -> Line:
    rival = arms.names[found.rival]
    several = f", {rival}" if len(found.order.right) > 1 else ""
    cells = (
        Cell(found.order.published),
        Cell(number(found.left.mean, 3), spread(found.left), "number"),
        Cell(number(found.right.mean, 3), f"{spread(found.right)}{several}", "number"),
        Cell("–" if found.ratio is None else f"× {number(found.ratio)}", "", "number"),
        Cell(found.verdict, found.why, "clear" if found.verdict == "differs" else ""),
    )
    return Line(found.order.quantity, cells)


def _estimate(arms: Arms, pick: Pick, name: str) -> Cell:
    end = arms.end(pick, name)
    return BLANK if end is None else Cell(number(end.mean, 3), spread(end))


def _by_rule(crossing: Crossing) -> Table:
    """Each rule on own rows and with the truth; what compares with nothing stands alone."""
    arms, names = crossing.arms, ("coverage", "frechet", "recall")
    sides: tuple[tuple[str | None, str], ...] = (("local", "own rows"), ("oracle", "the truth"))
    heads = tuple((f"{_head(name)}, {side}", metric(name).meaning) for name in names for _, side in sides)
    lines = []
    for rule in dict.fromkeys(rule for rule, kind in arms.names if kind in (None, "local", "oracle")):
        alone = (rule, None) in arms.names
        cells = [
            _estimate(arms, (rule, None if alone else kind), name) for name in names for kind, _ in sides
        ]
        if alone:
            cells = [cell if place % 2 == 0 else BLANK for place, cell in enumerate(cells)]
        lines.append(Line(rule, tuple(cells), "compares with nothing" if alone else ""))
    caption = (
        "The same rule with the silo's own rows as reference, and with the truth: what the second column "
        "gains is the reference's part of the collapse. Mean ± half-width of the 95 % interval over seeds."
    )
    return Table(caption, "rule", heads, tuple(lines))


def _crossed(crossing: Crossing) -> Table:
    arms = crossing.arms
    lines = [
        Line(
            f"{rule}, {metric(name).title}{ARROWS[metric(name).better]}",
            tuple(_estimate(arms, (rule, kind), name) for kind in crossing.references),
        )
        for name in ("coverage", "frechet")
        for rule in crossing.rules
    ]
    random = [
        f"{metric(n).title} {number(e.mean, 3)} {spread(e)}"
        for n in ("coverage", "frechet")
        if (e := arms.end(("random", None), n))
    ]
    caption = (
        f"Mean ± half-width of the 95 % interval over seeds, a column a reference. Random selection, which "
        f"has none: {', '.join(random) or 'not run'}. {same_picks(crossing.rules, crossing.references)}"
    )
    heads = tuple((TITLES.get(kind, kind), "") for kind in crossing.references)
    return Table(caption, "rule", heads, tuple(lines))


def _headline(arms: Arms) -> Table | None:
    """The paper's own table beside ours, and how many of its pairs stand in the same order."""
    distances, recalls = table("frechet"), table("recall")
    picks = [pick for pick in distances if pick in arms.names]
    if len(picks) < 2:
        return None
    heads = (
        ("published FID", "CIFAR-10, STL-10, CelebA; lower is better."),
        (f"our {_head('frechet')}", metric("frechet").meaning),
        ("published recall", "CIFAR-10; higher is better."),
        (f"our {_head('recall')}", metric("recall").meaning),
        (f"our {_head('coverage')}", metric("coverage").meaning),
    )
    lines = tuple(
        Line(
            arms.names[pick],
            (
                Cell(" / ".join(map(str, distances[pick]))),
                _estimate(arms, pick, "frechet"),
                Cell(f"{recalls[pick]:.2f}"),
                _estimate(arms, pick, "recall"),
                _estimate(arms, pick, "coverage"),
            ),
        )
        for pick in picks
    )
    pairs = [(a, b) for i, a in enumerate(picks) for b in picks[i + 1 :]]
    ends = {pick: end.mean for pick in picks if (end := arms.end(pick, "frechet")) is not None}
    same = sum(
        a in ends and b in ends and (ends[a] < ends[b]) == (distances[a][0] < distances[b][0])
        for a, b in pairs
    )
    caption = (
        f"The paper's table (FID on CIFAR-10 / STL-10 / CelebA) beside ours. By Fréchet distance, {same} of "
        f"its {counted(len(pairs), 'pair')} of methods stand here in the order of CIFAR-10."
    )
    return Table(caption, "method", heads, lines)


def _head(name: str) -> str:
    return metric(name).title + ARROWS[metric(name).better]
