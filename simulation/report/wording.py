# SPDX-License-Identifier: Apache-2.0
"""Names, directions and number formats that the report speaks with."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
KIB = 1024


@dataclass(frozen=True)
class Metric:
    """A metric in plain words.

    Attributes:
        title: Short name, as a column head.
        meaning: One sentence.
        better: Which way is better; ``one`` is nearest to 1; ``None`` if neither way is.
        decimals: Decimals shown; ``None`` shows three digits of the largest value.
    """

    title: str
    meaning: str
    better: Literal["higher", "lower", "one"] | None
    decimals: int | None = None


METRICS: Mapping[str, Metric] = {
    "coverage": Metric(
        "coverage", "Share of real samples with a synthetic one in their neighbourhood.", "higher", 3
    ),
    "recall": Metric("recall", "Share of real samples that lie inside the synthetic support.", "higher", 3),
    "precision": Metric(
        "precision", "Share of synthetic samples that lie inside the real support.", "higher", 3
    ),
    "frechet": Metric("Fréchet", "Distance between Gaussians fitted to real and synthetic samples.", "lower"),
    "vendi": Metric("Vendi", "Effective number of distinct samples.", "higher"),
    "variance_ratio": Metric("variance kept", "Total variance over that of the truth.", "one", 2),
    "modes_covered": Metric("modes", "Modes that hold at least 2 % of the samples.", "higher", 1),
    "unseen_share": Metric(
        "unseen classes", "Share of samples in classes that the silo itself has no row of.", None, 3
    ),
    "rarest_mode_share": Metric(
        "rarest mode", "Share of samples in the mode that the truth has least of.", None, 3
    ),
    "thinned_share": Metric(
        "thinned classes",
        "Share of the classes that the public base saw less of; silos that hold them may carry the mean.",
        None,
        3,
    ),
    "density": Metric("density", "How many real neighbourhoods hold a synthetic sample, scaled.", "higher"),
    "w2_sq": Metric("W2²", "Squared 2-Wasserstein distance to the truth.", "lower"),
    "energy_distance": Metric("energy", "Energy distance to the truth.", "lower"),
    "entropy_kl": Metric("entropy", "Differential entropy (Kozachenko–Leonenko), in nats.", None),
    "memorization": Metric("memorization", "Nearest training distance ratio.", None),
    "generalization_score": Metric(
        "generalization", "Mean distance from samples to the nearest training row of their model.", None
    ),
    "training_entropy": Metric(
        "training entropy", "Differential entropy of the rows that the model was trained on, in nats.", None
    ),
    "real_share": Metric(
        "real rows", "Share of real rows among those that the model was trained on.", None, 3
    ),
}
MAIN = tuple(METRICS)[:10]
ARROWS = {"higher": "\u00a0↑", "lower": "\u00a0↓", "one": "\u00a0→\u00a01", None: ""}
"""No-break spaces keep an arrow on the line of its word."""


def metric(name: str) -> Metric:
    """Return a metric in plain words; one that the report does not know keeps its own name."""
    return METRICS.get(name, Metric(name, "", None))


def decimals_for(values: Sequence[float]) -> int:
    """Return how many decimals show three digits of the largest value, from 0 to 6."""
    largest = max((abs(value) for value in values), default=0.0)
    return 2 if largest == 0 else min(6, max(0, 2 - math.floor(math.log10(largest))))


def number(value: float, decimals: int = 2, *, signed: bool = False) -> str:
    """Format a number with a true minus sign; zero has no sign."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def half_width(found: Mapping[str, Any], decimals: int) -> str:
    """Format half the width of an estimate's 95 % interval; empty with one seed."""
    if found["interval"] is None:
        return ""
    low, high = found["interval"]
    return f"± {number((high - low) / 2, decimals)}"


def size(count: float) -> str:
    """Format bytes as B, KiB or MiB."""
    if count < KIB:
        return f"{count:.0f} B"
    return f"{count / KIB:.1f} KiB" if count < KIB**2 else f"{count / KIB**2:.1f} MiB"


def percent(share: float) -> str:
    """Format a share as per cent; one decimal below 10 %."""
    return f"{number(100 * share, 0 if abs(share) >= 0.0995 else 1)} %"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"


def counted(count: int, noun: str) -> str:
    """Return ``1 seed``, ``3 seeds``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def owners_alone(kept: Mapping[str, Sequence[str]]) -> list[str]:
    """Say of each arm whose numbers the owners keep where they can be read."""
    return [
        f"{arm}: measured on the nodes of {listed(silos)}, for their owners alone, who read it by "
        "tailweave deploy report"
        for arm, silos in kept.items()
    ]
