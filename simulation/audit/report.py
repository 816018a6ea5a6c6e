# SPDX-License-Identifier: Apache-2.0
"""What an audit leaves behind: ``audit.html``, one self-contained page, and ``audit.json``."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader

from tailweave.protocols.whole_file import write_whole
from tailweave.simulation.audit.document import document
from tailweave.simulation.audit.findings import WHOLE, Attack, AuditResult, Finding
from tailweave.simulation.audit.recovered import CLOSE, EXACT
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.page import templates
from tailweave.simulation.report.wording import listed, number
from tailweave.simulation.run_folder import write_json

ROLES = {
    "as configured": "What this config sends",
    "as recorded": "What this run sent",
    "at the doors": "What free questions and foreign code get from a silo under its default policy",
    "doors open": "For comparison: the same doors, opened",
    "for comparison": "The same references at another epsilon, for comparison",
    "published": "For comparison: the published protocols on the same rows",
}
UNPRICED = ("at the doors", "doors open", "published")
"""Roles of which an epsilon says nothing: free questions cost none."""
_RECOVERED = "Rows recovered of rows attacked; below, exactly recovered."
COLOURS = {"broken": "var(--red)", "holds": "var(--accent)"}


def write_audit(result: AuditResult, folder: Path) -> Path:
    """Write ``audit.json`` and ``audit.html`` into a folder that is there; return the page's path."""
    write_json(folder / "audit.json", document(result))
    page = folder / "audit.html"
    html = (
        _templates()
        .get_template("audit.html.md")
        .render(
            result=result,
            headline=headline(result),
            sentences=sentences(result),
            groups=[(title, table(found)) for title, found in _groups(result)],
            breaches=[(finding, finding.breaches) for finding in result.findings if finding.breaches],
            readable=readable(result),
            kept=kept(result),
            open=any(f.epsilon is None for f in _own(result)),
            exact=f"{1 / EXACT:,.0f}",
            close=f"{100 * CLOSE:g} %",
        )
    )
    write_whole(page, html)
    return page


def headline(result: AuditResult) -> str:
    """Return the answer in a few words."""
    if result.broken:
        return "A promise is broken"
    own = _own(result)
    if not own:
        return "Nothing leaves the silos but metrics"
    without = sum(f.epsilon is None for f in own)
    missing = sum(f.verdict == "not attacked" for f in own)
    if without == len(own):
        said = ["No privacy guarantee is claimed"]
    elif missing == len(own):
        return "Nothing was recorded that could be attacked"
    else:
        said = ["All promises held"]
        said += [f"{without} of {len(own)} releases claim no privacy"] * (without > 0)
    return "; ".join([*said, *[f"{missing} of {len(own)} releases were not attacked"] * (missing > 0)])


def readable(result: AuditResult) -> str:
    """Say in a few words by which attacks rows can be read out of what this config or run sends."""
    names = dict.fromkeys(a.name for f in _promising(result) for a in f.attacks if a.recovery.succeeded)
    return f"Yes, by {listed(list(names))}" if names else "No row was recovered"


def sentences(result: AuditResult) -> list[str]:
    """Say what was recovered, one sentence for each protocol."""
    said = []
    for f in result.findings:
        epsilon = "without noise" if f.epsilon is None else f"at ε = {f.epsilon:g}"
        where = f.protocol if f.role in UNPRICED else f"{f.protocol}, {epsilon}"
        found = [(a.name, a.recovery) for a in f.attacks]
        some = listed([f"{r.close:,} of {r.rows:,} rows by {name}" for name, r in found if r.close])
        none = listed([name for name, r in found if not r.close])
        parts = [some] * (some != "none") + [f"no row by {none}"] * (none != "none")
        said.append(f"{where}: {'; '.join(parts) or 'not attacked'}.")
    return said


def kept(result: AuditResult) -> list[str]:
    """Return the promises that were looked up and found kept, each once."""
    looked_up = [p for f in _promising(result) for p in f.promises]
    held, lost = ([p.text for p in looked_up if p.kept is kept] for kept in (True, False))
    return [text for text in dict.fromkeys(held) if text not in lost]


