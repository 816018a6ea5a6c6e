# SPDX-License-Identifier: Apache-2.0
"""The 2-D map of one silo: truth, candidates and selected on the truth's own two main axes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from tailweave.clients import storage
from tailweave.clients.node import world_of
from tailweave.clients.retrain_round import SHOWN_POINTS
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.whole_file import write_whole
from tailweave.server.rounds import snapshots

Maps = dict[str, NDArray[Any]]


def collect_maps(experiment: Experiment, features: FeatureMap, config: Path, state: Path) -> Maps:
    """Gather what the first silo kept for the map in the first seed; simulation only.

    Returns:
        Positions by name: ``truth_xy`` (r, 2), ``truth_label`` (r,), and ``<arm>/<generation>/candidates``
        and ``.../selected``, each (k, 2).
    """
    seed = experiment.seeds[0]
    world = world_of(config, seed)
    truth = features(world.evaluation)
    plane = PCA(min(2, truth.shape[1]), svd_solver="full").fit(truth)
    maps: Maps = {"truth_xy": _plane(plane, truth)}
    if world.evaluation.labels is not None:
        maps["truth_label"] = world.evaluation.labels[:SHOWN_POINTS]
    folder = state / f"seed-{seed}" / world.silos[0].name
    for arm in experiment.arms:
        for generation in snapshots(experiment):
            path = folder / arm.name / f"snapshot-{generation}.npz"
            if path.exists():  # a silo that dropped out has none
                for name, points in storage.load(path).items():
                    maps[f"{arm.name}/{generation}/{name}"] = _plane(plane, points)
    return maps


def _plane(plane: PCA, points: Floats) -> Floats:
    flat = plane.transform(points[:SHOWN_POINTS])
    return flat if flat.shape[1] == 2 else np.column_stack([flat, np.zeros(len(flat))])


def save_maps(path: Path, maps: Maps) -> None:
    """Write the map as NPZ, whole or not at all."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **maps)
    write_whole(path, buffer.getbuffer())
