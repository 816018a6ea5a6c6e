# SPDX-License-Identifier: Apache-2.0
"""What an arm promises about privacy, as configured, and which arms differ in epsilon alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MECHANISMS = {
    "cosine": "Gaussian noise on a sliced cosine sketch",
    "histogram": "Gaussian noise on sliced histograms",
    "lloyd": "DP-Lloyd: Gaussian noise in every k-means step",
    "exact": "none: exact sums",
    "rows": "none: projections of the silos' rows",
}
_ROWS_THEMSELVES = ("barycenter", "geodesic")
_NOTHING = (None, "local", "public", "oracle")


@dataclass(frozen=True)
class ArmPrivacy:
    """The privacy of one arm.

    Attributes:
        releases: Whether silos release anything for it; if not, the rest says nothing.
        epsilon: Of one silo's summary; ``None`` where nothing bounds it.
        delta: Of that epsilon; ``None`` without it.
        mechanism: One of ``MECHANISMS``, or empty if nothing is released.
    """

    releases: bool
    epsilon: float | None = None
    delta: float | None = None
    mechanism: str = ""


def arm_privacy(name: str, config: Mapping[str, Any]) -> ArmPrivacy:
    """Read what one arm of a resolved configuration promises: nothing if it is not there.

    This reads no ``Experiment``: a run is reported where its rules or generator are gone, and then there is
    none.
    """
    spec = _spec(name, config)
    reference = spec.get("reference")
    options = reference if isinstance(reference, Mapping) else {"kind": reference}
    kind = options.get("kind")
    if kind in _NOTHING:
        return ArmPrivacy(False)
    if kind in _ROWS_THEMSELVES:
        return ArmPrivacy(True, mechanism="rows")
    shared = config.get("privacy") or {}
    epsilon = spec.get("epsilon", "as-configured")
    epsilon = shared.get("epsilon") if epsilon == "as-configured" else epsilon
    if epsilon is None:
        return ArmPrivacy(True, mechanism="exact")
    mechanism = "lloyd" if kind == "quantized" else str(options.get("basis", "cosine"))
    return ArmPrivacy(True, float(epsilon), shared.get("delta"), mechanism)


def epsilon_families(config: Mapping[str, Any]) -> list[dict[str, float | None]]:
    """Find the arms of a resolved configuration that differ in epsilon and in nothing else.

    Returns:
        Families of two or more arms, each arm with its epsilon (``None``: no noise), most private first; of
        two arms with the same epsilon the first counts. Empty if there are none.
    """
    families: dict[str, dict[float | None, str]] = {}
    for arm in config.get("arms") or []:
        name = str(arm["name"])
        found = arm_privacy(name, config)
        if found.releases:
            rest = {key: value for key, value in arm.items() if key not in ("name", "epsilon")}
            families.setdefault(json.dumps(rest, sort_keys=True), {}).setdefault(found.epsilon, name)
    ordered = [
        {family[e]: e for e in sorted(family, key=lambda e: float("inf") if e is None else e)}
        for family in families.values()
    ]
    return [family for family in ordered if len(family) > 1]


def _spec(name: str, config: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((arm for arm in config.get("arms") or [] if arm.get("name") == name), {})
