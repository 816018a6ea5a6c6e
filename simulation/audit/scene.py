# SPDX-License-Identifier: Apache-2.0
"""The scene of an audit: the silos' features, what the attacker owns, and the public space; one seed."""

from dataclasses import dataclass

import numpy as np

from tailweave.clients.data.silo import Silo, World, simulated_world
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap, PublicSpace
from tailweave.protocols.kinds.references.base import SummarisedReference
from tailweave.protocols.kinds.references.transported import (
    TransportedReference,
)
from tailweave.simulation.audit.game import Game
from tailweave.simulation.audit.recovered import Ruler, ruler
from tailweave.simulation.kits import fit_kit

Released = tuple[SummarisedReference, PrivacySpec]
"""What silos are asked to release: for which reference, within which bounds."""

TINY = 10
"""Rows of the silo that particles flow into, and beside a row that is looked for."""
_DECOYS = 2000
_GAME_ROWS = 400
"""Largest silo of the membership game; fewer rows are easier to tell apart, so this favours the attacker."""
_POOL = 2 * _GAME_ROWS + 200
_AUXILIARY = 1000


@dataclass(frozen=True)
class Scene:
    """One seed of an experiment, seen from above; only a simulation has one.

    ``public`` are features (m, d) of the public samples.
    """

    world: World
    features: FeatureMap
    space: PublicSpace
    public: Floats
    seed: int

    @classmethod
    def of(cls, experiment: Experiment, seed: int) -> "Scene":
        """Rebuild data, silos and public kit as a run of ``experiment`` makes them.

        Raises:
            ValueError: If the data cannot be read or do not fit together.
        """
        world = simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)
        kit = fit_kit(experiment, world, seed)
        return cls(world, kit.features, kit.features.space(seed), kit.samples, seed)

    def mapped(self, rows: Samples) -> Floats:
        """Return features of samples: of those with labels, where the map looks at labels."""
        return self.features(rows.labelled if self.features.classes else rows)

    def rows(self, silo: Silo) -> Floats:
        """Return the features that a silo summarises, shape (n, d)."""
        return self.mapped(silo.train)

    def arrivals(self, silo: Silo) -> Floats:
        """Return features of rows of the same origin that the silo does not summarise, shape (h, d)."""
        return self.mapped(silo.heldout)

    def ruler(self, silo: Silo) -> Ruler:
        """Return the ruler of a silo; its decoys are evaluation rows and rows of the other silos."""
        others = [self.rows(other) for other in self.world.silos if other.name != silo.name]
        decoys = np.concatenate([self.mapped(self.world.evaluation), *others])
        return ruler(self.rows(silo), _evenly(decoys, _DECOYS), self.space.scale)

    def auxiliary(self, silo: Silo | None = None) -> Floats:
        """Return what an attacker owns: evaluation rows, those of a silo's classes if one is given."""
        rows = self.world.evaluation
        if silo is not None and rows.labels is not None and silo.train.labels is not None:
            same = np.isin(rows.labels, silo.train.labels)
            rows = rows.take(np.flatnonzero(same)) if same.sum() > 1 else rows
        return _evenly(self.mapped(rows), _AUXILIARY)

    def game(self) -> Game:
        """Return the membership game on silos as large as the smallest, cut from all training rows."""
        pool = _evenly(self.mapped(self.world.train), _POOL)
        smallest = min(len(silo.train) for silo in self.world.silos)
        return Game(pool, self.auxiliary(), min(smallest, _GAME_ROWS, len(pool) // 2))


def released(experiment: Experiment) -> dict[Released, tuple[str, ...]]:
    """Return what silos are asked to release, once each, in the order of arms, with the arms that use it."""
    found: dict[Released, tuple[str, ...]] = {}
    for arm in experiment.arms:
        if isinstance(arm.reference, SummarisedReference):
            asked = arm.reference, experiment.privacy_of(arm)
            found[asked] = (*found.get(asked, ()), arm.name)
    return found


def raw_arms(experiment: Experiment) -> dict[TransportedReference, tuple[str, ...]]:
    """Return the references by published protocols that the config forces on, with their arms."""
    found: dict[TransportedReference, tuple[str, ...]] = {}
    for arm in experiment.arms:
        if isinstance(arm.reference, TransportedReference):
            found[arm.reference] = (*found.get(arm.reference, ()), arm.name)
    return found


def _evenly(rows: Floats, most: int) -> Floats:
    """Take at most ``most`` rows, evenly spaced, so that sorted data are not cut off."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
