# SPDX-License-Identifier: Apache-2.0
"""``report.html``: one self-contained page about one run, that works offline and without scripts."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tailweave.protocols.config.yaml_file import read_yaml
from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.figures.draw import draw_figures
from tailweave.simulation.figures.style import GRID, INK, MUTED, PAPER
from tailweave.simulation.open_run import OpenRun
from tailweave.simulation.report import privacy, reading, tables
from tailweave.simulation.report.absences import absences
from tailweave.simulation.report.headline import answers
from tailweave.simulation.report.lost import kept_by_silo, lost
from tailweave.simulation.report.wording import (
    counted,
    listed,
    owners_alone,
    percent,
    shown_metrics,
)

_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", PAPER: "paper"}


def write_report(run: OpenRun) -> Path:
    """Replace ``figures/`` and ``report.html`` of a run, and return the latter's path.

    Raises:
        ValueError: If the folder is incomplete or a row in it is broken.
    """
    summary, config = run.summary, run.config
    drawn = {path.stem: inline_svg(path, path.stem) for path in draw_figures(run)}
    told_of = read_yaml(Path(__file__).with_name("figures.yaml")).items()
    notes = (base_note(config), space_note(config), truth_note(config, run.made))
    rivals = dict.fromkeys(rival for arm in summary["arms"].values() for rival in arm["paired"])
    had = {name for arm in summary["arms"].values() for name in arm["last"]}
    others = [name for name, one in shown_metrics().items() if one.role == "other" and name in had]
    by_silo = (
        ("Metrics", tables.per_silo(summary)),
        ("Mode shares", tables.mode_shares(summary)),
        ("Rare levels", kept_by_silo(summary)),
    )
    html = (
        templates()
        .get_template("report.html.md")
        .render(
            summary=summary,
            facts=facts(summary, config),
            base=" ".join(filter(None, notes)),
            answers=answers(summary),
            paper=bool(config.get("paper")),
            arms=privacy.arms(summary),
            unprotected=privacy.unprotected(summary),
            summed=privacy.summed(summary),
            kept=owners_alone(summary["events"]["kept"]),
            privacy_notes=privacy.notes(config, run.wire),
            results=tables.results(summary),
            lost=lost(summary),
            comparisons=[(rival, t) for rival in rivals if (t := tables.differences(summary, rival))],
            retention=tables.retention(summary),
            others=tables.results(summary, others) if others else None,
            absences=absences(summary),
            silos=[(title, t) for title, t in by_silo if t],
            sent=[tables.messages(summary), tables.sent_by_silo(summary)],
            figures=[
                (name, told["title"], told["caption"], drawn[name]) for name, told in told_of if name in drawn
            ],
            alt={name: told["title"] for name, told in told_of}
            | {"retention": privacy.retention_in_words(summary, config)},
            sheets=reading.sheets(run.folder.texts(), run.table.arms),
            reading=reading.caption(config),
            made=sorted(flat(run.made).items()),
            config=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        )
    )
    path = run.folder.path / "report.html"
    write_whole(path, html)
    return path


def templates() -> Environment:
    """Return the templates; every value put into a page is escaped, and an unknown one is an error.

    They are HTML, but end in ``.md``: of the suffixes that Flower packs into an app's bundle the nearest.
    """
    return Environment(
        loader=PackageLoader("tailweave.simulation", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def inline_svg(path: Path, prefix: str) -> Markup:
    """Return a figure that ``style.save`` wrote as an element in the page's light or dark colours.

    ``prefix`` stands before every id, so that figures on one page do not share ids.
    """
    svg = path.read_text(encoding="utf-8")
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    # As wide as the page, but a small figure is not blown up: its letters would be larger than the page's.
    sized = r'<svg role="img" style="max-width: calc(1.3 * \2)" \1'
    svg = re.sub(r'<svg ([^>]*?)width="([0-9.]+pt)" height="[^"]*"', sized, svg, count=1)
    svg = re.sub(r"(\bid=\"|url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return Markup(svg)


def facts(summary: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """Return the size of the run in a few words each."""
    recursion, data = config.get("recursion") or {}, config.get("data") or {}
    found = [
        counted(len(summary["arms"]), "arm"),
        _silos(summary, config),
        counted(len(summary["seeds"]), "seed"),
        counted(summary["generations"], "generation"),
    ]
    if "samples" in recursion and "candidates-per-sample" in recursion:
        offered = round(recursion["samples"] * recursion["candidates-per-sample"])
        found.append(f"{recursion['samples']:,} of {offered:,} candidates kept")
    if "source" in data:
        found.append(f"data: {data['source']}")
    if "kind" in (config.get("generator") or {}):
        found.append(f"generator: {config['generator']['kind']}")
    if "run" in summary:
        found.append(f"run: {summary['run']}")
    return found


def _silos(summary: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Count the silos; of some, the generator is not followed, but they contribute to the reference."""
    measured = len(summary["silos"])
    silos = config.get("silos") or {}
    count = int(silos.get("count", measured))
    what = "followed" if silos.get("follow") and not silos.get("sample") else "measured"
    return f"{measured} of {counted(count, 'silo')} {what}" if measured < count else counted(measured, "silo")


def base_note(config: Mapping[str, Any]) -> str:
    """Say what the generators started from, for a base that has seen the truth flatters every arm."""
    start = (config.get("generator") or {}).get("start", "shared")
    if start == "local":
        return "Each silo's generator was first fitted on the silo's own rows."
    if start == "federated":
        return (
            "All arms start from one generator that the silos fitted together, by FedAvg over all their rows."
        )
    if isinstance(start, Mapping):
        name = Path(start["path"]).name
        return f"All arms start from one base generator, in a file that each node has: {name}."
    if start != "shared":
        return f"Generators started from: {start}."
    public = config.get("public") or {}
    fraction, weights = public.get("fraction", 1.0), public.get("class-weights") or {}
    levels = sorted({weight for weight in weights.values() if weight < 1})
    thin = [
        f"{listed([str(label) for label, w in weights.items() if w == weight])} to {percent(weight)}"
        for weight in levels
    ]
    text = (
        "All arms start from one public base generator, fitted on "
        f"{percent(fraction)} of the truth's training rows"
    )
    if thin:
        return f"{text}, with classes thinned ({'; '.join(thin)} of their rows): it is biased on purpose."
    if fraction == 1:
        return f"{text}, unbiased: this run can show what is kept, not what a biased base gets back."
    return f"{text}, in the truth's own proportions. It is a share of the truth, not somebody else's data."


def space_note(config: Mapping[str, Any]) -> str:
    """Warn where rules select by the very encoder that measures them; empty where there is nothing to say."""
    features = config.get("features") or {}
    measured = (config.get("evaluation") or {}).get("features") or features
    if features.get("kind") != "encoder" or features.get("model") != measured.get("model"):
        return ""
    return (
        f"Warning: selection and evaluation share one encoder ({features.get('model')}). A rule can look "
        "good in the very space in which it selects; set evaluation.features to another encoder."
    )


def truth_note(config: Mapping[str, Any], made: Mapping[str, Any]) -> str:
    """Say what real silos measured against, for among its own rows a silo misses nothing; else empty."""
    if made.get("engine") != "superlink":
        return ""
    if (config.get("evaluation") or {}).get("against") == "data":
        return "Silos with data of their own measured against the held-out rows of the server's public data."
    return (
        "Silos with data of their own measured against their own held-out rows, as their owners allowed; "
        "among these nothing is that they have never seen: the siloed arm looks better here than it is."
    )


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Flatten nested mappings to dotted keys and text."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{name}.")
        else:
            found[name] = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return found
