# SPDX-License-Identifier: Apache-2.0
"""Documents of one silo beside their nearest training documents, for the report of a run on text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tailweave.clients import storage
from tailweave.clients.node import world_of
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.texts import unpacked
from tailweave.server.rounds import snapshots
from tailweave.simulation.images import folder_with

LONGEST = 400
"""Characters of a document that a report shows."""
Kept = dict[str, dict[int, list[dict[str, str]]]]
"""Arm to generation to documents, each with keys ``generated`` and ``nearest``."""


def collect_texts(experiment: Experiment, config: Path, state: Path) -> Kept:
    """Gather what one silo kept in the first seed; simulation only: training documents are in it.

    Returns:
        Documents, cut one character after the last that is shown; empty for other data.
    """
    if experiment.data.gives != "text":
        return {}
    seed = experiment.seeds[0]
    folder = folder_with("texts", state / f"seed-{seed}", world_of(config, seed))
    found: Kept = {}
    for arm in experiment.arms:
        for generation in sorted({0, *snapshots(experiment)}):
            path = folder / arm.name / f"texts-{generation}.npz"
            if path.exists():  # a silo that dropped out has none
                found.setdefault(arm.name, {})[generation] = _pairs(storage.load(path))
    return found


def _pairs(kept: Mapping[str, Any]) -> list[dict[str, str]]:
    made, near = (unpacked(kept[name]) for name in ("generated", "nearest"))
    return [
        {"generated": one[: LONGEST + 1], "nearest": other[: LONGEST + 1]}
        for one, other in zip(made, near, strict=True)
    ]
