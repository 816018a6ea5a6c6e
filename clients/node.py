# SPDX-License-Identifier: Apache-2.0
"""What one node has: its silo, a folder for its state, and, in simulation only, the truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from clients.data.own_rows import OwnRows, own_rows
from clients.data.silo import Silo, World, silo_of, simulated_world
from clients.release.policy import Policy, load_policy, simulation_policy
from protocols.config.experiment import Experiment
from protocols.config.load import load_experiment
from protocols.config.starts import BasePath
from protocols.features import FeatureMap
from protocols.places import packaged

if TYPE_CHECKING:
    from clients.metrics import Yardstick

Settings = Mapping[str, object]


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
    """

    silo: Silo
    state: Path
    truth: World | None
    config: Path | None
    policy: Policy
    identity_key: Path | None = None
    base: Path | None = None

    def yardstick(self, features: FeatureMap, seed: int) -> "Yardstick":
        """Return the metrics' yardstick: the truth's evaluation rows, or the silo's own held-out rows."""
        if self.config is not None:
            return _truth_yardstick(self.config, seed, features)
        return _own_yardstick(self.silo, features)


def open_node(node_config: Settings, run_config: Settings, *, seed: int) -> Node:
    """Open the silo that this node holds.

    Args:
        node_config: On a real node ``data`` (a file or folder, see ``own_rows``) and ``state-dir``,
            optionally what ``own_rows`` reads beside it, ``name``, ``policy`` (a YAML file),
            ``identity-key`` (64 hex digits, for secure sums) and ``base`` (a file of a base generator); in
            simulation ``partition-id``.
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
        name = str(node_config.get("name", f"silo-{node_config.get('partition-id', 0)}"))
        silo = _real_silo(name, own_rows(node_config))
        policy = load_policy(Path(str(node_config["policy"]))) if "policy" in node_config else Policy()
        identity = Path(str(node_config["identity-key"])) if "identity-key" in node_config else None
        base = Path(str(node_config["base"])) if "base" in node_config else None
        return Node(silo, Path(str(state)), None, None, policy, identity, base)
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


def world_of(config: Path, seed: int) -> World:
    """Return the simulated world that an experiment file describes, for one seed."""
    experiment = _experiment(config)
    return simulated_world(experiment.data, experiment.silos, experiment.public, seed=seed)


@lru_cache(maxsize=4)
def _experiment(config: Path) -> Experiment:
    return load_experiment(config)


@lru_cache(maxsize=16)
def _real_silo(name: str, rows: OwnRows) -> Silo:
    """Read a real silo; its held-out rows are the node's choice, or each seed would cost a release."""
    return silo_of(name, rows.read(), 0.1, seed=0)


@lru_cache(maxsize=4)
def _truth_yardstick(config: Path, seed: int, features: FeatureMap) -> "Yardstick":
    from clients.metrics import yardstick  # slow to import, and not every question measures

    evaluation = world_of(config, seed).evaluation
    return yardstick(features(evaluation.values), evaluation.labels)


def _own_yardstick(silo: Silo, features: FeatureMap) -> "Yardstick":
    from clients.metrics import yardstick

    return yardstick(features(silo.heldout.values), silo.heldout.labels)
