# SPDX-License-Identifier: Apache-2.0
"""Names of the selection rules, and what each needs: a reference of which kind, and how many candidates."""

from typing import Literal

Rule = Literal[
    "random",
    "k-means",
    "center-matching",
    "center-sampling",
    "covariance-matching",
    "matching-alpha",
    "fid-batches",
    "ds3",
    "latent-density",
    "farthest-point",
    "threshold-decay",
    "top-potential",
    "nash",
    "herding",
    "partial-transport",
]
WITHOUT_REFERENCE: tuple[Rule, ...] = (
    "random",
    "k-means",
    "latent-density",
    "farthest-point",
    "threshold-decay",
)
ON_SKETCHES: tuple[Rule, ...] = ("herding",)
"""Rules for which a sketch is enough; all others that compare need points."""
POINT_KINDS = ("local", "public", "quantized", "barycenter", "geodesic", "oracle")
"""Kinds of reference that have points."""
FEWEST_CANDIDATES: dict[Rule, int] = {"fid-batches": 100, "latent-density": 5}
"""Rules that cannot choose from fewer candidates than this."""


def check_reference(rule: Rule, kind: str | None) -> None:
    """Refuse a rule without the reference that it needs, or with one that it cannot use.

    Args:
        rule: Name of the rule.
        kind: Kind of reference; None for none.

    Raises:
        ValueError: With what is allowed.
    """
    if rule in WITHOUT_REFERENCE:
        if kind is not None:
            raise ValueError(f"rule {rule} compares with nothing: remove reference")
    elif kind is None:
        raise ValueError(f"rule {rule} needs a reference")
    elif rule not in ON_SKETCHES and kind not in POINT_KINDS:
        raise ValueError(
            f"rule {rule} needs a reference with points ({', '.join(POINT_KINDS)}), got {kind}; "
            f"on a sketch works rule {', '.join(ON_SKETCHES)}"
        )


def check_candidates(rule: Rule, candidates: int) -> None:
    """Refuse a rule that cannot choose from so few candidates.

    Raises:
        ValueError: If N is below what the rule needs.
    """
    fewest = FEWEST_CANDIDATES.get(rule, 1)
    if candidates < fewest:
        raise ValueError(
            f"rule {rule} needs at least {fewest} candidates (samples x candidates-per-sample), "
            f"got {candidates}"
        )
