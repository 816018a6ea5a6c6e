# SPDX-License-Identifier: Apache-2.0
"""What one node has: its silo, a folder for its state, and, in simulation only, the truth."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from tailweave.clients.data.class_sizes import rarest_class
from tailweave.clients.data.own_rows import OwnRows, own_rows
from tailweave.clients.data.silo import Silo, World, forget_worlds, silo_of, simulated_world
from tailweave.clients.release.places import Own, Place, default_ledgers, place_of
from tailweave.clients.release.policy import Policy, load_policy, simulation_policy
from tailweave.clients.release.request import Request
from tailweave.clients.samples import Samples
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.config.load import load_experiment
from tailweave.protocols.config.starts import BasePath
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.messages import Message
from tailweave.protocols.places import packaged
from tailweave.protocols.privacy.noise import Noise, SeededNoise, SystemNoise
from tailweave.protocols.streams import stream

if TYPE_CHECKING:  # a node that only says who it is needs none of these
    from tailweave.clients.metrics import Training, Yardstick
    from tailweave.clients.release.desk import Desk, Make
    from tailweave.clients.release.witness import Witness

Settings = Mapping[str, object]


class Head(TypedDict):
    """What every answer begins with."""

    run: str
    seed: int
    silo: str


@dataclass(frozen=True)
class Node:
    """One silo at work.

    Attributes:
        silo: The private rows, with a held-out part.
        state: Folder for checkpoints, on this node only.
        truth: The simulated world, or None on a real node.
        config: Path of the experiment in simulation, else None.
        policy: What the silo's owner lets leave it.
        identity_key: File of its identity for secure sums; None keeps one in ``state``.
        base: File of the base generator, where the run starts from one that each node has.
        own: Where this host's ledger of its rows is found; None keeps one in ``state``, for a simulation.
        cells: Gives the cells of a declared table's file, by which its ledger is found; None elsewhere.
    """

    silo: Silo
    state: Path
    truth: World | None
    config: Path | None
    policy: Policy
    identity_key: Path | None = None
    base: Path | None = None
    own: Own | None = None
    cells: Callable[[], NDArray[Any]] | None = None

    def head(self, question: Message) -> Head:
        """Return what every answer of this silo begins with."""
        return {"run": question.run, "seed": question.seed, "silo": self.silo.name}

    def noise(self, request: Request) -> Noise:
        """Return seeded noise in simulation, which must repeat, and the system's entropy elsewhere."""
        if self.truth is not None or request.privacy.epsilon is None:
            return SeededNoise(stream(request.seed, "silo", self.silo.name, "noise", request.digest))
        return SystemNoise()

    def release(self, request: Request, make: "Make") -> dict[str, Floats]:
        """Answer a request for something made of this silo's rows; see ``clients.release.desk.answer``."""
        from tailweave.clients.release.desk import answer

        return answer(self.desk(self.noise(request)), self.silo.train.values, request, make)

    def desk(self, noise: Noise) -> "Desk":
        """Return the desk through which all releases of this silo leave.

        Args:
            noise: What a release draws from.

        Raises:
            ValueError: If its rows are those of several data sets, or the host's ledgers cannot be trusted.
        """
        from tailweave.clients.release.desk import (  # slow to import, and not all is released
            Desk,
            release_folder,
        )
        from tailweave.protocols.privacy.calibration import epsilon_of_rho

        if self.own is None:
            return Desk(release_folder(self.state, self.silo.name), self.policy, noise, epsilon_of_rho)
        witness = self.enrolled(self.own)
        return Desk(witness.folder, self.policy, noise, epsilon_of_rho, witness)

    def enrolled(self, own: Own) -> "Witness":
        """Return this host's data set of the silo's rows, begun if need be; see ``enrol``."""
        from tailweave.clients.release.enrolment import enrol

        return enrol(own, self.all_rows)

    def compared(self, features: FeatureMap) -> Samples:
        """Return the training rows that a map can compare: with labels where it looks at labels."""
        return self.silo.train.labelled if features.classes else self.silo.train

    def all_rows(self) -> NDArray[Any]:
        """Return training and held-out rows together: numbers (n, p), or documents (n,).

        Of a declared table cells of the file, in any order: an encoding hangs on what others declared.
        """
        if self.cells is not None:
            return self.cells()
        return np.concatenate([self.silo.train.values, self.silo.heldout.values])

    def yardstick(self, features: FeatureMap, seed: int) -> "Yardstick":
        """Return the metrics' yardstick: the truth's evaluation rows, or the silo's own held-out rows."""
        if self.config is not None:
            return _truth_yardstick(self.config, seed, features)
        return _own_yardstick(self.silo, features)

    def public_training(self, features: FeatureMap, seed: int) -> "Training | None":
        """Return what the truth makes of the public rows; None on a real node, which has none."""
        return None if self.config is None else _public_training(self.config, seed, features)


