# SPDX-License-Identifier: Apache-2.0
"""Why a run's order differs from the published one, and the run in a few sentences: all from its numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tailweave.simulation.measurements import estimate
from tailweave.simulation.paper.orders import (
    KMEANS,
    RANDOM,
    SCHEME_1,
    SCHEME_2,
    SCHEMES,
    SLICED,
    Arms,
    OrderFinding,
    Pick,
)
from tailweave.simulation.report.wording import counted, listed, metric, number, percent

Config = Mapping[str, Any]
ORACLE_CUT: Pick = ("top-potential", "oracle")
"""The schemes' score-and-cut with the truth itself as reference: what is lost then, the rule loses."""
_AT_MOST_ONE = ("coverage", "recall", "precision")


def with_causes(found: Sequence[OrderFinding], arms: Arms, config: Config) -> list[OrderFinding]:
    """Add to every finding that differs what the run itself says about the reason."""
    return [
        replace(one, causes=tuple(filter(None, (cause(one, arms, config) for cause in _CAUSES))))
        if one.verdict == "differs"
        else one
        for one in found
    ]


def _ceiling(found: OrderFinding, arms: Arms, config: Config) -> str:
    order, wanted = found.order, found.order.factor * found.right.mean
    if order.way != "above" or order.metric not in _AT_MOST_ONE or order.factor == 1:
        return ""
    title = metric(order.metric).title
    text = f"{order.factor:g} times {number(found.right.mean, 3)} is {number(wanted, 3)}"
    if wanted > 1:
        return f"{text}, and {title} cannot be above 1."
    ends = {name: arms.end(pick, order.metric) for pick, name in arms.names.items()}
    best = max((end.mean, name) for name, end in ends.items() if end is not None)
    return f"{text}; the highest {title} of any arm is {number(best[0], 3)} ({best[1]})."


def _little_is_lost(found: OrderFinding, arms: Arms, config: Config) -> str:
    """Random selection that loses little leaves nothing for a rule to win back."""
    random, start = arms.end(RANDOM, "coverage"), arms.values(RANDOM, "coverage", 0)
    held_against_random = found.rival == RANDOM or found.order.factor != 1
    if random is None or not start or not held_against_random:
        return ""
    begun = sum(start.values()) / len(start)
    if random.mean < begun / 2:
        return ""
    why = listed(_gentle(config))
    because = f", because {why}" if why != "none" else ""
    return (
        f"Random selection still covers {number(random.mean, 3)} of the truth, of the {number(begun, 3)} it "
        f"began with{because}: there is little for a rule to win back."
    )


def _gentle(config: Config) -> list[str]:
    """Return what in the configuration makes collapse slow."""
    recursion, generator = config.get("recursion") or {}, config.get("generator") or {}
    public, paradigm = config.get("public") or {}, recursion.get("paradigm", "replace")
    reasons = []
    if paradigm != "replace":
        part = "a sample of " if paradigm.startswith("accumulate-") else ""
        reasons.append(f"{paradigm} refits the generator on {part}all generations so far")
    whole = public.get("fraction", 1.0) == 1.0 and not public.get("class-weights")
    if whole and generator.get("start", "shared") == "shared":
        reasons.append("the base it starts from is unbiased")
    return reasons


def _rule_not_reference(found: OrderFinding, arms: Arms, config: Config) -> str:
    order = found.order
    if order.left not in SCHEMES or found.rival != RANDOM:
        return ""
    truth, random = arms.end(ORACLE_CUT, order.metric), arms.end(RANDOM, order.metric)
    if truth is None or random is None or (truth.mean > random.mean) == (order.way == "above"):
        return ""
    side = "above" if truth.mean > random.mean else "below"
    return (
        f"Scoring and cutting with the truth itself as reference ends at {number(truth.mean, 3)}, also "
        f"{side} random ({number(random.mean, 3)}): a better reference alone would not put the scheme ahead."
    )


def _too_wide(found: OrderFinding, arms: Arms, config: Config) -> str:
    if found.order.left != KMEANS or found.rival != RANDOM:
        return ""
    mine, theirs = (arms.end(pick, "variance_ratio") for pick in (KMEANS, RANDOM))
    if mine is None or theirs is None or mine.mean <= theirs.mean:
        return ""
    return (
        f"k-means picks evenly over the cloud, dense or not: it keeps {number(mine.mean)} of the truth's "
        f"variance, random {number(theirs.mean)}. That widens recall, and costs the Fréchet distance where "
        "random has not lost its spread."
    )


_CAUSES: tuple[Callable[[OrderFinding, Arms, Config], str], ...] = (
    _ceiling,
    _too_wide,
    _little_is_lost,
    _rule_not_reference,
)


