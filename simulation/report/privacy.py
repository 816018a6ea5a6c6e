# SPDX-License-Identifier: Apache-2.0
"""What the report says about privacy: every arm's promise, whose noise it was, and what masks hide."""

from collections.abc import Mapping, Sequence
from typing import Any

from tailweave.protocols.config.references import RAW_ROW_KINDS, REFERENCES
from tailweave.protocols.config.starts import PARAMETER_LEAK
from tailweave.simulation.arm_privacy import epsilon_families
from tailweave.simulation.arms import ROLES
from tailweave.simulation.figures.style import colour_of
from tailweave.simulation.report.layout import BLANK, Cell, Line, Table
from tailweave.simulation.report.wording import decimals_for, half_width, listed, metric, number

Summary = Mapping[str, Any]
Config = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]

SEEDED = (
    "The privacy noise was drawn from the seeds of the run, so that it repeats: who knows a seed can take "
    "the noise off again. That is for simulation only; a deployment draws it from the operating system."
)
SYSTEM = "Each silo drew its privacy noise from its operating system; nobody can draw it again."
MASKED = (
    "Secure aggregation: the server saw only sums over silos, never one silo's summary. So no silo's summary "
    "could be checked by itself, and one that lies would not be found."
)


def arms(summary: Summary) -> Table:
    """List the arms with what they do, and epsilon, delta and mechanism of what silos release for them."""
    lines = []
    for name, colour in colour_of(list(summary["arms"])).items():
        found = summary["arms"][name]
        apart = "".join(f"; {key}: {value}" for key, value in found.get("generator", {}).items())
        does = Cell(f"{ROLES[found['role']]}{apart}")
        lines.append(Line(name, (does, *_promise(found["privacy"])), "", colour))
    heads = (
        ("what it does", ""),
        ("ε", "Bound on what one row can change in what one silo releases; smaller is more private."),
        ("δ", "Probability with which that bound may fail."),
        ("mechanism", "How the noise is added."),
    )
    return Table("The arms, and the privacy of one silo's summary for each.", "arm", heads, tuple(lines))


def _promise(found: Mapping[str, Any]) -> tuple[Cell, Cell, Cell]:
    if not found["releases"]:
        return BLANK, BLANK, Cell("releases no summary")
    words = found["words"]
    if found["epsilon"] is None:
        return Cell("none", mark="danger"), BLANK, Cell(words, mark="danger")
    delta = BLANK if found["delta"] is None else Cell(f"{found['delta']:g}")
    return Cell(f"{found['epsilon']:g}"), delta, Cell(words)


def unprotected(summary: Summary) -> str | None:
    """Warn of the arms whose summaries leave the silos without differential privacy; None of none."""
    if summary["revealed"]["epsilon"] is not None:
        return None
    promises = {arm: found["privacy"] for arm, found in summary["arms"].items()}
    bare = [arm for arm, promise in promises.items() if promise["releases"] and promise["epsilon"] is None]
    if bare and any(promise["epsilon"] is not None for promise in promises.values()):
        return f"No differential privacy in {listed(bare)}: simulation only."
    return "No differential privacy: simulation only."


def notes(config: Config, wire: Rows) -> list[str]:
    """Say which rows leak, where the noise came from, and what secure aggregation hid from the server."""
    kinds = {row["kind"] for row in wire}
    leaks = [f"Reference {k} {REFERENCES.kinds[k].leaks}." for k in RAW_ROW_KINDS if k in kinds]
    if "fit" in kinds:
        leaks.append(f"FedAvg before generation 0 {PARAMETER_LEAK}.")
    sources = {(row.get("privacy") or {}).get("noise") for row in wire}
    said = leaks + [
        sentence for source, sentence in (("seeded", SEEDED), ("system", SYSTEM)) if source in sources
    ]
    privacy = config.get("privacy") or {}
    if privacy.get("secure-aggregation") or any("masked" in (row["round"], row["kind"]) for row in wire):
        honest = privacy.get("honest-silos")
        shares = (
            f" The ε given holds when at least {honest} silos add their share of the noise." if honest else ""
        )
        said.append(MASKED + shares)
    return said


def summed(summary: Summary) -> list[str]:
    """Say of whom the server saw only a sum, who was left out of it, and how often it had to be tried."""
    said = []
    for event in summary["events"]["summed"]:
        out, tries = event["left-out"] or [], event["attempts"]
        without = f", without {listed(out)}" if out else ""
        again = f"; tried {tries} times" if tries > 1 else ""
        said.append(f"Summed under masks: {listed(event['silos'])}{without}{again}.")
    return list(dict.fromkeys(said))


def retention_in_words(summary: Summary, config: Config) -> str:
    """Say what the figure *retention against epsilon* shows, for those who cannot see it."""
    name = "frechet" if any("frechet" in arm["last"] for arm in summary["arms"].values()) else "coverage"
    ends = {a: found["last"][name] for a, found in summary["arms"].items() if name in found["last"]}
    digits = decimals_for([end["mean"] for end in ends.values()])
    shown = {
        arm: f"{number(end['mean'], digits)} {half_width(end, digits)}".strip() for arm, end in ends.items()
    }
    said = [
        f"ε {'none' if epsilon is None else f'{epsilon:g}'}: {shown[arm]}"
        for family in epsilon_families(config)
        for arm, epsilon in family.items()
        if arm in shown
    ]
    roles = {arm: summary["arms"][arm]["role"] for arm in shown}
    said += [f"{arm}: {shown[arm]}" for arm, role in roles.items() if role in ("siloed", "anchored")]
    return f"{metric(name).title} at the last generation against ε. {listed(said)}."
