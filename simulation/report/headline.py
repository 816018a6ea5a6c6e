# SPDX-License-Identifier: Apache-2.0
"""The first screen: four questions, answered in plain words with numbers of the summary."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tailweave.protocols.config.references import RAW_ROW_KINDS
from tailweave.simulation.arms import Arm, first_of
from tailweave.simulation.report.privacy import unprotected
from tailweave.simulation.report.rarest import rests_on
from tailweave.simulation.report.wording import counted, listed, metric, number, percent, size

Summary = Mapping[str, Any]
OF_ITS_SORT: Mapping[str, str] = {
    "perplexity_unseen": "perplexity on groups that the silo never saw",
    "picked_distance": "distance of picked group shares from the truth",
    "group_distance": "distance of group shares from the truth",
    "rarest_level_ratio": "share kept of the rarest level, of its true one",
    "minority_recall": "recall of classes that the silo has few labels of",
    "accuracy": "accuracy",
}
"""Collaboration on text and on labels is judged by all of these that both arms have, the first in the
headline."""
COMPARED_BY = ("coverage", "recall", "frechet", "w2_sq", "energy_distance")
"""Otherwise it is judged by the first of these that both arms have."""
NAMED = 3
"""Arms that a headline names; of more it names two."""


@dataclass(frozen=True)
class Answer:
    """One card of the first screen.

    Attributes:
        question: The question.
        short: The answer in a few words.
        sentences: What it rests on.
        warning: Something that must not be overlooked.
    """

    question: str
    short: str
    sentences: tuple[str, ...]
    warning: str | None = None


def answers(summary: Summary) -> tuple[Answer, ...]:
    """Answer who collapsed, how fast, what collaborating saved, and what was revealed, or why not."""
    saved = what_was_saved(summary)
    saved = replace(saved, sentences=(*saved.sentences, *rests_on(summary)))
    return who(summary), how_fast(summary), saved, what_was_revealed(summary)


def _mean(summary: Summary, arm: str, name: str, when: str = "last") -> float | None:
    found = summary["arms"][arm][when].get(name)
    return None if found is None else float(found["mean"])


def _half_lives(summary: Summary) -> dict[str, int]:
    lives = {arm: found["collapse"]["half_life"] for arm, found in summary["arms"].items()}
    return dict(sorted(((arm, g) for arm, g in lives.items() if g is not None), key=lambda pair: pair[1]))


def _judged(summary: Summary) -> list[str]:
    arms = summary["arms"]
    return [arm for arm in arms if all("coverage" in arms[arm][when] for when in ("first", "last"))]


def who(summary: Summary) -> Answer:
    """Say which arms fell below half of the coverage they began with."""
    question, judged, fallen = "Who collapsed?", _judged(summary), _half_lives(summary)
    within = f"within {counted(summary['generations'], 'generation')}"
    if not judged:
        return Answer(
            question, "not measured", ("Coverage was not measured from generation 0 on.", *_narrowed(summary))
        )
    moved = {
        arm: f"{arm} {number(start)} → {number(end)}"
        for arm in judged
        if (start := _mean(summary, arm, "coverage", "first")) is not None
        and (end := _mean(summary, arm, "coverage")) is not None
    }
    kept = [moved[arm] for arm in judged if arm not in fallen]
    rest = f"Not so: {listed(kept)}." if kept else "No arm was spared."
    if not fallen:
        none = f"No arm lost half of its coverage of the truth {within}."
        return Answer(question, "no arm", (none, rest, *_narrowed(summary)))
    count, names = f"{len(fallen)} of {counted(len(judged), 'arm')}", listed([moved[arm] for arm in fallen])
    lost = f"{count} fell below half of the coverage at the start, {within}: {names}."
    return Answer(question, _named(list(fallen), len(judged)), (lost, rest, *_narrowed(summary)))


def _narrowed(summary: Summary) -> list[str]:
    """Say, of language models, whose next tokens became most predictable."""
    rises = {}
    for name in summary["arms"]:
        start, end = (_mean(summary, name, "top10_mass", when) for when in ("first", "last"))
        if start is not None and end is not None:
            rises[name] = (end - start, start, end)
    if not rises:
        return []
    arm, (rise, start, end) = max(rises.items(), key=lambda item: item[1])
    text = "Mass of the ten likeliest next tokens rose"
    return [
        f"{text} most with {arm}: {number(start, 3)} → {number(end, 3)}."
        if rise > 0
        else f"{text} in no arm."
    ]


def _named(arms: Sequence[str], judged: int) -> str:
    """Name the arms, as many as a headline holds; those that fell first come first."""
    if len(arms) <= NAMED:
        return listed(arms)
    return f"all {judged} arms" if len(arms) == judged else f"{arms[0]}, {arms[1]} and {len(arms) - 2} more"


def how_fast(summary: Summary) -> Answer:
    """Say at which generation each collapsed arm had lost half of its coverage."""
    question, fallen = "How fast?", _half_lives(summary)
    if not _judged(summary):
        return Answer(question, "not measured", ("Without coverage there is no half-life.",))
    if not fallen:
        reached = counted(summary["generations"], "generation")
        return Answer(question, "not yet", (f"After {reached} every arm holds half of its start or more.",))
    when = [f"{arm} at generation {g}" for arm, g in fallen.items()]
    spared = len(_judged(summary)) - len(fallen)
    rest = f"The other {counted(spared, 'arm')} never got there." if spared else "Every arm got there."
    first = min(fallen.values())
    return Answer(question, f"in {counted(first, 'generation')}", (f"Half is lost by {listed(when)}.", rest))


def what_was_saved(summary: Summary) -> Answer:
    """Compare the collaborative arm with the siloed one, else with the arm without selection."""
    question = "What did collaborating save?"
    arms = [Arm(name, a["role"], a["rule"], a["reference"]) for name, a in summary["arms"].items()]
    hero = first_of("collaborative", [arm for arm in arms if arm.reference not in RAW_ROW_KINDS])
    hero = hero or first_of("collaborative", arms)  # one that gives rows away speaks only where it is alone
    rival = first_of("siloed", arms) or first_of("no-selection", arms)
    if hero is None:
        return Answer(
            question, "not tried", ("No arm of this run uses the silos' summaries.", *_spread(summary))
        )
    if rival is None:
        lonely = f"There is no siloed arm, nor one without selection, to compare {hero.name} with."
        return Answer(question, "no baseline", (lonely, *_spread(summary)))
    paired = summary["arms"][hero.name]["paired"].get(rival.name, {})
    found = [name for name in OF_ITS_SORT if name in paired] or [n for n in COMPARED_BY if n in paired][:1]
    if not found:
        return Answer(
            question, "not measured", (f"{hero.name} and {rival.name} share no measured distance.",)
        )
    by = found[0]
    sentences = (
        *(_difference(summary, hero.name, rival.name, name) for name in found),
        *_beside(summary, hero.name, rival.name, by),
    )
    short = f"{number(paired[by]['mean'], signed=True)} {_called(by)}"
    return Answer(question, short, sentences)


def _called(by: str) -> str:
    return OF_ITS_SORT.get(by, metric(by).title)


def _difference(summary: Summary, hero: str, rival: str, by: str) -> str:
    found = summary["arms"][hero]["paired"][rival][by]
    ends = [number(_mean(summary, arm, by) or 0.0) for arm in (hero, rival)]
    better = "; lower is better" if by in OF_ITS_SORT and metric(by).better == "lower" else ""
    text = f"At the end, {_called(by)} is {ends[0]} with {hero} and {ends[1]} with {rival}{better}. "
    if found["interval"] is None:
        return text + "One seed only, so no interval: do not generalise."
    low, high = found["interval"]
    span = f"{number(low, signed=True)} to {number(high, signed=True)}"
    verdict = "" if low > 0 or high < 0 else " It includes 0: no difference can be claimed."
    return text + f"The 95 % interval of the difference, paired by seed, is {span}.{verdict}"


def _beside(summary: Summary, hero: str, rival: str, by: str) -> list[str]:
    """Return what a fair reader must see next to the difference."""
    lines = []
    modes = [_mean(summary, arm, "modes_covered") for arm in (hero, rival)]
    if modes[0] is not None and modes[1] is not None:
        lines.append(f"Modes alive: {number(modes[0], 1)} against {number(modes[1], 1)}.")
    thinned = [_mean(summary, hero, "thinned_share", when) for when in ("first", "last")]
    if thinned[0] is not None and thinned[1] is not None:
        least = min(
            s["thinned_share"] for s in summary["arms"][hero]["silos"].values() if "thinned_share" in s
        )
        lines.append(
            f"Classes thinned in the public base: {percent(thinned[0])} of {hero}'s samples at the start, "
            f"{percent(thinned[1])} at the end ({percent(least)} on the silo with least)."
        )
    for name, arm in summary["arms"].items():
        if arm["role"] == "anchored" and (end := _mean(summary, name, by)) is not None:
            lines.append(f"Without any silo's help, {name} reaches {_called(by)} {number(end)}.")
    return lines


def _spread(summary: Summary) -> list[str]:
    ends = {arm: mean for arm in summary["arms"] if (mean := _mean(summary, arm, "coverage")) is not None}
    if len(ends) < 2:
        return []
    best, worst = (pick(ends, key=lambda arm: ends[arm]) for pick in (max, min))
    return [
        f"Coverage at the end runs from {number(ends[worst])} ({worst}) to {number(ends[best])} ({best})."
    ]


def what_was_revealed(summary: Summary) -> Answer:
    """Say how much left a silo, in which fields, and at what privacy cost."""
    question, found = "What was revealed?", summary["revealed"]
    if not found["messages"]:
        return Answer(question, "nothing", ("No message left any silo.",))
    share = 1 / (found["seeds"] * len(found["silos"]))
    most = max(silo["bytes"] for silo in found["silos"].values()) / found["seeds"]
    sentences = [
        f"Each silo sent {number(found['messages'] * share, 0)} messages a seed, at most {size(most)} in all."
    ]
    released = found["summaries"]
    if released["messages"]:
        fields = listed(list(released["fields"]))
        sentences.append(f"{size(released['bytes'] * share)} of it summarise the silo's rows ({fields}).")
    else:
        sentences.append("No summary of rows was released.")
    warning = unprotected(summary)
    if warning is None:
        sentences.append(f"Privacy cost of one silo: epsilon {found['epsilon']:g} at most.")
    return Answer(question, f"{size(found['bytes'] * share)} a silo", tuple(sentences), warning)