def by_cause(found: Sequence[OrderFinding]) -> list[tuple[str, list[str]]]:
    """Gather what differs under its causes: a sentence, with its claims; the unexplained come last."""
    gathered: dict[str, list[str]] = {}
    for one in found:
        for cause in one.causes:
            gathered.setdefault(cause, []).append(one.order.quantity)
    bare = [one.order.quantity for one in found if one.verdict == "differs" and not one.causes]
    return [*gathered.items(), *([("The run does not say why.", bare)] if bare else [])]


def in_short(found: Sequence[OrderFinding], arms: Arms) -> list[str]:
    """Say what the run comes down to: plain sentences, each left out where the run lacks its arms."""
    return [
        text for text in (_tally(found), _siloed(arms), _truth(arms), _schemes(arms), _herding(arms)) if text
    ]


def _tally(found: Sequence[OrderFinding]) -> str:
    counts = {v: sum(one.verdict == v for one in found) for v in ("agrees", "differs", "open")}
    open_ones = f", {counts['open']} cannot be told with so few seeds" if counts["open"] else ""
    text = f"Of {counted(len(found), 'claim')} on the order of arms, {counts['agrees']} hold here"
    return f"{text} and {counts['differs']} do not{open_ones}."


def _siloed(arms: Arms) -> str:
    ends, random = _coverage(arms, "local"), arms.values(RANDOM, "coverage")
    if not ends or not random:
        return ""
    floor = estimate(random.values()).mean
    below = [rule for rule, value in ends.items() if value < floor]
    clearly = [rule for rule in below if _clearly_below(arms.values((rule, "local"), "coverage"), random)]
    worst, best = (pick(ends, key=lambda rule: ends[rule]) for pick in (min, max))
    return (
        f"Judged by the silo's own rows, {len(below)} of {counted(len(ends), 'rule')} end with less coverage "
        f"than random selection ({number(floor, 3)}), {len(clearly)} of them by more than the 95 % interval: "
        f"from {number(ends[worst], 3)} ({worst}) to {number(ends[best], 3)} ({best})."
    )


def _clearly_below(mine: Mapping[int, float], theirs: Mapping[int, float]) -> bool:
    found = estimate(mine[seed] - theirs[seed] for seed in mine.keys() & theirs.keys())
    return found.interval is not None and found.interval[1] < 0


def _truth(arms: Arms) -> str:
    local, truth = _coverage(arms, "local"), _coverage(arms, "oracle")
    both = [rule for rule in local if rule in truth]
    if not both:
        return ""
    gains = {rule: truth[rule] - local[rule] for rule in both}
    most, least = (pick(gains, key=lambda rule: gains[rule]) for pick in (max, min))
    return (
        f"Given the truth instead, the same rules gain {number(sum(gains.values()) / len(gains), 3)} of "
        f"coverage on average, from {number(gains[least], 3, signed=True)} ({least}) to "
        f"{number(gains[most], 3, signed=True)} ({most}): that part of the collapse is the reference's, the "
        "rest the rule's."
    )


def _coverage(arms: Arms, kind: str) -> dict[str, float]:
    ends = {rule: arms.end((rule, of), "coverage") for rule, of in arms.names if of == kind}
    return {rule: end.mean for rule, end in ends.items() if end is not None}


def _schemes(arms: Arms) -> str:
    random = arms.end(RANDOM, "coverage")
    ends = {n: arms.end(p, "coverage") for n, p in (("Scheme I", SCHEME_1), ("Scheme II", SCHEME_2))}
    known = {name: end.mean for name, end in ends.items() if end is not None}
    if not known or random is None:
        return ""
    sides = {name: "below" if value < random.mean else "above" for name, value in known.items()}
    parts = [f"{name} ({number(value, 3)}) {sides[name]}" for name, value in known.items()]
    cut = arms.end(("top-potential", "local"), "coverage")
    siloed = f"; the same cut on own rows ends at {number(cut.mean, 3)}" if cut is not None else ""
    against = (
        " The paper has both ahead of random, in Fréchet distance and recall."
        if "below" in sides.values()
        else ""
    )
    return f"Coverage against random ({number(random.mean, 3)}): {listed(parts)}{siloed}.{against}"


def _herding(arms: Arms) -> str:
    best = arms.best(SCHEMES, "frechet")
    if best is None:
        return ""
    pairs = [(arms.end(SLICED, key), arms.end(best, key)) for key in ("frechet", "coverage")]
    (mine, theirs), (kept, held) = pairs
    if mine is None or theirs is None or kept is None or held is None or not theirs.mean or not held.mean:
        return ""
    return (
        f"Herding on the sliced mixture of all silos' summaries ends with {percent(mine.mean / theirs.mean)} "
        f"of the Fréchet distance of the better scheme ({number(mine.mean, 3)} against "
        f"{number(theirs.mean, 3)}) and {number(kept.mean / held.mean)} times its coverage "
        f"({number(kept.mean, 3)} against {number(held.mean, 3)})."
    )
