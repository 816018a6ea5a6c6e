# SPDX-License-Identifier: Apache-2.0
"""Kits on one host, as ``tailweave deploy init`` makes them, and a server that asks their silos."""

import datetime as dt
from pathlib import Path

import numpy as np

from tailweave.clients.node import _real_silo, open_node
from tailweave.clients.summarise_round import summarise
from tailweave.protocols.arrays import with_prefix
from tailweave.protocols.config.privacy import PrivacySpec
from tailweave.protocols.features import FeatureMap
from tailweave.protocols.kinds.references.sliced import SlicedReference
from tailweave.protocols.messages import Summarise
from tailweave.simulation.deploy.kit import Plan, init
from tailweave.simulation.deploy.node_settings import load_node

NOW = dt.datetime.now(dt.UTC)
IDENTITY = FeatureMap(np.zeros(3), np.eye(3), np.zeros(3), 1.0)


def table(seed: int = 0, rows: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 3)).round(4)


def write(path: Path, rows: np.ndarray) -> Path:
    path.write_text("u,v,w\n" + "".join(",".join(map(repr, row)) + "\n" for row in rows.tolist()))
    return path


def kit(folder: Path, rows: np.ndarray | None = None, name: str = "north") -> Path:
    """Make a federation's kit; return the folder of its one silo, with the rows in it."""
    init(folder, Plan((name,), port=9440), now=NOW)
    silo = folder / "silos" / name
    if rows is not None:
        write(silo / "data.csv", rows)
    return silo


def edit(silo: Path, old: str, new: str) -> None:
    path = silo / "node.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def ask(silo: Path, seed: int = 0, **privacy) -> bytes:
    """Ask a silo for a sketch as its ClientApp is asked; another seed is another question."""
    _real_silo.cache_clear()  # on a real node each message has a process of its own
    node = open_node(load_node(silo).node_config(), {}, seed=0)
    question = Summarise(
        run="any",
        seed=seed,
        reference=SlicedReference(kind="sliced", directions=4, coefficients=2),
        privacy=PrivacySpec(**({"epsilon": 2.0} | privacy)),
        arrays=with_prefix("features", IDENTITY.arrays()),
    )
    return summarise(node, question).arrays["sums"].tobytes()