def table(findings: Sequence[Finding]) -> Table:
    """Lay findings out: one line each, attacks in columns; columns that are empty throughout are left out."""
    attack_heads, attacks = _attacks(findings)
    heads = [
        ("verdict", ""),
        ("ε claimed", "Privacy cost of one release, for one row added or removed."),
        ("ε shown", "At least this much, as far as the canary attack shows."),
        *attack_heads,
        ("membership AUC", "0.5 is guessing; below, the most that theory allows with this noise."),
        (
            "TPR at 1\u00a0%",
            "Members found while one non-member in 100 is accused; below, the ceiling.",
        ),
        (
            "level guessed",
            "Right guesses of a category of an added row; the one that comes nearest to its ceiling.",
        ),
    ]
    cells = [
        (_verdict(f), *_epsilon(f), *found, *_membership(f), _guessed(f))
        for f, found in zip(findings, attacks, strict=True)
    ]
    used = [i for i in range(len(heads)) if any(line[i] != BLANK for line in cells)]
    lines = [
        Line(
            f.protocol,
            tuple(line[i] for i in used),
            ": ".join(filter(None, (", ".join(f.arms), f.note))),
            COLOURS.get(f.verdict, "var(--muted)"),
        )
        for f, line in zip(findings, cells, strict=True)
    ]
    caption = "Rows recovered, membership and epsilon. Bold: more rows than chance explains."
    return Table(caption, "protocol", tuple(heads[i] for i in used), tuple(lines))


def _attacks(findings: Sequence[Finding]) -> tuple[list[tuple[str, str]], list[tuple[Cell, ...]]]:
    """One column an attack; where every protocol has an attack of its own, the attack is named in a cell."""
    names = list(dict.fromkeys(a.name for f in findings for a in f.attacks))
    if len(names) > 1 and all(len(f.attacks) == 1 for f in findings):
        heads = [("attack", ""), ("rows recovered", _RECOVERED)]
        return heads, [(Cell(f.attacks[0].name), _recovery(f, f.attacks[0].name)) for f in findings]
    return [(name, _RECOVERED) for name in names], [
        tuple(_recovery(f, name) for name in names) for f in findings
    ]


def _verdict(finding: Finding) -> Cell:
    first, _, rest = finding.verdict.partition("; ")
    return Cell(first, rest, "clear")


def _recovery(finding: Finding, name: str) -> Cell:
    attack: Attack | None = next((a for a in finding.attacks if a.name == name), None)
    if attack is None:
        return BLANK
    found = attack.recovery
    return Cell(
        f"{found.close:,} of {found.rows:,}", f"{found.exact:,} exactly", "clear" if found.succeeded else ""
    )


def _membership(finding: Finding) -> tuple[Cell, Cell]:
    game = finding.membership
    if game is None:
        return BLANK, BLANK
    return (
        Cell(f"{number(game.auc, 3)} ± {number(game.auc_se, 3)}", _ceiling(finding.auc_ceiling)),
        Cell(number(game.tpr, 3), _ceiling(finding.tpr_ceiling)),
    )


def _guessed(finding: Finding) -> Cell:
    if not finding.guesses:
        return BLANK
    worst = max(
        finding.guesses, key=lambda guess: guess.share - (finding.guess_ceiling(guess) or guess.chance)
    )
    return Cell(f"{worst.column} {number(worst.share, 3)}", _ceiling(finding.guess_ceiling(worst)))


def _ceiling(value: float | None) -> str:
    return "no ceiling" if value is None else f"ceiling {number(value, 3)}"


def _epsilon(finding: Finding) -> tuple[Cell, Cell]:
    canary = finding.canary
    if finding.epsilon is None:
        return (BLANK if finding.role in UNPRICED else Cell("none")), BLANK
    if canary is None:
        return Cell(f"{finding.epsilon:g}"), BLANK
    bound = number(canary.epsilon_bound(finding.delta), 2)
    seen = f"{canary.runs:,} runs" if canary.saw == WHOLE else "by the last look"
    return Cell(f"{finding.epsilon:g}"), Cell(f"≥ {bound}", seen)


def _own(result: AuditResult) -> list[Finding]:
    return [finding for finding in result.findings if finding.role in ("as configured", "as recorded")]


def _promising(result: AuditResult) -> list[Finding]:
    """Return what is sent, and what anybody may ask: all that a silo's owner must stand for."""
    return [*_own(result), *(finding for finding in result.findings if finding.role == "at the doors")]


def _groups(result: AuditResult) -> Iterator[tuple[str, list[Finding]]]:
    """Yield one table's title and findings each; references that hand out rows have attacks of their own."""
    for role, title in ROLES.items():
        for raw in (False, True):
            found = [f for f in result.findings if f.role == role and f.hands_out_rows is raw]
            if found:
                yield f"{title}: references that hand out rows" if raw else title, found


def _templates() -> Environment:
    """Return the report's templates with this package's beside them."""
    environment = templates()
    environment.loader = ChoiceLoader(
        [PackageLoader("tailweave.simulation", "audit"), PackageLoader("tailweave.simulation", "report")]
    )
    return environment