def open_node(node_config: Settings, run_config: Settings, *, seed: int) -> Node:
    """Open the silo that this node holds.

    Args:
        node_config: On a real node ``data`` (a file or folder, see ``own_rows``) and ``state-dir``,
            optionally what ``own_rows`` reads beside it, ``name``, ``policy`` (a YAML file),
            ``identity-key`` (64 hex digits, for secure sums), ``base`` (a file of a base generator),
            ``ledgers`` (the host's folder of ledgers) and ``data-set`` (one of them); in simulation
            ``partition-id``.
        run_config: ``config`` and ``state-dir`` in simulation.
        seed: Root seed; decides the partition in simulation.

    Returns:
        The node.

    Raises:
        ValueError: If settings are missing or the data cannot be used; the message names what and where.
    """
    state = node_config.get("state-dir") or run_config.get("state-dir")
    if not state:
        raise ValueError("a node needs state-dir, a folder of its own for checkpoints, in its node-config")
    if "data" in node_config:
        return _real_node(node_config, Path(str(state)))
    if "partition-id" not in node_config or not run_config.get("config"):
        raise ValueError(
            "a node needs data, a file or folder, in its node-config; only a simulation has partition-id "
            "there and config in its run-config"
        )
    config = packaged(Path(str(run_config["config"])))
    world = world_of(config, seed)
    index = int(str(node_config["partition-id"]))
    if not 0 <= index < len(world.silos):
        raise ValueError(f"partition-id must be in 0..{len(world.silos) - 1}, got {index}")
    start = _experiment(config).generator.start
    base = Path(start.path) if isinstance(start, BasePath) else None
    return Node(world.silos[index], Path(str(state)), world, config, simulation_policy(), base=base)


def _real_node(node_config: Settings, state: Path) -> Node:
    name = str(node_config.get("name", f"silo-{node_config.get('partition-id', 0)}"))
    data = own_rows(node_config)
    place = _place(data)
    silo = _real_silo(name, data, place)
    policy = load_policy(Path(str(node_config["policy"]))) if "policy" in node_config else Policy()
    chosen = str(node_config["data-set"]) if "data-set" in node_config else None
    ledgers = Path(str(node_config.get("ledgers") or default_ledgers()))
    own = Own(ledgers, state, name, place, chosen) if place else None
    identity, base = (_file(node_config, key) for key in ("identity-key", "base"))
    cells = None if data.columns is None else data.cells
    return Node(silo, state, None, None, policy, identity, base, own, cells)


def _file(node_config: Settings, key: str) -> Path | None:
    return Path(str(node_config[key])) if key in node_config else None


def _place(data: OwnRows) -> Place | None:
    """Return where rows lie; None where they do not, which reading them says better."""
    try:
        return place_of(data.path, repr(replace(data, path=Path())))
    except OSError:
        return None


def world_of(config: Path, seed: int) -> World:
    """Return the simulated world that an experiment file describes, for one seed."""
    experiment = _experiment(config)
    return simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)


def forget() -> None:
    """Read experiments and their data anew from now on: a notebook runs many, of files that change."""
    forget_worlds()
    _experiment.cache_clear()
    _truth_yardstick.cache_clear()
    _public_training.cache_clear()


@lru_cache(maxsize=4)
def _experiment(config: Path) -> Experiment:
    return load_experiment(config)


@lru_cache(maxsize=16)
def _real_silo(name: str, rows: OwnRows, place: Place | None) -> Silo:
    """Read a real silo; its held-out rows are the node's choice, or each seed would cost a release.

    The place is among the arguments so that rows which changed on the disk are read again.
    """
    return silo_of(name, rows.read(), 0.1, seed=0)


@lru_cache(maxsize=4)
def _truth_yardstick(config: Path, seed: int, features: FeatureMap) -> "Yardstick":
    from tailweave.clients.metrics import yardstick_of  # slow to import, and not every question measures

    world = world_of(config, seed)
    rarest = rarest_class(world)
    name = None if rarest is None else rarest.name
    return yardstick_of(world.evaluation, features, name, beside=world.train)


@lru_cache(maxsize=4)
def _public_training(config: Path, seed: int, features: FeatureMap) -> "Training":
    return _truth_yardstick(config, seed, features).training(features(world_of(config, seed).public))


def _own_yardstick(silo: Silo, features: FeatureMap) -> "Yardstick":
    from tailweave.clients.metrics import yardstick_of

    return yardstick_of(silo.heldout, features)
