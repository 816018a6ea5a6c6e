# SPDX-License-Identifier: Apache-2.0
"""Samples of one silo beside their nearest training images, for the report of a run on image data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailweave.clients import storage
from tailweave.clients.data.silo import World
from tailweave.clients.node import world_of
from tailweave.protocols.arrays import Floats
from tailweave.protocols.config.experiment import Experiment
from tailweave.server.rounds import snapshots
from tailweave.simulation.maps import Maps

IMAGE_SOURCES = ("digits", "image-folder", "cifar10")


def shows_images(config: Mapping[str, Any]) -> bool:
    """Tell from a resolved configuration whether its rows are images."""
    data = config.get("data") or {}
    return data.get("source") in IMAGE_SOURCES or data.get("image") is not None


def collect_images(experiment: Experiment, config: Path, state: Path) -> Maps:
    """Gather what one silo kept in the first seed; simulation only, for training images are in it.

    Returns:
        ``<arm>/<generation>/generated`` and ``.../nearest``, each (k, h, w, c), uint8; empty for other data.
    """
    seed = experiment.seeds[0]
    world = world_of(config, seed)
    if world.train.image is None:
        return {}
    folder = folder_with("images", state / f"seed-{seed}", world)
    found: Maps = {}
    for arm in experiment.arms:
        for generation in sorted({0, *snapshots(experiment)}):
            path = folder / arm.name / f"images-{generation}.npz"
            if path.exists():  # a silo that dropped out has none
                kept = storage.load(path)
                for name in ("generated", "nearest"):
                    found[f"{arm.name}/{generation}/{name}"] = _pictures(kept[name], world.train.image)
    return found


def folder_with(name: str, state: Path, world: World) -> Path:
    """Return the folder of the first silo that kept such samples; not all are measured."""
    folders = [state / silo for silo in world.silo_names]
    return next((folder for folder in folders if any(folder.glob(f"*/{name}-*.npz"))), folders[0])


def _pictures(rows: Floats, image: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return rows (k, p) in [0, 1] as pictures (k, h, w, c); what lies outside is cut off."""
    pixels = (255.0 * np.clip(rows, 0.0, 1.0)).round().astype(np.uint8)
    return pixels.reshape(-1, *image).transpose(0, 2, 3, 1)
