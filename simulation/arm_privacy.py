# SPDX-License-Identifier: Apache-2.0
"""What an arm promises about privacy, as configured, and which arms differ in epsilon alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tailweave.protocols.config.references import ReferenceSpec
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.transported import TransportedReference
from tailweave.protocols.references import summarised

_READ: TypeAdapter[ReferenceSpec] = TypeAdapter(ReferenceSpec)
_EXACT = ("exact", "none: exact sums")
_ROWS = ("rows", "none: projections of the silos' rows")
_UNKNOWN = ("unknown", "unknown: no installed package brings this reference as it was configured")


@dataclass(frozen=True)
class ArmPrivacy:
    """The privacy of one arm.

    Attributes:
        releases: Whether silos release anything for it; if not, the rest says nothing.
        epsilon: Of one silo's summary; ``None`` where nothing bounds it.
        delta: Of that epsilon; ``None`` without it.
        mechanism: Name of the mechanism, or ``exact``, ``rows``, ``unknown``; empty if nothing is released.
        words: The same in words.
    """

    releases: bool
    epsilon: float | None = None
    delta: float | None = None
    mechanism: str = ""
    words: str = ""


def arm_privacy(name: str, config: Mapping[str, Any]) -> ArmPrivacy:
    """Read what one arm of a resolved configuration promises: nothing if it is not there.

    This reads no ``Experiment``: a run is reported where its rules or generator are gone, and then there is
    none.
    """
    arm = _spec(name, config)
    reference = arm.get("reference")
    if reference is None:
        return ArmPrivacy(False)
    try:
        spec = _READ.validate_python(reference)
    except ValidationError:
        return ArmPrivacy(True, None, None, *_UNKNOWN)
    if isinstance(spec, TransportedReference):
        return ArmPrivacy(True, None, None, *_ROWS)
    if not isinstance(spec, SummarisedReference):
        return ArmPrivacy(False)
    shared = config.get("privacy") or {}
    epsilon = arm.get("epsilon", "as-configured")
    epsilon = shared.get("epsilon") if epsilon == "as-configured" else epsilon
    if epsilon is None:
        return ArmPrivacy(True, None, None, *_EXACT)
    mechanism = summarised(spec).mechanism
    return ArmPrivacy(True, float(epsilon), shared.get("delta"), mechanism.name, mechanism.words)


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
